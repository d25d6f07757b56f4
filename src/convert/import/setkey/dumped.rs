//! The output of `setkey -D` (ipsec-tools and FreeBSD, `pfkey_dump.c`).

use std::net::IpAddr;

use super::add::{encapsulation, name, with_port, write_name};
use super::{Rest, label};
use crate::convert::import::output::{Output, SaStep};
use crate::convert::import::writer::{CommandWriter, Untranslatable};
use crate::convert::names::{SETKEY_AUTH, SETKEY_ENCR};
use crate::redact::{Expected, cited};
use crate::secret::{Buffer, Full};

/// An SA of the output.
pub(super) struct Dumped<'t> {
    line: u32,
    ends: (&'t str, &'t str),
    lines: Vec<&'t str>,
}

/// Splits the statements before the next SA of `setkey -D`, and that SA, from `rest`. `None` at the end of the text.
pub(super) fn next<'t>(rest: &mut Rest<'t>) -> Option<(Rest<'t>, Option<Dumped<'t>>)> {
    let Rest { text, line: first } = *rest;
    if text.is_empty() {
        return None;
    }
    let mut at = 0;
    let mut lines = (first..).zip(text.split_inclusive('\n')).peekable();
    while let Some((number, line)) = lines.next() {
        let before = Rest { text: &text[..at], line: first };
        at += line.len();
        let Some(ends) = ends(line).filter(|_| lines.peek().is_some_and(|next| is_second(next.1))) else { continue };
        let mut dumped = Dumped { line: number, ends, lines: Vec::new() };
        let mut next = number + 1;
        let mut start = at;
        while let Some((_, line)) = lines.next_if(|next| next.1.starts_with([' ', '\t'])) {
            if is_rest_of_key(line) && dumped.lines.last().is_some_and(|last| last.starts_with(['E', 'A'])) {
                dumped.lines.pop();
            } else {
                start = at;
            }
            at += line.len();
            next += 1;
            dumped.lines.push(text[start..at].trim());
        }
        *rest = Rest { text: &text[at..], line: next };
        return Some((before, Some(dumped)));
    }
    *rest = Rest { text: "", line: first };
    Some((Rest { text, line: first }, None))
}

/// The two addresses that a line consists of.
fn ends(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let ends = (words.next()?, words.next()?);
    let is_address = |word: &str| with_port(word).is_ok_and(|(address, _)| address.parse::<IpAddr>().is_ok());
    (words.next().is_none() && is_address(ends.0) && is_address(ends.1)).then_some(ends)
}

fn is_second(line: &str) -> bool {
    line.starts_with([' ', '\t']) && line.contains("mode=") && line.contains("spi=")
}

/// Whether a line continues a key: setkey prints 32 bytes a line.
fn is_rest_of_key(line: &str) -> bool {
    line.split_whitespace().all(|word| word.len() <= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What the lines of an SA say.
#[derive(Default)]
struct Properties<'t> {
    proto: &'t str,
    spi: &'t str,
    mode: &'t str,
    reqid: &'t str,
    replay: &'t str,
    flags: u32,
    state: &'t str,
    original: Option<&'t str>,
    encr: Option<&'t str>,
    auth: Option<&'t str>,
    limits: Vec<(String, &'t str)>,
}

/// Translates an SA.
pub(super) fn import(dumped: &Dumped<'_>, output: &mut Output<'_>) -> Result<(), Full> {
    let len = dumped.lines.iter().map(|line| line.len()).sum();
    output.sa(dumped.line, len, |writer, is_local| {
        let mut found = Properties::default();
        dumped.lines.iter().try_for_each(|line| found.read(line))?;
        if matches!(found.state, "larval" | "dead") {
            writer.note(format!("a {} SA is skipped", found.state));
            return Ok(SaStep::Nothing);
        }
        found.write(dumped.ends, writer, is_local).map(|()| SaStep::Other)
    })
}

impl<'t> Properties<'t> {
    fn read(&mut self, line: &'t str) -> Result<(), Untranslatable> {
        match line.split_whitespace().next().unwrap_or_default() {
            "" => {}
            "E:" => self.encr = Some(line[2..].trim()),
            "A:" => self.auth = Some(line[2..].trim()),
            "C:" => return Err("compression (C:) has no equivalent in a keys file".to_owned()),
            "NAT:" => self.original = line.split_whitespace().find_map(|word| word.strip_prefix("OAR=")),
            "diff:" => self.read_limits(line, "addtime"),
            "last:" => self.read_limits(line, "usetime"),
            "current:" => self.read_limits(line, "bytes"),
            // Times, and the number of flows, which Linux does not limit.
            "created:" | "allocated:" => {}
            "security" => return Err("security context has no equivalent: the SA would serve every label".to_owned()),
            _ if line.contains('=') => line.split_whitespace().try_for_each(|word| self.read_pair(word))?,
            word => {
                let known = ["esp", "ah", "ipcomp", "tcp", "esp-udp"];
                return Err(format!("unknown word {} in the output of setkey", cited(word, Expected::OneOf(&known))));
            }
        }
        Ok(())
    }

    /// `NAME=VALUE`, where the value is repeated in brackets after some; the first word is the protocol.
    fn read_pair(&mut self, word: &'t str) -> Result<(), Untranslatable> {
        let Some((name, value)) = word.split_once('=') else {
            self.proto = word;
            return Ok(());
        };
        let value = value.split_once('(').map_or(value, |(value, _)| value);
        match name {
            "mode" => self.mode = value,
            "spi" => self.spi = value,
            "reqid" => self.reqid = value,
            "replay" => self.replay = value,
            "state" => self.state = value,
            "flags" => {
                let digits = value.trim_start_matches("0x");
                self.flags = u32::from_str_radix(digits, 16).map_err(|_| "flags are no number".to_owned())?;
            }
            // Numbers of PF_KEY messages.
            "seq" | "sadb_seq" | "pid" | "refcnt" => {}
            _ => return Err("unknown property in the output of setkey".to_owned()),
        }
        Ok(())
    }

    /// `diff: 4(s) hard: 100(s) soft: 0(s)`.
    fn read_limits(&mut self, line: &'t str, what: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let kind = pair[0].trim_end_matches(':');
            let value = pair[1].split_once('(').map_or(pair[1], |(value, _)| value);
            if matches!(kind, "hard" | "soft") && value != "0" {
                self.limits.push((format!("{kind}_{what}"), value));
            }
        }
    }

    fn write(
        &self,
        ends: (&str, &str),
        writer: &mut CommandWriter,
        is_local: &dyn Fn(IpAddr) -> bool,
    ) -> Result<(), Untranslatable> {
        let sa_type = match self.proto {
            "esp" | "esp-udp" => "esp",
            "ah" => "ah",
            "ipcomp" => return Err("ipcomp (compression) has no equivalent in a keys file".to_owned()),
            "tcp" => return Err(super::add::TCP_MD5.to_owned()),
            _ => return Err("the protocol is not ah or esp".to_owned()),
        };
        let (src, dst) = (with_port(ends.0)?, with_port(ends.1)?);
        writer.set_label(label(sa_type, self.spi, dst.0));
        writer.begin(&format!("add {sa_type}"))?;
        writer.word("spi", self.spi)?;
        writer.word("src", src.0)?;
        writer.word("dst", dst.0)?;
        if self.proto == "esp-udp" {
            encapsulation(src.1, dst, writer, is_local)?;
            self.original.map_or(Ok(()), |original| writer.word("nat_rem", original))?;
        }
        // Mode `any` is the default.
        if self.mode == "tunnel" {
            writer.word("mode", "tunnel")?;
        }
        for (word, value) in [("reqid", self.reqid), ("replay", self.replay)] {
            if !matches!(value, "" | "0") {
                writer.word(word, value)?;
            }
        }
        self.write_flags(writer)?;
        self.limits.iter().try_for_each(|(word, value)| writer.word(word, value))?;
        for (role, table, algorithm) in [("encr", SETKEY_ENCR, self.encr), ("auth", SETKEY_AUTH, self.auth)] {
            algorithm.map_or(Ok(()), |algorithm| write_algorithm(role, table, algorithm, writer))?;
        }
        writer.require_key()?;
        writer.end()
    }

    /// Flags of PF_KEY: those of Linux (`SADB_SAFLAGS_*` in linux/pfkeyv2.h) and of FreeBSD (net/pfkeyv2.h).
    fn write_flags(&self, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
        const WORDS: &[(u32, &str)] = &[(0x8000_0000, "noecn"), (0x4000_0000, "decap-dscp"), (0x2000_0000, "nopmtudisc")];
        /// `SADB_X_EXT_ESN`.
        const ESN: u32 = 0x400;
        /// Padding, which the receiver does not look at.
        const PADDING: u32 = 0x300;
        let words: Vec<&str> = WORDS.iter().filter(|row| self.flags & row.0 != 0).map(|row| row.1).collect();
        if !words.is_empty() {
            writer.word("flag", &words.join(","))?;
        }
        if self.flags & ESN != 0 {
            writer.flag("esn")?;
        }
        let other = self.flags & !WORDS.iter().fold(ESN | PADDING, |known, row| known | row.0);
        if other != 0 {
            writer.lose(format!("flags={other:#x} have no equivalent in a keys file"));
        }
        Ok(())
    }
}

/// `aes-cbc  01234567 89abcdef`: a name and the key in groups of digits.
fn write_algorithm(
    role: &str,
    table: &[(&'static str, &'static str)],
    text: &str,
    writer: &mut CommandWriter,
) -> Result<(), Untranslatable> {
    let (theirs, digits) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if role == "auth" && matches!(theirs, "null" | "none") {
        return Ok(());
    }
    let name = name(table, theirs)?;
    write_name(role, name, writer)?;
    if name == "null" {
        return Ok(());
    }
    let mut key = Buffer::with_capacity(digits.len());
    digits.split_whitespace().try_for_each(|group| key.append(group.as_bytes())).map_err(|full| full.to_string())?;
    let key = std::str::from_utf8(&key).unwrap_or_default();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("the {role}key is missing or has other characters than hexadecimal digits"));
    }
    writer.hex_key(&format!("{role}key"), key)
}

#[cfg(test)]
mod tests {
    use crate::convert::ImportFormat;
    use crate::convert::import::testing::lost;

    #[test]
    fn the_output_of_setkey_is_imported() {
        let text = "192.0.2.2[4501] 192.0.2.1[4500] \n\tesp-udp mode=tunnel spi=4097(0x00001001) reqid=7(0x00000007)\n\
                    \tE: aes-cbc  01234567 89abcdef 01234567 89abcdef\n\tA: hmac-sha1  01234567 89abcdef 01234567 89abcdef 01234567\n\
                    \tseq=0x00000000 replay=4 flags=0x00000000 state=mature \n\
                    \tcreated: Nov 25 23:37:46 2026\tcurrent: Nov 25 23:37:50 2026\n\tdiff: 4(s)\thard: 3600(s)\tsoft: 0(s)\n\
                    \tlast:                     \thard: 0(s)\tsoft: 0(s)\n\tcurrent: 0(bytes)\thard: 0(bytes)\tsoft: 1000(bytes)\n\
                    \tallocated: 0\thard: 0\tsoft: 0\n\tsadb_seq=1 pid=1234 refcnt=0\n\
                    192.0.2.1 192.0.2.2 \n\tipcomp mode=transport spi=5(0x00000005) reqid=0(0x00000000)\n\tC: deflate  \n";
        let (keys, lost) = lost(ImportFormat::Setkey, text);
        assert_eq!(
            keys,
            "add esp spi 4097 src 192.0.2.2 dst 192.0.2.1 encap udp nat_lport 4500 nat_rport 4501 mode tunnel reqid 7 replay 4 \
             hard_addtime 3600 soft_bytes 1000 encr_alg aes-cbc \\\n    encrkey 0123456789abcdef0123456789abcdef auth_alg hmac-sha1 \
             \\\n    authkey 0123456789abcdef0123456789abcdef01234567\n"
        );
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert!(lost[0].contains("compression"), "{lost:?}");
    }

    /// setkey prints 32 bytes of a key in a line (recorded from ipsec-tools with a Linux kernel).
    #[test]
    fn keys_of_several_lines_are_whole() {
        let key = "0f1e2d3c 4b5a6978 8796a5b4 c3d2e1f0";
        let text = format!(
            "10.0.0.1 10.0.0.2 \n\tesp mode=transport spi=4099(0x00001003) reqid=0(0x00000000)\n\tA: hmac-sha384  {key} {key}\n {key}\n\
             \tseq=0x00000000 replay=0 flags=0x00000000 state=mature \n"
        );
        let (keys, lost) = lost(ImportFormat::Setkey, &text);
        assert!(lost.is_empty(), "{lost:?}");
        let digits = key.replace(' ', "");
        assert!(keys.ends_with(&format!("authkey {digits}{digits}{digits}\n")), "{keys}");
    }
}
