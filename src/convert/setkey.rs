//! setkey(8): `add [-46n] SRC DST PROTOCOL SPI [OPTION ...] ALGORITHM ... ;`

use super::import::{Cursor, Draft, Lost};
use super::names::{SETKEY_AUTH, SETKEY_ENCR, ours};
use super::statements::Statement;

/// Reads one statement.
pub(super) fn read(statement: &Statement<'_>, draft: &mut Draft) -> Result<(), Lost> {
    let mut words = Cursor::new(statement);
    match words.next().map(|word| word.text) {
        Some("add") => add(&mut words, draft),
        Some("delete") => delete(&mut words, draft),
        Some("flush") => flush(&mut words, draft),
        Some("dump") => {
            draft.note("dump prints and changes nothing: left out");
            Ok(())
        }
        Some("spdadd" | "spdupdate" | "spddelete" | "spdflush" | "spddump") => {
            draft.note("a policy, not an SA: on Linux `ip xfrm policy` sets it");
            Ok(())
        }
        Some(word @ ("get" | "deleteall")) => Err(format!("{word} has no counterpart in a keys file")),
        _ => Err("not a statement of setkey(8)".to_owned()),
    }
}

fn flush(words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    draft.begin("flush")?;
    match words.next().map(|word| word.text) {
        Some(proto @ ("ah" | "esp")) => draft.flag(proto)?,
        Some(_) => return Err("flush of a protocol that is neither ah nor esp".to_owned()),
        None => {}
    }
    draft.end()
}

/// The SA type of a protocol word.
fn protocol(word: &str, draft: &mut Draft) -> Result<&'static str, Lost> {
    match word {
        "esp" | "esp-udp" => Ok("esp"),
        "ah" => Ok("ah"),
        "esp-old" | "ah-old" => {
            draft.note("the protocol of 1995 (RFC 1826, 1827) is taken for that of today");
            Ok(if word == "esp-old" { "esp" } else { "ah" })
        }
        _ => Err("neither ah nor esp: ipcomp and tcp SAs have no counterpart in a keys file".to_owned()),
    }
}

/// What names an SA, behind the command and its options.
struct Name<'t> {
    src: (&'t str, Option<&'t str>),
    dst: (&'t str, Option<&'t str>),
    proto: &'t str,
    spi: &'t str,
}

fn name<'t>(words: &mut Cursor<'_, 't>) -> Result<Name<'t>, Lost> {
    while words.peek().is_some_and(|word| word.starts_with('-')) {
        words.skip(1);
    }
    let src = with_port(words.value("the source")?.text);
    let dst = with_port(words.value("the destination")?.text);
    Ok(Name { src, dst, proto: words.value("the protocol")?.text, spi: words.value("the SPI")?.text })
}

/// `ADDRESS[PORT]`
fn with_port(word: &str) -> (&str, Option<&str>) {
    match word.strip_suffix(']').and_then(|word| word.rsplit_once('[')) {
        Some((address, port)) => (address, Some(port)),
        None => (word, None),
    }
}

fn delete(words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    let name = name(words)?;
    let sa_type = protocol(name.proto, draft)?;
    draft.begin(&format!("delete {sa_type}"))?;
    draft.word("spi", name.spi)?;
    draft.word("dst", name.dst.0)?;
    draft.end()
}

fn add(words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    let name = name(words)?;
    let sa_type = protocol(name.proto, draft)?;
    draft.begin(&format!("add {sa_type}"))?;
    draft.word("spi", name.spi)?;
    draft.word("src", name.src.0)?;
    draft.word("dst", name.dst.0)?;
    if name.proto == "esp-udp" {
        draft.word("encap", "udp")?;
        draft.word("nat_lport", name.src.1.unwrap_or("4500"))?;
        draft.word("nat_rport", name.dst.1.unwrap_or("4500"))?;
    }
    while let Some(word) = words.next() {
        option(word.text, words, draft)?;
    }
    draft.end()
}

/// Lifetimes and numbers that are the same here under another name.
const NUMBERS: &[(&str, &str)] =
    &[("-lh", "hard_addtime"), ("-ls", "soft_addtime"), ("-bh", "hard_bytes"), ("-bs", "soft_bytes"), ("-r", "replay")];

fn option(word: &str, words: &mut Cursor<'_, '_>, draft: &mut Draft) -> Result<(), Lost> {
    if let Some((_, keyword)) = NUMBERS.iter().find(|row| row.0 == word) {
        let value = words.value(keyword)?.text;
        return if value == "0" { Ok(()) } else { draft.word(keyword, value) };
    }
    match word {
        "-m" => match words.value("-m")?.text {
            mode @ ("transport" | "tunnel") => draft.word("mode", mode),
            _ => Ok(()),
        },
        "-u" => {
            let id = words.value("-u")?.text;
            draft.word("reqid", id)
        }
        "-E" => algorithm("encr", SETKEY_ENCR, words, draft),
        "-A" => algorithm("auth", SETKEY_AUTH, words, draft),
        "-f" => {
            words.skip(1);
            draft.note("-f (padding, cyclic sequence numbers) has no counterpart and is left out");
            Ok(())
        }
        "-ctx" => {
            words.skip(3);
            draft.note("-ctx (security context) has no counterpart and is left out");
            Ok(())
        }
        "-C" => Err("compression has no counterpart in a keys file".to_owned()),
        _ => Err("a word that setkey(8) does not document".to_owned()),
    }
}

fn algorithm(
    role: &str,
    table: &[(&'static str, &'static str)],
    words: &mut Cursor<'_, '_>,
    draft: &mut Draft,
) -> Result<(), Lost> {
    let theirs = words.value("an algorithm")?.text;
    if theirs == "null" && role == "auth" {
        return Ok(());
    }
    let name = ours(table, theirs).ok_or("an algorithm that is not known here: `ipseckey algs` lists those that are")?;
    draft.word(&format!("{role}_alg"), name)?;
    if name == "hmac-sha256" {
        draft.note(
            "on Linux setkey cuts the check value of HMAC-SHA-256 to 96 bits, RFC 4868 to 128: add `icv 96` if the peer stays with \
             setkey",
        );
    }
    // The null cipher may stand alone.
    if name == "null" && words.peek().is_none_or(|next| next.starts_with('-')) {
        return Ok(());
    }
    let key = words.value("a key")?;
    if name == "null" { Ok(()) } else { draft.key(&format!("{role}key"), key) }
}

#[cfg(test)]
mod tests {
    use crate::convert::Source;
    use crate::convert::import::testing::imported;

    #[test]
    fn statements_of_its_manual_page() {
        let text = "flush;\nspdflush;\nadd 10.0.11.41 10.0.11.33 esp 0x10001\n  -m tunnel -r 4 -lh 100\n\
                    -E des-cbc 0x3ffe05014819ffff -A hmac-md5 \"authentication!!\" ; delete 10.0.11.41 10.0.11.33 ah 24;";
        let (keys, notes) = imported(Source::Setkey, text);
        assert_eq!(
            keys,
            "flush\nadd esp spi 0x10001 src 10.0.11.41 dst 10.0.11.33 mode tunnel replay 4 hard_addtime 100 encr_alg des-cbc \\\n    \
             encrkey 3ffe05014819ffff auth_alg hmac-md5 \\\n    authkey 61757468656e7469636174696f6e2121\ndelete ah spi 24 dst 10.0.11.33\n"
        );
        assert_eq!(notes.iter().map(|note| note.0).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn what_has_no_counterpart_is_told_and_no_key_with_it() {
        let key = "0x0123456789abcdef0123456789abcdef";
        let text = format!(
            "add 192.0.2.1 192.0.2.2 tcp 0x1000 -A tcp-md5 {key};\nadd 192.0.2.1 192.0.2.2 ah 5 -A hmac-md6 {key};\n{key};\n\
             add 192.0.2.1[4500] 192.0.2.2[4501] esp-udp 0x1000 -u 7 -E null -A hmac-sha256 {key};"
        );
        let (keys, notes) = imported(Source::Setkey, &text);
        assert!(keys.starts_with(
            "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encap udp nat_lport 4500 nat_rport 4501 reqid 7 encr_alg null auth_alg"
        ), "{keys}");
        assert_eq!(notes.len(), 4);
        assert!(notes.iter().all(|note| !note.1.contains("0123")), "{notes:?}");
        assert!(notes[3].1.contains("icv 96"), "{notes:?}");
    }
}
