//! OpenBSD's ipsec.conf(5), manual keying: `esp [MODE] [proto N] from SRC to DST spi N[:N] [auth A] [enc E] authkey K[:K] enckey K[:K]`.
//!
//! A second SPI and key behind a colon are those of the way back.

use super::import::{Cursor, Draft, Lost};
use super::names::{OPENBSD_AUTH, OPENBSD_ENCR, ours};
use super::statements::{Statement, Word};

/// A statement, the two directions side by side.
struct Rule<'t> {
    sa_type: &'t str,
    mode: &'t str,
    src: &'t str,
    dst: &'t str,
    spi: &'t str,
    auth: &'t str,
    encr: Option<&'t str>,
    authkey: Option<&'t str>,
    enckey: Option<&'t str>,
}

/// Reads one statement.
pub(super) fn read(statement: &Statement<'_>, draft: &mut Draft) -> Result<(), Lost> {
    let mut words = Cursor::new(statement);
    let sa_type = match words.next().map(|word| word.text) {
        Some(word @ ("esp" | "ah")) => word,
        Some("flow") => {
            draft.note("a flow is a policy, not an SA: left out");
            return Ok(());
        }
        Some("ike") => return Err("keys that IKE negotiates have no counterpart in a keys file".to_owned()),
        _ => return Err("not an SA of ipsec.conf(5): macros and includes must be written out".to_owned()),
    };
    let mut rule = Rule {
        sa_type,
        mode: "tunnel",
        src: "",
        dst: "",
        spi: "",
        auth: "hmac-sha2-256",
        encr: None,
        authkey: None,
        enckey: None,
    };
    while let Some(word) = words.next() {
        rule.option(word.text, &mut words)?;
    }
    if rule.src.is_empty() || rule.dst.is_empty() || rule.spi.is_empty() {
        return Err("from, to or spi is missing".to_owned());
    }
    rule.write(draft, false)?;
    if rule.spi.contains(':') { rule.write(draft, true) } else { Ok(()) }
}

impl<'t> Rule<'t> {
    fn option(&mut self, word: &'t str, words: &mut Cursor<'_, 't>) -> Result<(), Lost> {
        match word {
            "transport" | "tunnel" => self.mode = word,
            "from" => self.src = words.value(word)?.text,
            "to" => self.dst = words.value(word)?.text,
            "spi" => self.spi = words.value(word)?.text,
            "auth" => self.auth = words.value(word)?.text,
            "enc" => self.encr = Some(words.value(word)?.text),
            "authkey" => self.authkey = Some(key(words.value(word)?)?),
            "enckey" => self.enckey = Some(key(words.value(word)?)?),
            _ => return Err("a word that manual keying in ipsec.conf(5) does not have".to_owned()),
        }
        Ok(())
    }

    fn write(&self, draft: &mut Draft, back: bool) -> Result<(), Lost> {
        let (src, dst) = if back { (self.dst, self.src) } else { (self.src, self.dst) };
        draft.begin(&format!("add {}", self.sa_type))?;
        draft.word("spi", half(self.spi, back))?;
        draft.word("src", src)?;
        draft.word("dst", dst)?;
        if self.mode == "tunnel" {
            draft.word("mode", "tunnel")?;
        }
        if self.sa_type == "esp" {
            let theirs = self.encr.unwrap_or("aes");
            let name = ours(OPENBSD_ENCR, theirs).ok_or("a cipher that is not known here")?;
            draft.word("encr_alg", name)?;
            if let Some(key) = self.enckey {
                draft.key("encrkey", Word { text: half(key, back), quoted: false })?;
            }
        }
        if let Some(key) = self.authkey {
            let name = ours(OPENBSD_AUTH, self.auth).ok_or("an authentication algorithm that is not known here")?;
            draft.word("auth_alg", name)?;
            draft.key("authkey", Word { text: half(key, back), quoted: false })?;
        }
        draft.end()
    }
}

/// A key in hexadecimal digits. One in a file of its own is left to its owner.
fn key(word: Word<'_>) -> Result<&str, Lost> {
    if word.text == "file" {
        return Err("a key in a file of its own: put its digits in first".to_owned());
    }
    if !word.text.starts_with("0x") {
        return Err("a key that does not begin with 0x".to_owned());
    }
    Ok(word.text)
}

/// The part in front of the colon, or the one behind it.
fn half(pair: &str, back: bool) -> &str {
    match pair.split_once(':') {
        Some((_, second)) if back => second,
        Some((first, _)) => first,
        None => pair,
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::Source;
    use crate::convert::import::testing::imported;

    #[test]
    fn both_directions_of_one_line() {
        let text = "esp transport from 192.0.2.1 to 192.0.2.2 spi 0x1000:0x1001 auth hmac-sha2-256 enc aes \\\n  \
                    authkey 0x01:0x02 enckey 0x03:0x04\nflow esp from 10.1.0.0/16 to 10.2.0.0/16\nah from a to b spi 5 authkey file \"k\"";
        let (keys, notes) = imported(Source::IpsecConf, text);
        assert_eq!(
            keys,
            "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encr_alg aes-cbc \\\n    encrkey 03 auth_alg hmac-sha256 \\\n    authkey 01\n\
             add esp spi 0x1001 src 192.0.2.2 dst 192.0.2.1 encr_alg aes-cbc \\\n    encrkey 04 auth_alg hmac-sha256 \\\n    authkey 02\n"
        );
        assert_eq!(notes.iter().map(|note| note.0).collect::<Vec<_>>(), [3, 4]);
    }
}
