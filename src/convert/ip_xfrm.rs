//! ip-xfrm(8): `ip xfrm state add ID ...` in a script or for `ip -batch`, and the output of `ip xfrm state`.

use super::names::{XFRM_SHORT, ours};
use super::statements::{Statement, Token};
use super::writer::{CommandWriter, Cursor, Untranslatable};
use crate::names::algorithms::{AUTH, ENCR};
use crate::names::linux;

pub(super) fn translate(statement: &Statement<'_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let mut words = Cursor::new(statement);
    // A script has `ip`, a batch file has not; options such as -6 may follow.
    while words.peek().is_some_and(|word| word == "ip" || word.starts_with('-')) {
        words.skip(1);
    }
    if words.peek() != Some("xfrm") {
        // The output of `ip xfrm state` begins with the addresses.
        return match words.peek() {
            Some("src") => add(&mut words, writer),
            _ => Err("not an ip-xfrm(8) command".to_owned()),
        };
    }
    words.skip(1);
    let object = words.value("xfrm")?.text;
    let verb = words.value("the command after xfrm")?.text;
    match (object, verb) {
        ("state", "add" | "update") => add(&mut words, writer),
        ("state", "delete" | "del") => delete(&mut words, writer),
        ("state", "flush") => flush(&mut words, writer),
        ("policy", _) => {
            writer.note("a policy, not an SA: use `ip xfrm policy`");
            Ok(())
        }
        _ => Err("does not add or delete an SA".to_owned()),
    }
}

fn flush(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    writer.begin("flush")?;
    if words.peek() == Some("proto") {
        words.skip(1);
        let proto = words.value("proto")?.text;
        writer.flag(proto)?;
    }
    writer.end()
}

/// The options of an SA.
#[derive(Default)]
struct XfrmState<'t> {
    src: &'t str,
    dst: &'t str,
    proto: &'t str,
    spi: &'t str,
    /// Keywords of a keys file with values that are not keys.
    words: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
    auth: Option<(&'static str, Token<'t>)>,
    encr: Option<(&'static str, Option<Token<'t>>)>,
    encap: Option<(&'t str, &'t str)>,
}

fn delete(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let state = state(words, writer)?;
    writer.begin(&format!("delete {}", state.proto))?;
    writer.word("spi", state.spi)?;
    writer.word("dst", state.dst)?;
    writer.end()
}

fn add(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let state = state(words, writer)?;
    if !matches!(state.proto, "esp" | "ah") {
        return Err("not ah or esp: other states have no equivalent in a keys file".to_owned());
    }
    // The order is that of `save`: identity, properties, keys.
    writer.begin(&format!("add {}", state.proto))?;
    writer.word("spi", state.spi)?;
    writer.word("src", state.src)?;
    writer.word("dst", state.dst)?;
    state.words.iter().try_for_each(|(keyword, value)| writer.word(keyword, value))?;
    state.flags.iter().try_for_each(|flag| writer.flag(flag))?;
    if let Some((sport, dport)) = state.encap {
        writer.word("encap", "udp")?;
        writer.word("nat_lport", sport)?;
        writer.word("nat_rport", dport)?;
    }
    // Keys last, each on its own line, so that the rest is easy to read.
    if let Some((name, key)) = state.encr {
        writer.word("encr_alg", name)?;
        key.map_or(Ok(()), |key| writer.key("encrkey", key))?;
    }
    if let Some((name, key)) = state.auth {
        writer.word("auth_alg", name)?;
        writer.key("authkey", key)?;
    }
    writer.end()
}

fn state<'t>(words: &mut Cursor<'_, 't>, writer: &mut CommandWriter) -> Result<XfrmState<'t>, Untranslatable> {
    let mut state = XfrmState::default();
    while let Some(word) = words.next() {
        state.option(word.text, words, writer)?;
    }
    // The source may be missing: it is not part of the identity.
    if state.dst.is_empty() || state.spi.is_empty() {
        return Err("dst or spi is missing".to_owned());
    }
    Ok(state)
}

/// Options whose value is the same in a keys file, and the keyword.
const SAME: &[(&str, &str)] = &[("reqid", "reqid"), ("mode", "mode"), ("if_id", "if_id"), ("tfcpad", "tfcpad")];

/// Limits, and the keywords.
const LIMITS: &[(&str, &str)] = &[
    ("time-soft", "soft_addtime"),
    ("time-hard", "hard_addtime"),
    ("time-use-soft", "soft_usetime"),
    ("time-use-hard", "hard_usetime"),
    ("byte-soft", "soft_bytes"),
    ("byte-hard", "hard_bytes"),
    ("packet-soft", "soft_packets"),
    ("packet-hard", "hard_packets"),
];

impl<'t> XfrmState<'t> {
    fn option(&mut self, word: &str, words: &mut Cursor<'_, 't>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
        if let Some((_, keyword)) = SAME.iter().find(|row| row.0 == word) {
            let value = words.value(word)?.text;
            // The defaults of the kernel, which its output always contains.
            if !(value == "0" || value == "transport") {
                self.words.push((keyword, value.to_owned()));
            }
            return Ok(());
        }
        match word {
            "src" => self.src = words.value(word)?.text,
            "dst" => self.dst = words.value(word)?.text,
            "proto" => self.proto = words.value(word)?.text,
            "spi" => self.spi = words.value(word)?.text,
            "replay-window" => self.number("replay", words)?,
            "replay-oseq" | "replay-seq" | "seq" | "extra-flag" => words.skip(1),
            "mark" => self.mark("mark", words)?,
            "output-mark" => self.mark("output-mark", words)?,
            "dir" => match words.value(word)?.text {
                "in" => self.flags.push("inbound"),
                _ => self.flags.push("outbound"),
            },
            "flag" => self.flag(words)?,
            "auth" | "auth-trunc" => self.authentication(word, words)?,
            "enc" => self.cipher(words)?,
            "aead" => self.aead(words)?,
            "encap" => self.encapsulation(words)?,
            "sel" => self.selector(words)?,
            "limit" => self.limit(words)?,
            // From the output of `ip xfrm state`: counters that a new SA does not have. Flags in brackets follow some numbers.
            "anti-replay" => self.replay_context(words)?,
            "lifetime" | "esn-window" => words.skip_to(&["sel"]),
            "offload" => {
                return Err(
                    "offload has another syntax in a keys file: `offload DEVICE` or `offload-packet DEVICE`".to_owned()
                );
            }
            "comp" => return Err("compression has no equivalent in a keys file".to_owned()),
            // `0x00000000 (0x00000000)`: the output repeats some numbers in brackets.
            _ if word.starts_with('(') => {}
            _ => writer.note("an unknown word is ignored"),
        }
        Ok(())
    }

    fn number(&mut self, keyword: &'static str, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let value = words.value(keyword)?.text;
        if value != "0" {
            self.words.push((keyword, value.to_owned()));
        }
        Ok(())
    }

    /// Skips the counters, but takes the anti-replay window of an SA with ESN from among them.
    fn replay_context(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        words.skip_to(&["sel", "lifetime", "offload", "replay_window"]);
        if words.peek() == Some("replay_window") {
            words.skip(1);
            let window = words.value("replay_window")?.text.trim_end_matches(',');
            if window != "0" {
                self.words.push(("replay", window.to_owned()));
            }
            words.skip_to(&["sel", "lifetime", "offload"]);
        }
        Ok(())
    }

    /// `mark VALUE mask MASK` in a command, `mark VALUE/MASK` in output.
    fn mark(&mut self, keyword: &'static str, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let mut mark = words.value(keyword)?.text.to_owned();
        // Without a mask, all bits of the mark count in both languages.
        if words.peek() == Some("mask") {
            words.skip(1);
            mark = format!("{mark}/{}", words.value("mask")?.text);
        }
        self.words.push((keyword, mark));
        Ok(())
    }

    fn flag(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let mut flags = Vec::new();
        while let Some((_, flag)) = linux::FLAGS.iter().find(|row| words.peek() == Some(row.1)) {
            words.skip(1);
            flags.push(*flag);
        }
        if flags.is_empty() {
            return Err("unknown flag".to_owned());
        }
        self.words.push(("flag", flags.join(",")));
        Ok(())
    }

    fn authentication(&mut self, word: &str, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let name = kernel_name(words.value(word)?.text);
        // Numbers of algorithms differ between systems, names in the kernel do not.
        let row = AUTH.iter().find(|row| row.xfrm == name).ok_or("unknown authentication algorithm")?;
        self.auth = Some((row.names[0], words.value("a key")?));
        // A plain `auth` of SHA-256 has 96 bits in the kernel, not the 128 of RFC 4868.
        let bits = if word == "auth-trunc" { words.value("the length")?.text } else { default_bits(row.xfrm) };
        if bits != row.icv_bits.to_string() {
            self.words.push(("icv", bits.to_owned()));
        }
        Ok(())
    }

    fn cipher(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let name = kernel_name(words.value("enc")?.text);
        let row = ENCR.iter().find(|row| row.xfrm == name && !row.is_combined()).ok_or("unknown cipher")?;
        // The empty key of the null cipher is `""` or `0x` in a command, and missing in output.
        let has_none = row.xfrm == "ecb(cipher_null)";
        if has_none && words.peek().is_some_and(|next| next.is_empty() || next == "0x") {
            words.skip(1);
        }
        self.encr = Some((row.names[0], if has_none { None } else { Some(words.value("a key")?) }));
        Ok(())
    }

    fn aead(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        // The name in the kernel and the ICV length select an algorithm together.
        let name = words.value("aead")?.text;
        let key = words.value("a key")?;
        let bits = words.value("the length")?.text;
        let fits = |row: &&crate::names::algorithms::Encr| row.xfrm == name && row.icv_bits.to_string() == bits;
        let row = ENCR.iter().find(fits).ok_or("unknown combined cipher")?;
        self.encr = Some((row.names[0], Some(key)));
        Ok(())
    }

    /// `encap espinudp SPORT DPORT OADDR` in a command, `encap type espinudp sport N dport N addr A` in output.
    fn encapsulation(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let mut value = |of: &str| {
            while words.peek().is_some_and(|word| matches!(word, "type" | "sport" | "dport" | "addr")) {
                words.skip(1);
            }
            words.value(of)
        };
        if value("encap")?.text != "espinudp" {
            return Err("unsupported encapsulation: only espinudp is supported".to_owned());
        }
        let (sport, dport) = (value("the source port")?.text, value("the destination port")?.text);
        // The original address is for checksums in transport mode, which a keys file does not have.
        let _ = value("the original address")?;
        self.encap = Some((sport, dport));
        Ok(())
    }

    /// A selector that matches every packet is the default and is not written.
    fn selector(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        const WORDS: &[(&str, &str)] =
            &[("src", "isrc"), ("dst", "idst"), ("proto", "iproto"), ("sport", "isport"), ("dport", "idport")];
        while let Some((_, keyword)) = WORDS.iter().find(|row| words.peek() == Some(row.0)) {
            words.skip(1);
            let value = words.value(keyword)?.text;
            if !matches!(value, "0.0.0.0/0" | "::/0" | "0/0" | "any" | "default") {
                self.words.push((keyword, value.to_owned()));
            }
        }
        Ok(())
    }

    fn limit(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        let word = words.value("limit")?.text;
        let (_, keyword) = LIMITS.iter().find(|row| row.0 == word).ok_or("unknown limit")?;
        self.number(keyword, words)
    }
}

/// The name in the kernel of an algorithm that may be a short name of ip-xfrm(8).
fn kernel_name(name: &str) -> &str {
    ours(XFRM_SHORT, name).unwrap_or(name)
}

/// The ICV length in bits that the kernel uses for `auth`, which does not specify one (`net/xfrm/xfrm_algo.c`).
fn default_bits(xfrm: &str) -> &'static str {
    match xfrm {
        "hmac(sha384)" => "192",
        "hmac(sha512)" => "256",
        _ => "96",
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::ImportFormat;
    use crate::convert::import::testing::imported;

    #[test]
    fn translate_imports_a_script() {
        let text = "# c\nip xfrm state flush\nip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel reqid 7 \\\n  \
                    replay-window 32 flag esn auth-trunc 'hmac(sha256)' 0x00ff 128 enc aes 0x0102 sel src 10.1.0.0/16 dst 0.0.0.0/0 \\\n  \
                    limit time-hard 60\nip xfrm policy add dir out\n";
        let (keys, notes) = imported(ImportFormat::IpXfrm, text);
        assert_eq!(
            keys,
            "flush\nadd esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 mode tunnel reqid 7 replay 32 flag esn isrc 10.1.0.0/16 \
             hard_addtime 60 encr_alg aes-cbc \\\n    encrkey 0102 auth_alg hmac-sha256 \\\n    authkey 00ff\n"
        );
        assert_eq!(notes.len(), 1, "{notes:?}");
    }

    #[test]
    fn translate_imports_the_output_of_ip_xfrm_state() {
        let text = "src 2001:db8::1 dst 2001:db8::2\n\tproto esp spi 0x00001000 reqid 0 mode transport\n\treplay-window 0 flag esn\n\
                    \taead rfc4106(gcm(aes)) 0x00ff 128\n\tencap type espinudp sport 4500 dport 4501 addr ::\n\
                    \tanti-replay esn context:\n\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x0\n\t replay_window 64, bitmap-length 2\n\
                    \t 00000000 00000000 \n\tsel src ::/0 dst ::/0 \n\
                    src 192.0.2.1 dst 192.0.2.2\n\tproto ah spi 0x00001001 reqid 0 mode transport\n\tauth hmac(sha256) 0x01\n\
                    \tanti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000\n";
        let (keys, notes) = imported(ImportFormat::IpXfrm, text);
        assert_eq!(
            keys,
            "add esp spi 0x00001000 src 2001:db8::1 dst 2001:db8::2 flag esn replay 64 encap udp nat_lport 4500 nat_rport 4501 encr_alg aes-gcm \
             \\\n    encrkey 00ff\nadd ah spi 0x00001001 src 192.0.2.1 dst 192.0.2.2 icv 96 auth_alg hmac-sha256 \\\n    authkey 01\n"
        );
        assert_eq!(notes, []);
    }
}
