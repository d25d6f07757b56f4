//! Policies in a script or in the output of `ip xfrm policy`: what is compared with the policies that the service derives.

use std::net::IpAddr;

use super::printed::Printed;
use super::selector::Selector;
use super::values::{address, mark, next_u32};
use crate::convert::import::ImportedPolicy;
use crate::convert::import::statements::Token;
use crate::convert::import::writer::{Cursor, Untranslatable};
use crate::policy::{Net, PolicyDirection, PolicyId, PortMask, Selector as PolicySelector};
use crate::redact::{Expected, cited};
use crate::sa::Masked;

/// A policy that is being read.
#[derive(Default)]
struct XfrmPolicy<'t> {
    selector: Selector<'t>,
    direction: Option<PolicyDirection>,
    mark: Option<Masked>,
    if_id: u32,
    /// Why the service would not derive it.
    other: Option<String>,
    /// Ends of the templates.
    ends: Vec<(IpAddr, IpAddr)>,
    templates: usize,
}

/// Words with one value that the service's policies do not depend on, or that only output has.
const SKIPPED: &[&str] = &["index", "priority", "share"];

/// Reads `ip xfrm policy add ...` from the words after the verb.
pub(super) fn of_command(line: u32, words: &[Token<'_>]) -> Result<ImportedPolicy, Untranslatable> {
    let mut policy = XfrmPolicy::default();
    let mut words = Cursor::new(words);
    policy.read(&mut words)?;
    Ok(policy.imported(line))
}

/// Reads a printed policy.
pub(super) fn of_output(printed: &Printed<'_>) -> Result<ImportedPolicy, Untranslatable> {
    let line = printed.lines.first().map_or(0, |line| line.0);
    let is_read = |text: &&str| {
        let first = text.split_whitespace().next().unwrap_or_default();
        !matches!(first, "lifetime" | "limit:" | "expire" | "add" | "enc-mask" | "security")
            && !first.starts_with(|c: char| c.is_ascii_digit())
    };
    let lines: Vec<Vec<Token<'_>>> = printed.lines.iter().map(|line| line.1).filter(is_read).map(tokens).collect();
    let words = lines.concat();
    let mut policy = XfrmPolicy::default();
    policy.read(&mut Cursor::new(&words))?;
    Ok(policy.imported(line))
}

fn tokens(line: &str) -> Vec<Token<'_>> {
    let words = line.split_whitespace().filter(|word| !word.starts_with("(0x"));
    words.map(|text| Token { text, quoted: false, unset: false }).collect()
}

impl<'t> XfrmPolicy<'t> {
    fn read(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        loop {
            self.selector.read(words)?;
            let Some(word) = words.next() else { return Ok(()) };
            match word.text {
                "dir" => self.direction = direction(words.value("dir")?.text)?,
                "socket" => {
                    words.skip(1);
                    self.other = Some("it belongs to a socket".to_owned());
                }
                "mark" => self.mark = Some(mark(words, "mark")?).filter(|mark| mark.mask != 0),
                "if_id" => self.if_id = next_u32(words, "if_id")?,
                "action" if words.value("action")?.text != "allow" => self.other = Some("it blocks packets".to_owned()),
                "action" => {}
                "ptype" if words.value("ptype")?.text != "main" => self.other = Some("it is a sub policy".to_owned()),
                "ptype" => {}
                "flag" => self.flags(words),
                "limit" => words.skip(2),
                "tmpl" => self.template(words)?,
                "ctx" | "offload" => {
                    words.skip_all();
                    self.other = Some("it has a security context or offload".to_owned());
                }
                word if SKIPPED.contains(&word) => words.skip(1),
                word => {
                    return Err(format!("unknown word {} in a policy", cited(word, Expected::OneOf(super::command::WORDS))));
                }
            }
        }
    }

    fn flags(&mut self, words: &mut Cursor<'_, '_>) {
        while matches!(words.peek(), Some("localok" | "icmp")) {
            words.skip(1);
            self.other = Some("it has flags".to_owned());
        }
    }

    /// `tmpl src A dst B proto esp spi N reqid N mode M level use`.
    fn template(&mut self, words: &mut Cursor<'_, '_>) -> Result<(), Untranslatable> {
        self.templates += 1;
        let (mut src, mut dst) = (None, None);
        while let Some(word @ ("src" | "dst" | "proto" | "spi" | "reqid" | "mode" | "level" | "share")) = words.peek() {
            words.skip(1);
            let value = words.value(word)?.text;
            match word {
                "src" => src = Some(address(value)?),
                "dst" => dst = Some(address(value)?),
                "proto" if !matches!(value, "esp" | "ah") => {
                    self.other = Some("its template is not for esp or ah".to_owned());
                }
                "level" if value == "use" => {
                    self.other = Some("its level is use, so packets may pass in the clear".to_owned());
                }
                _ => {}
            }
        }
        if let (Some(src), Some(dst)) = (src, dst) {
            self.ends.push((src, dst));
        }
        Ok(())
    }

    fn imported(self, line: u32) -> ImportedPolicy {
        let mut other = self.other;
        if self.templates == 0 {
            other.get_or_insert_with(|| "it protects nothing".to_owned());
        }
        if self.selector.device.is_some() {
            other.get_or_insert_with(|| "its selector has a device".to_owned());
        }
        let src = self.selector.src.or_else(|| any_like(self.selector.dst));
        let dst = self.selector.dst.or_else(|| any_like(self.selector.src));
        let ports = self.selector.ports.map(|port| PortMask::exactly(port.unwrap_or(0)));
        let id = match (src, dst, self.direction) {
            (Some(src), Some(dst), Some(direction)) => Some(PolicyId {
                direction,
                selector: PolicySelector {
                    proto: self.selector.proto,
                    src_ports: ports[0],
                    dst_ports: ports[1],
                    ..PolicySelector::between(Net::new(src.0, src.1), Net::new(dst.0, dst.1))
                },
                mark: self.mark,
                if_id: self.if_id,
            }),
            _ => None,
        };
        ImportedPolicy { line, id, ends: self.ends, other }
    }
}

fn any_like(net: Option<(IpAddr, u8)>) -> Option<(IpAddr, u8)> {
    let addr = net.map_or(IpAddr::from([0; 4]), |net| net.0);
    Some((Net::any(addr).addr(), 0))
}

fn direction(word: &str) -> Result<Option<PolicyDirection>, Untranslatable> {
    match word {
        "in" => Ok(Some(PolicyDirection::In)),
        "out" => Ok(Some(PolicyDirection::Out)),
        "fwd" => Ok(Some(PolicyDirection::Forward)),
        word => Err(format!("dir is not in, out or fwd: {}", cited(word, Expected::Number))),
    }
}
