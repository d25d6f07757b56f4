//! OpenBSD's ipsec.conf(5), manual keying: `esp [MODE] [proto N] from SRC to DST spi N[:N] [auth A] [enc E] authkey K[:K] enckey K[:K]`.
//!
//! A second SPI and key after a colon are those of the opposite direction.

use super::names::{OPENBSD_AUTH, OPENBSD_ENCR, ours};
use super::statements::{Statement, Token};
use super::writer::{CommandWriter, Cursor, Untranslatable};

/// A statement, which may define both directions.
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

pub(super) fn translate(statement: &Statement<'_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let mut words = Cursor::new(statement);
    let sa_type = match words.next().map(|word| word.text) {
        Some(word @ ("esp" | "ah")) => word,
        Some("flow") => {
            writer.note("a flow is a policy, not an SA, and is ignored");
            return Ok(());
        }
        Some("ike") => return Err("keys negotiated by IKE have no equivalent in a keys file".to_owned()),
        _ => return Err("not an ipsec.conf(5) SA: expand macros and includes first".to_owned()),
    };
    let mut rule = Rule {
        sa_type,
        // The defaults of ipsec.conf(5).
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
    rule.write(writer, false)?;
    if rule.spi.contains(':') { rule.write(writer, true) } else { Ok(()) }
}

impl<'t> Rule<'t> {
    fn option(&mut self, word: &'t str, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        match word {
            "transport" | "tunnel" => self.mode = word,
            "from" => self.src = words.value(word)?.text,
            "to" => self.dst = words.value(word)?.text,
            "spi" => self.spi = words.value(word)?.text,
            "auth" => self.auth = words.value(word)?.text,
            "enc" => self.encr = Some(words.value(word)?.text),
            "authkey" => self.authkey = Some(key(words.value(word)?)?),
            "enckey" => self.enckey = Some(key(words.value(word)?)?),
            _ => return Err("unknown word for manual keying in ipsec.conf(5)".to_owned()),
        }
        Ok(())
    }

    fn write(&self, writer: &mut CommandWriter, back: bool) -> Result<(), Untranslatable> {
        let (src, dst) = if back { (self.dst, self.src) } else { (self.src, self.dst) };
        writer.begin(&format!("add {}", self.sa_type))?;
        writer.word("spi", half(self.spi, back))?;
        writer.word("src", src)?;
        writer.word("dst", dst)?;
        // Transport is the default of a keys file, tunnel that of ipsec.conf(5).
        if self.mode == "tunnel" {
            writer.word("mode", "tunnel")?;
        }
        if self.sa_type == "esp" {
            // The default cipher of ipsec.conf(5).
            let theirs = self.encr.unwrap_or("aes");
            let name = ours(OPENBSD_ENCR, theirs).ok_or("unknown cipher")?;
            writer.word("encr_alg", name)?;
            if let Some(key) = self.enckey {
                writer.key("encrkey", Token { text: half(key, back), quoted: false })?;
            }
        }
        if let Some(key) = self.authkey {
            let name = ours(OPENBSD_AUTH, self.auth).ok_or("unknown authentication algorithm")?;
            writer.word("auth_alg", name)?;
            writer.key("authkey", Token { text: half(key, back), quoted: false })?;
        }
        writer.end()
    }
}

/// Checks that a key is in hexadecimal digits. A key in another file is not read: import sees one file only.
fn key(word: Token<'_>) -> Result<&str, Untranslatable> {
    if word.text == "file" {
        return Err("the key is in another file: replace the file name by its digits first".to_owned());
    }
    if !word.text.starts_with("0x") {
        return Err("the key does not begin with 0x".to_owned());
    }
    Ok(word.text)
}

/// The part before the colon, or with `back` the part after it.
fn half(pair: &str, back: bool) -> &str {
    match pair.split_once(':') {
        Some((_, second)) if back => second,
        Some((first, _)) => first,
        None => pair,
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::ImportFormat;
    use crate::convert::import::testing::imported;

    #[test]
    fn translate_imports_both_directions_of_a_statement() {
        let text = "esp transport from 192.0.2.1 to 192.0.2.2 spi 0x1000:0x1001 auth hmac-sha2-256 enc aes \\\n  \
                    authkey 0x01:0x02 enckey 0x03:0x04\nflow esp from 10.1.0.0/16 to 10.2.0.0/16\nah from a to b spi 5 authkey file \"k\"";
        let (keys, notes) = imported(ImportFormat::IpsecConf, text);
        assert_eq!(
            keys,
            "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encr_alg aes-cbc \\\n    encrkey 03 auth_alg hmac-sha256 \\\n    authkey 01\n\
             add esp spi 0x1001 src 192.0.2.2 dst 192.0.2.1 encr_alg aes-cbc \\\n    encrkey 04 auth_alg hmac-sha256 \\\n    authkey 02\n"
        );
        assert_eq!(notes.iter().map(|note| note.0).collect::<Vec<_>>(), [3, 4]);
    }
}
