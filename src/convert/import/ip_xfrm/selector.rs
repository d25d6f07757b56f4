//! Selectors of ip-xfrm(8), the same in commands and in output.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::values::{net, number};
use crate::convert::import::writer::{Cursor, Untranslatable};
use crate::names::protocols;
use crate::redact::{Expected, cited};

/// The packets that an SA is for.
#[derive(Default)]
pub(super) struct Selector<'t> {
    pub(super) src: Option<(IpAddr, u8)>,
    pub(super) dst: Option<(IpAddr, u8)>,
    pub(super) proto: u8,
    /// Source and destination; ICMP type and code. `Some(0)` if the value 0 was given and counts.
    pub(super) ports: [Option<u16>; 2],
    pub(super) device: Option<&'t str>,
    uid: u32,
}

impl<'t> Selector<'t> {
    /// Reads the words of a selector, and stops before the first other word.
    pub(super) fn read(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        loop {
            let Some(word) = words.peek() else { return Ok(()) };
            if !WORDS.contains(&word) {
                return Ok(());
            }
            words.skip(1);
            let value = words.value(word)?;
            match word {
                "src" => self.src = Some(net(value.text)?),
                "dst" => self.dst = Some(net(value.text)?),
                "proto" => self.proto = proto(value.text)?,
                // A port of 0 stands for all.
                "sport" => self.ports[0] = Some(number(value.text, 0xffff, word)? as u16).filter(|port| *port != 0),
                "dport" => self.ports[1] = Some(number(value.text, 0xffff, word)? as u16).filter(|port| *port != 0),
                "type" => self.ports[0] = Some(number(value.text, 0xff, word)? as u16),
                "code" => self.ports[1] = Some(number(value.text, 0xff, word)? as u16),
                "key" => self.ports = gre_key(value.text)?,
                "dev" => self.device = Some(value.text).filter(|device| *device != "none"),
                // Without its byte order: a value other than 0 cannot be expressed anyway.
                "(dport)" => self.ports[1] = Some(number(value.text, 0xffff, word)? as u16),
                _ => self.uid = number(value.text, u32::MAX.into(), word)? as u32,
            }
        }
    }

    /// The keywords for the selector of an SA for `outer`; none for a selector that matches every packet. With `both_families`, a
    /// selector that was given has a family, which the default has not.
    pub(super) fn keywords(
        &self,
        outer: Option<IpAddr>,
        both_families: bool,
    ) -> Result<Vec<(&'static str, String)>, Untranslatable> {
        if let Some(device) = self.device {
            return Err(format!(
                "the selector's dev {} has no equivalent: the SA would match the packets of every device",
                cited(device, Expected::Device)
            ));
        }
        if self.uid != 0 {
            return Err(format!("the selector's uid {} has no equivalent in a keys file", self.uid));
        }
        if self.ports.contains(&Some(0)) {
            let words = if self.proto == 47 { "key" } else { "type or code" };
            return Err(format!("the selector's {words} 0 has no equivalent: in a keys file 0 stands for all"));
        }
        let of_family = self.src.or(self.dst).map(|net| net.0).or(outer);
        let any = any_like(of_family);
        let (src, dst) = (self.src.unwrap_or(any), self.dst.unwrap_or(any));
        if src.0.is_ipv4() != dst.0.is_ipv4() {
            return Err("the selector's src and dst are of different address families".to_owned());
        }
        let is_default = (src, dst) == (any, any) && self.proto == 0 && self.ports == [None; 2];
        let is_outer_family = outer.is_none_or(|outer| outer.is_ipv4() == any.0.is_ipv4());
        let has_family = both_families && (self.src.is_some() || self.dst.is_some());
        if is_default && is_outer_family && !has_family {
            return Ok(Vec::new());
        }
        let mut words = vec![("isrc", text(src)), ("idst", text(dst))];
        if self.proto != 0 {
            words.push(("iproto", self.proto.to_string()));
        }
        let ports = ["isport", "idport"].into_iter().zip(self.ports);
        words.extend(ports.filter_map(|(word, port)| Some((word, port?.to_string()))));
        Ok(words)
    }
}

/// The words of a selector, and with `-s` also `uid` and `(dport)`.
pub(super) const WORDS: &[&str] = &["src", "dst", "proto", "sport", "dport", "type", "code", "key", "dev", "uid", "(dport)"];

fn text((addr, prefix_len): (IpAddr, u8)) -> String {
    format!("{addr}/{prefix_len}")
}

/// All addresses of the family of `addr`.
fn any_like(addr: Option<IpAddr>) -> (IpAddr, u8) {
    match addr {
        Some(IpAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED.into(), 0),
        _ => (Ipv4Addr::UNSPECIFIED.into(), 0),
    }
}

/// A protocol by name or number; 0 for `any`.
fn proto(word: &str) -> Result<u8, Untranslatable> {
    if word == "any" || word == "ip" {
        return Ok(0);
    }
    match protocols::number(word.as_bytes()) {
        Some(number) => Ok(number),
        None => number(word, 0xff, "proto").map(|number| number as u8),
    }
}

/// The two halves of a GRE key, a number or a dotted quad.
fn gre_key(word: &str) -> Result<[Option<u16>; 2], Untranslatable> {
    let key = match word.parse::<Ipv4Addr>() {
        Ok(quad) => quad.to_bits(),
        Err(_) => number(word, u32::MAX.into(), "key")? as u32,
    };
    Ok([Some((key >> 16) as u16), Some(key as u16)])
}
