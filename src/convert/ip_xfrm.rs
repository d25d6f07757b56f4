//! ip-xfrm(8): `ip xfrm state add ID ...` in a script or for `ip -batch`, and what `ip xfrm state` prints.

use super::import::{Cursor, Draft, Lost};
use super::names::{XFRM_SHORT, ours};
use super::statements::{Statement, Word};
use crate::names::algorithms::{AUTH, ENCR};
use crate::names::linux;

/// Reads one statement.
pub(super) fn read(statement: &Statement<'_>, draft: &mut Draft) -> Result<(), Lost> {
    let mut words = Cursor::new(statement);
    while words.peek().is_some_and(|word| word == "ip" || word.starts_with('-')) {
        words.skip(1);
    }
    if words.peek() != Some("xfrm") {
        // What `ip xfrm state` prints begins with the addresses.
        return match words.peek() {
            Some("src") => add(&mut words, draft),
            _ => Err("not a command of ip-xfrm(8)".to_owned()),
        };
    }
    words.skip(1);
    let object = words.value("xfrm")?.text;
    let verb = words.value("what follows xfrm")?.text;
    match (object, verb) {
        ("state", "add" | "update") => add(&mut words, draft),
        ("state", "delete" | "del") => delete(&mut words, draft),
        ("state", "flush") => flush(&mut words, draft),
        ("policy", _) => {
            draft.note("a policy, not an SA: leave it to `ip xfrm policy`");
            Ok(())
        }
        _ => Err("neither adds nor removes an SA".to_owned()),
    }
}

fn flush(words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    draft.begin("flush")?;
    if words.peek() == Some("proto") {
        words.skip(1);
        let proto = words.value("proto")?.text;
        draft.flag(proto)?;
    }
    draft.end()
}

/// What was read of an SA.
#[derive(Default)]
struct State<'t> {
    src: &'t str,
    dst: &'t str,
    proto: &'t str,
    spi: &'t str,
    /// Keywords of ours with values that are no keys.
    words: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
    auth: Option<(&'static str, Word<'t>)>,
    encr: Option<(&'static str, Option<Word<'t>>)>,
    encap: Option<(&'t str, &'t str)>,
}

fn delete(words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    let state = state(words, draft)?;
    draft.begin(&format!("delete {}", state.proto))?;
    draft.word("spi", state.spi)?;
    draft.word("dst", state.dst)?;
    draft.end()
}

fn add(words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    let state = state(words, draft)?;
    if !matches!(state.proto, "esp" | "ah") {
        return Err("neither ah nor esp: other states have no counterpart in a keys file".to_owned());
    }
    draft.begin(&format!("add {}", state.proto))?;
    draft.word("spi", state.spi)?;
    draft.word("src", state.src)?;
    draft.word("dst", state.dst)?;
    state.words.iter().try_for_each(|(keyword, value)| draft.word(keyword, value))?;
    state.flags.iter().try_for_each(|flag| draft.flag(flag))?;
    if let Some((sport, dport)) = state.encap {
        draft.word("encap", "udp")?;
        draft.word("nat_lport", sport)?;
        draft.word("nat_rport", dport)?;
    }
    if let Some((name, key)) = state.encr {
        draft.word("encr_alg", name)?;
        key.map_or(Ok(()), |key| draft.key("encrkey", key))?;
    }
    if let Some((name, key)) = state.auth {
        draft.word("auth_alg", name)?;
        draft.key("authkey", key)?;
    }
    draft.end()
}

fn state<'t>(words: &mut Cursor<'_, 't>, draft: &mut Draft) -> Result<State<'t>, Lost> {
    let mut state = State::default();
    while let Some(word) = words.next() {
        state.option(word.text, words, draft)?;
    }
    if state.dst.is_empty() || state.spi.is_empty() {
        return Err("dst or spi is missing".to_owned());
    }
    Ok(state)
}

/// Words whose value is the same here under this name.
const SAME: &[(&str, &str)] = &[("reqid", "reqid"), ("mode", "mode"), ("if_id", "if_id"), ("tfcpad", "tfcpad")];

/// Limits.
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

impl<'t> State<'t> {
    fn option(&mut self, word: &str, words: &mut Cursor<'_, 't>, draft: &mut Draft) -> Result<(), Lost> {
        if let Some((_, keyword)) = SAME.iter().find(|row| row.0 == word) {
            let value = words.value(word)?.text;
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
            // Of what is printed: state that a new SA has not. `0x` flags in brackets follow some numbers.
            "anti-replay" => self.replay_context(words)?,
            "lifetime" | "esn-window" => words.skip_to(&["sel"]),
            "offload" => return Err("offload is written differently here: `offload DEVICE`, or offload-packet".to_owned()),
            "comp" => return Err("compression has no counterpart in a keys file".to_owned()),
            _ if word.starts_with('(') => {}
            _ => draft.note("a word that is not known here is left out"),
        }
        Ok(())
    }

    fn number(&mut self, keyword: &'static str, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let value = words.value(keyword)?.text;
        if value != "0" {
            self.words.push((keyword, value.to_owned()));
        }
        Ok(())
    }

    /// Counters, which a new SA has not, and among them the window of SAs with extended sequence numbers.
    fn replay_context(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
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

    /// `mark VALUE mask MASK` as typed, `mark VALUE/MASK` as printed.
    fn mark(&mut self, keyword: &'static str, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let mut mark = words.value(keyword)?.text.to_owned();
        if words.peek() == Some("mask") {
            words.skip(1);
            mark = format!("{mark}/{}", words.value("mask")?.text);
        }
        self.words.push((keyword, mark));
        Ok(())
    }

    fn flag(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let mut flags = Vec::new();
        while let Some((_, flag)) = linux::FLAGS.iter().find(|row| words.peek() == Some(row.1)) {
            words.skip(1);
            flags.push(*flag);
        }
        if flags.is_empty() {
            return Err("a flag that is not known here".to_owned());
        }
        self.words.push(("flag", flags.join(",")));
        Ok(())
    }

    fn authentication(&mut self, word: &str, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let name = kernel_name(words.value(word)?.text);
        let row = AUTH.iter().find(|row| row.xfrm == name).ok_or("an authentication algorithm that is not known here")?;
        self.auth = Some((row.names[0], words.value("a key")?));
        let bits = if word == "auth-trunc" { words.value("the length")?.text } else { default_bits(row.xfrm) };
        if bits != row.icv_bits.to_string() {
            self.words.push(("icv", bits.to_owned()));
        }
        Ok(())
    }

    fn cipher(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let name = kernel_name(words.value("enc")?.text);
        let row = ENCR.iter().find(|row| row.xfrm == name && !row.is_combined()).ok_or("a cipher that is not known here")?;
        // The null cipher has an empty key, which is printed as nothing at all.
        let has_none = row.xfrm == "ecb(cipher_null)";
        if has_none && words.peek().is_some_and(|next| next.is_empty() || next == "0x") {
            words.skip(1);
        }
        self.encr = Some((row.names[0], if has_none { None } else { Some(words.value("a key")?) }));
        Ok(())
    }

    fn aead(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let name = words.value("aead")?.text;
        let key = words.value("a key")?;
        let bits = words.value("the length")?.text;
        let fits = |row: &&crate::names::algorithms::Encr| row.xfrm == name && row.icv_bits.to_string() == bits;
        let row = ENCR.iter().find(fits).ok_or("a combined cipher that is not known here")?;
        self.encr = Some((row.names[0], Some(key)));
        Ok(())
    }

    /// `encap espinudp SPORT DPORT OADDR` as typed, `encap type espinudp sport N dport N addr A` as printed.
    fn encapsulation(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let mut value = |of: &str| {
            while words.peek().is_some_and(|word| matches!(word, "type" | "sport" | "dport" | "addr")) {
                words.skip(1);
            }
            words.value(of)
        };
        if value("encap")?.text != "espinudp" {
            return Err("an encapsulation that is not espinudp".to_owned());
        }
        let (sport, dport) = (value("the source port")?.text, value("the destination port")?.text);
        let _ = value("the original address")?;
        self.encap = Some((sport, dport));
        Ok(())
    }

    /// A selector that lets everything through says nothing.
    fn selector(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
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

    fn limit(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        let word = words.value("limit")?.text;
        let (_, keyword) = LIMITS.iter().find(|row| row.0 == word).ok_or("a limit that is not known here")?;
        self.number(keyword, words)
    }
}

/// The kernel's name for what may be a short one.
fn kernel_name(name: &str) -> &str {
    ours(XFRM_SHORT, name).unwrap_or(name)
}

/// Length of the check value that the kernel takes where `auth` does not say it (`net/xfrm/xfrm_algo.c`).
fn default_bits(xfrm: &str) -> &'static str {
    match xfrm {
        "hmac(sha384)" => "192",
        "hmac(sha512)" => "256",
        _ => "96",
    }
}

impl Cursor<'_, '_> {
    /// Passes over everything in front of one of `words`.
    fn skip_to(&mut self, words: &[&str]) {
        while self.peek().is_some_and(|next| !words.contains(&next)) {
            self.skip(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::Source;
    use crate::convert::import::testing::imported;

    #[test]
    fn a_script() {
        let text = "# c\nip xfrm state flush\nip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel reqid 7 \\\n  \
                    replay-window 32 flag esn auth-trunc 'hmac(sha256)' 0x00ff 128 enc aes 0x0102 sel src 10.1.0.0/16 dst 0.0.0.0/0 \\\n  \
                    limit time-hard 60\nip xfrm policy add dir out\n";
        let (keys, notes) = imported(Source::IpXfrm, text);
        assert_eq!(
            keys,
            "flush\nadd esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 mode tunnel reqid 7 replay 32 flag esn isrc 10.1.0.0/16 \
             hard_addtime 60 encr_alg aes-cbc \\\n    encrkey 0102 auth_alg hmac-sha256 \\\n    authkey 00ff\n"
        );
        assert_eq!(notes.len(), 1, "{notes:?}");
    }

    #[test]
    fn what_it_prints() {
        let text = "src 2001:db8::1 dst 2001:db8::2\n\tproto esp spi 0x00001000 reqid 0 mode transport\n\treplay-window 0 flag esn\n\
                    \taead rfc4106(gcm(aes)) 0x00ff 128\n\tencap type espinudp sport 4500 dport 4501 addr ::\n\
                    \tanti-replay esn context:\n\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x0\n\t replay_window 64, bitmap-length 2\n\
                    \t 00000000 00000000 \n\tsel src ::/0 dst ::/0 \n\
                    src 192.0.2.1 dst 192.0.2.2\n\tproto ah spi 0x00001001 reqid 0 mode transport\n\tauth hmac(sha256) 0x01\n\
                    \tanti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000\n";
        let (keys, notes) = imported(Source::IpXfrm, text);
        assert_eq!(
            keys,
            "add esp spi 0x00001000 src 2001:db8::1 dst 2001:db8::2 flag esn replay 64 encap udp nat_lport 4500 nat_rport 4501 encr_alg aes-gcm \
             \\\n    encrkey 00ff\nadd ah spi 0x00001001 src 192.0.2.1 dst 192.0.2.2 icv 96 auth_alg hmac-sha256 \\\n    authkey 01\n"
        );
        assert_eq!(notes, []);
    }
}
