//! setkey(8): a file, a shell script that passes statements to setkey, or the output of `setkey -D`.

mod add;
mod dumped;
mod script;

pub(super) use add::{TCP_MD5, allows};

use super::ip_xfrm::unset_variable;
use super::output::{Output, SaStep};
use super::statements::{Statement, StatementEnd, statements};
use super::writer::{CommandWriter, Cursor, Untranslatable};
use crate::redact::{Expected, citable};
use crate::secret::Full;

/// Translates a text.
pub(super) fn import(text: &str, output: &mut Output<'_>) -> Result<(), Full> {
    if script::is_script(text) {
        return script::import(text, output);
    }
    let mut rest = Rest { text, line: 1 };
    while let Some((before, dumped)) = dumped::next(&mut rest) {
        import_statements(before.text, before.line, output)?;
        if let Some(dumped) = dumped {
            dumped::import(&dumped, output)?;
        }
    }
    Ok(())
}

/// A part of the text, and the number of its first line.
#[derive(Clone, Copy)]
struct Rest<'t> {
    text: &'t str,
    line: u32,
}

/// Translates the statements of a part of the source that begins at line `first`.
fn import_statements(text: &str, first: u32, output: &mut Output<'_>) -> Result<(), Full> {
    for statement in statements(text, StatementEnd::Semicolon) {
        let len = statement.words.iter().map(|word| word.text.len()).sum();
        output.sa(statement.line + first - 1, len, |writer, is_local| {
            translate(&statement, writer, is_local).map(|()| SaStep::Other)
        })?;
    }
    Ok(())
}

fn translate(
    statement: &Statement<'_>,
    writer: &mut CommandWriter,
    is_local: &dyn Fn(std::net::IpAddr) -> bool,
) -> Result<(), Untranslatable> {
    if let Some(word) = statement.words.iter().find(|word| !word.quoted && word.text.contains(['$', '`'])) {
        return Err(unset_variable(word.text));
    }
    let mut words = Cursor::new(&statement.words);
    match words.next().map(|word| word.text) {
        Some("add") => add::add(&mut words, writer, is_local),
        Some("delete") => add::delete(&mut words, writer),
        Some("flush") => flush(&mut words, writer),
        Some("dump") => {
            writer.note("dump changes nothing and is ignored");
            Ok(())
        }
        Some("spdflush") => {
            writer.note("spdflush removes policies, not SAs: use `ip xfrm policy flush` on Linux");
            Ok(())
        }
        // Policies are a note and no error: a file for setkey usually has them.
        Some("spdadd" | "spdupdate" | "spddelete" | "spddump") => {
            writer.note("a policy, not an SA: use `ip xfrm policy` on Linux");
            Ok(())
        }
        Some(word @ ("get" | "deleteall")) => Err(format!("{word} has no equivalent in a keys file")),
        _ => Err("not a setkey(8) statement".to_owned()),
    }
}

fn flush(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    writer.begin("flush")?;
    match words.next().map(|word| word.text) {
        Some(proto @ ("ah" | "esp")) => writer.flag(proto)?,
        Some(_) => return Err("flush of a protocol other than ah and esp".to_owned()),
        None => {}
    }
    writer.end()
}

/// The identity of an SA for messages.
pub(super) fn label(sa_type: &str, spi: &str, dst: &str) -> String {
    format!("{sa_type} spi {} dst {}", citable(spi, Expected::Number), citable(dst, Expected::Address))
}

#[cfg(test)]
mod tests {
    use crate::convert::ImportFormat;
    use crate::convert::import::testing::{imported, lost};

    #[test]
    fn translate_imports_statements_of_the_manual_page() {
        let text = "flush;\nspdflush;\nadd 10.0.11.41 10.0.11.33 esp 0x10001\n  -m tunnel -r 4 -lh 100\n\
                    -E des-cbc 0x3ffe05014819ffff -A hmac-md5 \"authentication!!\" ; delete 10.0.11.41 10.0.11.33 ah 24;";
        let (keys, notes) = imported(ImportFormat::Setkey, text);
        assert_eq!(
            keys,
            "flush\nadd esp spi 0x10001 src 10.0.11.41 dst 10.0.11.33 mode tunnel replay 4 hard_addtime 100 encr_alg des-cbc \\\n    \
             encrkey 3ffe05014819ffff auth_alg hmac-md5 \\\n    authkey 61757468656e7469636174696f6e2121\ndelete ah spi 24 dst 10.0.11.33\n"
        );
        assert_eq!(notes.iter().map(|note| note.0).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn translate_reports_unknown_statements_without_keys() {
        let key = "0x0123456789abcdef0123456789abcdef";
        let text = format!(
            "add 192.0.2.1 192.0.2.2 tcp 0x1000 -A tcp-md5 {key};\nadd 192.0.2.1 192.0.2.2 ah 5 -A hmac-md6 {key};\n{key};\n\
             add 192.0.2.1[4500] 192.0.2.2[4501] esp-udp 0x1000 -u 7 -E null -A hmac-sha256 {key};"
        );
        let (keys, notes) = imported(ImportFormat::Setkey, &text);
        assert!(keys.starts_with(
            "# line 2 of the source is not imported: ah spi 5 dst 192.0.2.2\nadd esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encap udp nat_lport 4500 nat_rport 4501 reqid 7 encr_alg null auth_alg"
        ), "{keys}");
        assert_eq!(notes.len(), 4);
        assert!(notes.iter().all(|note| !note.1.contains("0123")), "{notes:?}");
        assert!(notes[3].1.contains("icv 96"), "{notes:?}");
    }

    #[test]
    fn translate_names_a_zone_and_words_of_freebsd() {
        let key = "0x0123456789abcdef0123456789abcdef01234567";
        let zone = lost(ImportFormat::Setkey, &format!("add fe80::1%eth1 ff02::5 ah 0x1000 -A hmac-sha1 {key};")).1;
        assert!(
            zone[0].contains("a zone (%...) cannot be part of an SA: write the address \"fe80::1\" without it"),
            "{zone:?}"
        );
        let text = format!("add 192.0.2.1 192.0.2.2 esp 1003 -E aes-gcm-16 {key} -esn -hwif em0 -natt 1;");
        let (keys, named) = lost(ImportFormat::Setkey, &text);
        assert_eq!(keys, "# line 1 of the source is not imported: esp spi 1003 dst 192.0.2.2\n");
        assert!(named.iter().any(|text| text.contains("-hwif \"em0\"")) && named[0].contains("\"-natt\""), "{named:?}");
        let (keys, named) = lost(ImportFormat::Setkey, &text.replace(" -natt 1", ""));
        assert!(keys.contains(" esn") && named.len() == 1, "{keys} {named:?}");
    }

    #[test]
    fn translate_refuses_what_is_no_key() {
        for key in
            ["$KEY", "0x$KEY", "0x<40-hex-key>", "<key>", "xxxxxxxxxxxxxxxx", "\"31 characters are no key, are they\""]
        {
            let (keys, named) = lost(ImportFormat::Setkey, &format!("add 192.0.2.1 192.0.2.2 ah 5 -A hmac-md5 {key};\n"));
            assert!(!keys.contains("add ") && named.len() == 1, "{key}: {keys} {named:?}");
        }
    }
}
