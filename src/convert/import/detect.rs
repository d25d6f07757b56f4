//! The format of a source, by its commands.

use super::ImportFormat;

/// A form of a line, and the format that has it.
struct Form {
    format: ImportFormat,
    fits: fn(&[&str]) -> bool,
}

/// In the order in which they are compared: the most specific first.
const FORMS: &[Form] = &[
    Form { format: ImportFormat::IpXfrm, fits: |words| words.windows(2).any(is_xfrm) },
    Form { format: ImportFormat::IpXfrm, fits: |words| words.first() == Some(&"src") && words.get(2) == Some(&"dst") },
    Form { format: ImportFormat::IpsecConf, fits: is_rule },
    Form { format: ImportFormat::Setkey, fits: |words| words.iter().any(|word| word.rsplit('/').next() == Some("setkey")) },
    Form { format: ImportFormat::Setkey, fits: |words| is_statement(words) || is_dumped(words) },
];

fn is_xfrm(pair: &[&str]) -> bool {
    let is_object =
        pair.get(1).is_some_and(|object| "state".starts_with(object) || matches!(*object, "sa" | "policy" | "p"));
    pair.first().is_some_and(|word| matches!(*word, "xfrm" | "xfr" | "xf" | "x")) && is_object
}

/// `esp from A to B spi N`, also with a mode.
fn is_rule(words: &[&str]) -> bool {
    let is_kind =
        words.first().is_some_and(|word| matches!(*word, "esp" | "ah" | "ipcomp" | "ipip" | "tcpmd5" | "flow" | "ike"));
    is_kind && words.contains(&"from") && words.contains(&"to")
}

/// `add SRC DST esp SPI ...`, `spdadd ...`, `flush;`.
fn is_statement(words: &[&str]) -> bool {
    let first = words.first().map_or("", |word| word.trim_end_matches(';'));
    let is_protocol =
        |word: &&str| matches!(*word, "esp" | "ah" | "esp-udp" | "esp-old" | "ah-old" | "ipcomp" | "tcp" | "any");
    match first {
        "spdadd" | "spdflush" | "spdupdate" | "spddelete" => true,
        "add" | "delete" => words.iter().any(is_protocol) && !words.contains(&"spi"),
        // In a keys file it has no semicolon.
        "flush" => words.first().is_some_and(|word| word.ends_with(';')) || words.contains(&";"),
        _ => false,
    }
}

/// `esp mode=tunnel spi=4097(0x00001001) reqid=0(0x00000000)` of `setkey -D`.
fn is_dumped(words: &[&str]) -> bool {
    words.iter().any(|word| word.starts_with("mode=")) && words.iter().any(|word| word.starts_with("spi="))
}

/// The format of `text`: that of its first line of a known form. `None` if there is none.
pub(crate) fn detect(text: &[u8]) -> Option<ImportFormat> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let found = |line: &str| {
        let words: Vec<&str> =
            line.split(|c: char| c.is_whitespace() || c == '\'' || c == '"').filter(|word| !word.is_empty()).collect();
        FORMS.iter().find(|form| (form.fits)(&words)).map(|form| form.format)
    };
    lines.into_iter().find_map(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detect_finds_the_format_of_each_form() {
        for (text, format) in [
            ("#!/bin/sh\nset -e\nsudo ip x s add src 192.0.2.1", ImportFormat::IpXfrm),
            ("xfrm state flush\n", ImportFormat::IpXfrm),
            ("src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x1", ImportFormat::IpXfrm),
            ("flush;\nspdflush;\n", ImportFormat::Setkey),
            ("# c\nadd 192.0.2.1 192.0.2.2 esp 0x1000 -E null;", ImportFormat::Setkey),
            ("#!/bin/sh\nsetkey -c <<EOF\nflush;\nEOF", ImportFormat::Setkey),
            ("#!/usr/sbin/setkey -f\nadd 192.0.2.1 192.0.2.2 ah 5", ImportFormat::Setkey),
            ("192.0.2.1 192.0.2.2 \n\tesp mode=tunnel spi=5(0x5) reqid=0(0x0)", ImportFormat::Setkey),
            ("A = \"x\"\nesp tunnel from 192.0.2.1 to 192.0.2.2 spi 5", ImportFormat::IpsecConf),
            ("flow esp from 10.1.0.0/16 to 10.2.0.0/16", ImportFormat::IpsecConf),
        ] {
            assert_eq!(detect(text.as_bytes()), Some(format), "{text}");
        }
        for text in ["", "hello world", "flush\nadd esp spi 5 src 192.0.2.1 dst 192.0.2.2"] {
            assert_eq!(detect(text.as_bytes()), None, "{text}");
        }
    }
}
