//! OpenBSD's ipsec.conf(5), manual keying: `esp [MODE] from SRC to DST spi N[:N] [auth A] [enc E] authkey K[:K] enckey K[:K]`.
//!
//! A second SPI and key after a colon are those of the opposite direction.

mod macros;

use super::key;
use super::output::Output;
use super::setkey::{TCP_MD5, allows, label};
use super::shell::is_citable_name;
use super::statements::{Statement, StatementEnd, Token, statements};
use super::writer::{CommandWriter, Cursor, Untranslatable};
use crate::convert::names::{OPENBSD_AUTH, OPENBSD_ENCR, ours};
use crate::redact::{Expected, cited};
use crate::secret::Full;

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
    /// The UDP port of the peer.
    udp_port: Option<&'t str>,
}

/// Statements of ipsec.conf(5) that are no SAs of a keys file, and why.
const OTHER_KINDS: &[(&str, &str)] = &[
    ("ike", "ike: keys negotiated by IKE have no equivalent in a keys file"),
    ("ipcomp", "ipcomp: compression has no equivalent in a keys file"),
    ("ipip", "ipip: IP in IP without IPsec has no equivalent in a keys file: use an ipip device"),
    ("tcpmd5", TCP_MD5),
    ("include", "include: the SAs of another file are not read: import that file too"),
];

/// Where a line begins that does not continue the one before it.
const STARTS: &[&str] = &["esp", "ah", "flow", "ike", "ipcomp", "ipip", "tcpmd5", "include"];

/// Translates an ipsec.conf.
pub(super) fn import(text: &str, output: &mut Output<'_>) -> Result<(), Full> {
    let expanded = macros::expand(text)?;
    for (line, name) in &expanded.unknown {
        let name = if is_citable_name(name) { format!("the macro ${name}") } else { "a macro".to_owned() };
        output.note(*line, format!("{name} is used that this file does not define"));
    }
    let text = std::str::from_utf8(&expanded.text).unwrap_or_default();
    for statement in statements(text, StatementEnd::Line(STARTS)) {
        let len = statement.words.iter().map(|word| word.text.len()).sum();
        output.statement(statement.line, len, |writer| translate(&statement, writer))?;
    }
    Ok(())
}

fn translate(statement: &Statement<'_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let mut words = Cursor::new(&statement.words);
    let sa_type = match words.next().map(|word| word.text) {
        Some(word @ ("esp" | "ah")) => word,
        Some("flow") => {
            writer.note("a flow is a policy, not an SA, and is ignored");
            return Ok(());
        }
        Some(word) => {
            let reason = OTHER_KINDS.iter().find(|row| row.0 == word).map(|row| row.1);
            return Err(reason.unwrap_or("not a statement of ipsec.conf(5)").to_owned());
        }
        None => return Ok(()),
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
        udp_port: None,
    };
    let read = rule.read(&mut words);
    writer.set_label(label(sa_type, half(rule.spi, false), rule.dst));
    read?;
    if statement.words.iter().any(|word| word.text.contains('$')) {
        return Err("a macro is used that this file does not define: replace it by its value".to_owned());
    }
    if rule.src.is_empty() || rule.dst.is_empty() || rule.spi.is_empty() {
        return Err("from, to or spi is missing".to_owned());
    }
    if [rule.src, rule.dst].contains(&"{") {
        return Err("addresses in braces are several SAs: write a rule for each".to_owned());
    }
    rule.write(writer, false)?;
    if rule.spi.contains(':') { rule.write(writer, true) } else { Ok(()) }
}

/// Words of ipsec.conf(5) that are not for manual keying; only they are shown.
const WORDS: &[&str] = &[
    "proto",
    "port",
    "local",
    "peer",
    "type",
    "main",
    "quick",
    "psk",
    "tag",
    "group",
    "lifetime",
    "srcid",
    "dstid",
    "any",
    "in",
    "out",
    "inout",
    "require",
    "use",
    "deny",
    "bypass",
    "dontacq",
    "acquire",
    "interface",
    "file",
    "comp",
    "bundle",
];

impl<'t> Rule<'t> {
    fn read(&mut self, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        while let Some(word) = words.next() {
            self.option(word.text, words)?;
        }
        Ok(())
    }

    fn option(&mut self, word: &'t str, words: &mut Cursor<'_, 't>) -> Result<(), Untranslatable> {
        match word {
            "transport" | "tunnel" => self.mode = word,
            "from" => self.src = words.value(word)?.text,
            "to" => self.dst = words.value(word)?.text,
            "spi" => self.spi = words.value(word)?.text,
            "auth" => self.auth = words.value(word)?.text,
            "enc" => self.encr = Some(words.value(word)?.text),
            "authkey" => self.authkey = Some(hex_key(words.value(word)?)?),
            "enckey" => self.enckey = Some(hex_key(words.value(word)?)?),
            "udpencap" => {
                self.udp_port = Some("4500");
                if words.peek() == Some("port") {
                    words.skip(1);
                    self.udp_port = Some(words.value("port")?.text);
                }
            }
            _ => {
                let word = cited(word, Expected::OneOf(WORDS));
                return Err(format!("unknown word {word} for manual keying in ipsec.conf(5)"));
            }
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
        if let Some(port) = self.udp_port {
            // The port of this host is that of RFC 3948.
            writer.word("encap", "udp")?;
            writer.word("nat_lport", "4500")?;
            writer.word("nat_rport", port)?;
        }
        if self.sa_type == "esp" {
            // The default cipher of ipsec.conf(5).
            let theirs = self.encr.unwrap_or("aes");
            let name =
                ours(OPENBSD_ENCR, theirs).or_else(|| ours(COMBINED, theirs)).ok_or_else(|| unknown("enc", theirs))?;
            writer.word("encr_alg", name)?;
            self.write_key(writer, "encrkey", name, self.enckey, back)?;
        }
        if self.authkey.is_some() {
            let name = ours(OPENBSD_AUTH, self.auth).ok_or_else(|| unknown("auth", self.auth))?;
            writer.word("auth_alg", name)?;
            self.write_key(writer, "authkey", name, self.authkey, back)?;
        }
        writer.require_key()?;
        writer.end()
    }

    fn write_key(
        &self,
        writer: &mut CommandWriter,
        keyword: &str,
        name: &str,
        key: Option<&str>,
        back: bool,
    ) -> Result<(), Untranslatable> {
        let Some(key) = key else { return Ok(()) };
        let key = Token { text: half(key, back), quoted: false, unset: false };
        key::write(writer, keyword, Some(key), &|bits| allows(name, bits))
    }
}

/// Ciphers of ipsec.conf(5) that authenticate too. Their names have the key length, so that an export cannot use this table.
const COMBINED: &[(&str, &str)] = &[
    ("aes-128-gcm", "aes-gcm"),
    ("aes-192-gcm", "aes-gcm"),
    ("aes-256-gcm", "aes-gcm"),
    ("chacha20-poly1305", "chacha20-poly1305"),
];

/// Algorithms of ipsec.conf(5) without a name here, which are shown.
const OTHER_ALGORITHMS: &[&str] =
    &["hmac-ripemd160", "cast128", "aes-128-gmac", "aes-192-gmac", "aes-256-gmac", "skipjack", "cast"];

fn unknown(kind: &str, name: &str) -> String {
    let name = cited(name, Expected::OneOf(OTHER_ALGORITHMS));
    format!("unknown algorithm {kind} {name}: `ipseckey algs` lists the supported ones")
}

/// Checks that a key is in hexadecimal digits. A key in another file is not read: import sees one file only.
fn hex_key(word: Token<'_>) -> Result<&str, Untranslatable> {
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
    use crate::convert::import::testing::{imported, lost};

    #[test]
    fn translate_imports_both_directions_of_a_statement() {
        let text = "esp transport from 192.0.2.1 to 192.0.2.2 spi 0x1000:0x1001 auth hmac-sha2-256 enc aes \\\n  \
                    authkey 0x01:0x02 enckey 0x03:0x04\nflow esp from 10.1.0.0/16 to 10.2.0.0/16\nah from a to b spi 5 authkey file \"k\"";
        let (keys, notes) = imported(ImportFormat::IpsecConf, text);
        assert_eq!(
            keys,
            "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encr_alg aes-cbc \\\n    encrkey 03 auth_alg hmac-sha256 \\\n    authkey 01\n\
             add esp spi 0x1001 src 192.0.2.2 dst 192.0.2.1 encr_alg aes-cbc \\\n    encrkey 04 auth_alg hmac-sha256 \\\n    authkey 02\n\
             # line 4 of the source is not imported: ah spi 5 dst b\n"
        );
        assert_eq!(notes.iter().map(|note| note.0).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn translate_expands_macros_and_takes_quoted_keys() {
        let text = "peer = \"192.0.2.2\"\nkey=\"0x0123456789abcdef0123456789abcdef\"\n\
                    esp from 192.0.2.1 to $peer spi 0x1000 enc aes-128-gcm enckey \"0x0102\"\n\
                    ah from 192.0.2.1 to $peer spi 0x1001 auth hmac-md5 authkey $key\nah from 192.0.2.1 to $other spi 0x1002 authkey 0x01\n";
        let (keys, lost) = lost(ImportFormat::IpsecConf, text);
        assert_eq!(
            keys,
            "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 mode tunnel encr_alg aes-gcm \\\n    encrkey 0102\n\
             add ah spi 0x1001 src 192.0.2.1 dst 192.0.2.2 mode tunnel auth_alg hmac-md5 \\\n    \
             authkey 0123456789abcdef0123456789abcdef\n# line 5 of the source is not imported: ah spi 0x1002 dst XXXXXX\n"
        );
        assert_eq!(lost.len(), 1, "{lost:?}");
    }

    #[test]
    fn translate_names_each_other_kind() {
        for kind in ["ike", "ipcomp", "ipip", "tcpmd5", "include"] {
            let (keys, lost) = lost(ImportFormat::IpsecConf, &format!("{kind} from 192.0.2.1 to 192.0.2.2 spi 5\n"));
            assert_eq!((keys.as_str(), lost.len()), ("", 1), "{kind}");
            let name = if kind == "tcpmd5" { "TCP-MD5" } else { kind };
            assert!(lost[0].contains(name), "{lost:?}");
        }
    }
}
