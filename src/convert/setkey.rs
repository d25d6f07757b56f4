//! setkey(8): `add [-46n] SRC DST PROTOCOL SPI [OPTION ...] ALGORITHM ... ;`

use super::names::{SETKEY_AUTH, SETKEY_ENCR, ours};
use super::statements::Statement;
use super::writer::{CommandWriter, Cursor, Untranslatable};

pub(super) fn translate(statement: &Statement<'_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let mut words = Cursor::new(statement);
    match words.next().map(|word| word.text) {
        Some("add") => add(&mut words, writer),
        Some("delete") => delete(&mut words, writer),
        Some("flush") => flush(&mut words, writer),
        Some("dump") => {
            writer.note("dump changes nothing and is ignored");
            Ok(())
        }
        // Policies are a note and no error: a file for setkey usually has them.
        Some("spdadd" | "spdupdate" | "spddelete" | "spdflush" | "spddump") => {
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

/// The SA type of a protocol word.
fn protocol(word: &str, writer: &mut CommandWriter) -> Result<&'static str, Untranslatable> {
    match word {
        "esp" | "esp-udp" => Ok("esp"),
        "ah" => Ok("ah"),
        "esp-old" | "ah-old" => {
            writer.note("the protocol of 1995 (RFC 1826, 1827) is imported as the current one");
            Ok(if word == "esp-old" { "esp" } else { "ah" })
        }
        _ => Err("not ah or esp: ipcomp and tcp SAs have no equivalent in a keys file".to_owned()),
    }
}

/// The identity of an SA, after the command and its options.
struct SetkeySa<'t> {
    src: (&'t str, Option<&'t str>),
    dst: (&'t str, Option<&'t str>),
    proto: &'t str,
    spi: &'t str,
}

fn identity<'t>(words: &mut Cursor<'_, 't>) -> Result<SetkeySa<'t>, Untranslatable> {
    // -4, -6 and -n do not matter: addresses are written as they are.
    while words.peek().is_some_and(|word| word.starts_with('-')) {
        words.skip(1);
    }
    let src = with_port(words.value("the source")?.text);
    let dst = with_port(words.value("the destination")?.text);
    Ok(SetkeySa { src, dst, proto: words.value("the protocol")?.text, spi: words.value("the SPI")?.text })
}

/// Splits `ADDRESS[PORT]` into address and port.
fn with_port(word: &str) -> (&str, Option<&str>) {
    match word.strip_suffix(']').and_then(|word| word.rsplit_once('[')) {
        Some((address, port)) => (address, Some(port)),
        None => (word, None),
    }
}

fn delete(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let sa = identity(words)?;
    let sa_type = protocol(sa.proto, writer)?;
    writer.begin(&format!("delete {sa_type}"))?;
    writer.word("spi", sa.spi)?;
    writer.word("dst", sa.dst.0)?;
    writer.end()
}

fn add(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let sa = identity(words)?;
    let sa_type = protocol(sa.proto, writer)?;
    writer.begin(&format!("add {sa_type}"))?;
    writer.word("spi", sa.spi)?;
    writer.word("src", sa.src.0)?;
    writer.word("dst", sa.dst.0)?;
    // The ports may be missing; RFC 3948 defines 4500.
    if sa.proto == "esp-udp" {
        writer.word("encap", "udp")?;
        writer.word("nat_lport", sa.src.1.unwrap_or("4500"))?;
        writer.word("nat_rport", sa.dst.1.unwrap_or("4500"))?;
    }
    // After the identity, options may be in any order.
    while let Some(word) = words.next() {
        option(word.text, words, writer)?;
    }
    writer.end()
}

/// Options with a number, and the keywords for it.
const NUMBERS: &[(&str, &str)] =
    &[("-lh", "hard_addtime"), ("-ls", "soft_addtime"), ("-bh", "hard_bytes"), ("-bs", "soft_bytes"), ("-r", "replay")];

fn option(word: &str, words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    if let Some((_, keyword)) = NUMBERS.iter().find(|row| row.0 == word) {
        let value = words.value(keyword)?.text;
        // To setkey, 0 is no limit, which in a keys file is no keyword.
        return if value == "0" { Ok(()) } else { writer.word(keyword, value) };
    }
    match word {
        "-m" => match words.value("-m")?.text {
            mode @ ("transport" | "tunnel") => writer.word("mode", mode),
            // Mode `any` is the default.
            _ => Ok(()),
        },
        "-u" => {
            let id = words.value("-u")?.text;
            writer.word("reqid", id)
        }
        "-E" => algorithm("encr", SETKEY_ENCR, words, writer),
        "-A" => algorithm("auth", SETKEY_AUTH, words, writer),
        "-f" => {
            words.skip(1);
            writer.note("-f (padding, cyclic sequence numbers) has no equivalent and is ignored");
            Ok(())
        }
        "-ctx" => {
            words.skip(3);
            writer.note("-ctx (security context) has no equivalent and is ignored");
            Ok(())
        }
        "-C" => Err("compression has no equivalent in a keys file".to_owned()),
        _ => Err("unknown word for setkey(8)".to_owned()),
    }
}

fn algorithm(
    role: &str,
    table: &[(&'static str, &'static str)],
    words: &mut Cursor<'_, '_>,
    writer: &mut CommandWriter,
) -> Result<(), Untranslatable> {
    let theirs = words.value("an algorithm")?.text;
    // A keys file has no null authentication: it omits the keyword.
    if theirs == "null" && role == "auth" {
        return Ok(());
    }
    let name = ours(table, theirs).ok_or("unknown algorithm: `ipseckey algs` lists the supported ones")?;
    writer.word(&format!("{role}_alg"), name)?;
    if name == "hmac-sha256" {
        writer.note(
            "setkey on Linux truncates the ICV of HMAC-SHA-256 to 96 bits instead of 128 (RFC 4868): add `icv 96` if the peer keeps \
             using setkey",
        );
    }
    // The null cipher may come without a key.
    if name == "null" && words.peek().is_none_or(|next| next.starts_with('-')) {
        return Ok(());
    }
    let key = words.value("a key")?;
    if name == "null" { Ok(()) } else { writer.key(&format!("{role}key"), key) }
}

#[cfg(test)]
mod tests {
    use crate::convert::ImportFormat;
    use crate::convert::import::testing::imported;

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
            "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encap udp nat_lport 4500 nat_rport 4501 reqid 7 encr_alg null auth_alg"
        ), "{keys}");
        assert_eq!(notes.len(), 4);
        assert!(notes.iter().all(|note| !note.1.contains("0123")), "{notes:?}");
        assert!(notes[3].1.contains("icv 96"), "{notes:?}");
    }
}
