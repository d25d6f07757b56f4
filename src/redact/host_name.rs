//! Host names: which words are sent to a name server, and which of its replies are printed.

use super::may_be_key;

/// Longest name without a dot that is looked up. A key of the weakest cipher has more digits.
const MAX_SHORT_NAME: usize = 15;

/// Whether `word` is looked up. A query crosses the network in the clear, so a misplaced key must not become one: a name has the form of
/// RFC 1123 section 2.1, and contains a dot or is short and in lower case. A name is no address in any form of inet_aton(3), either.
pub(crate) fn is_looked_up(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let name = word.strip_suffix('.').unwrap_or(word);
    if may_be_key(word.as_bytes()) || !is_host_name(name) {
        return false;
    }
    if name.contains('.') {
        return name.split('.').all(has_one_case) && !is_bytes(name);
    }
    let is_lower = !name.contains(|c: char| c.is_ascii_uppercase());
    let has_other = name.contains(|c: char| !c.is_ascii_hexdigit());
    // Of hexadecimal digits only, a name has no decimal one: `cafe`, not `0f1e2d3`.
    name.len() <= MAX_SHORT_NAME && is_lower && (has_other || !name.contains(|c: char| c.is_ascii_digit()))
}

/// Whether a name that a name server has returned is printed. The owner of an address chooses its name, which could otherwise be another
/// address, or contain terminal escapes or a newline.
pub(crate) fn is_host_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    // inet_aton(3) reads `10.0.9` and `0x0a000009`. No top-level domain consists of digits (RFC 3696 section 2).
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
    name.len() <= 253 && !is_number && name.split('.').all(is_label)
}

/// Letters, digits and hyphens, at most 63, no hyphen at an end. Names of services begin with an underscore.
fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let ends = |end: Option<u8>| end.is_some_and(|byte| byte != b'-');
    label.len() <= 63 && label.bytes().all(is_allowed) && ends(label.bytes().next()) && ends(label.bytes().last())
}

/// As a person writes a label: lower case, upper case or capitalized; base64 mixes them.
fn has_one_case(label: &str) -> bool {
    let after_first = label.get(1..).unwrap_or_default();
    let upper = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = |text: &str| text.bytes().any(|byte| byte.is_ascii_lowercase());
    !upper(after_first) || !lower(label)
}

/// Whether each part is the number of a byte, hexadecimal or decimal: `0f.1e.2d.3c`.
fn is_bytes(name: &str) -> bool {
    let has_digit = name.contains(|c: char| c.is_ascii_digit());
    has_digit && name.split('.').all(|part| part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_looked_up_accepts_names_as_people_write_them() {
        let names = "you.example gw GW.EXAMPLE.COM Gw.Example gw-2 host-12 localhost cafe facade decade.example.com \
                     ip-10-0-0-1.ec2.internal xn--bcher-kva.example host.example. me 3com";
        for name in names.split(' ') {
            assert!(is_looked_up(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn is_looked_up_refuses_what_may_be_a_key() {
        let words = "0f1e2d3 Dx4tPEtaaXiHlqW0w9Lh8A Dx4tPEtaaXiHlqW0w9Lh8A== hunter2-Passw0rd 0f.1e.2d.3c Dx4t.PEta.aXiH \
                     15.30.45.60.75 0x0f1e 0x0f,0x1e \\x0f\\x1e MyS3cretPassw0rd! Secret abcdefghijklmnop q2w+e4r/ \
                     0f1e2d3c.4b5a6978 0f:1e:2d 1b1c.d1e2.f3a4.b5c6";
        for word in words.split_whitespace() {
            assert!(!is_looked_up(word.as_bytes()), "{word}");
        }
        assert!(!is_looked_up(b"") && !is_looked_up(b"g\xff") && !is_looked_up("g\u{200b}w".as_bytes()));
    }

    #[test]
    fn is_host_name_refuses_addresses_and_terminal_escapes() {
        for name in ["gw.example.com", "_ipsec.example", "PEERMIXED", "host.0a"] {
            assert!(is_host_name(name), "{name}");
        }
        let others =
            ["10.0.9", "0x0a000009", "10.0x9", "167772169", "2001:db8::1", "gw\u{1b}]0;x\u{7}", "gw\nflush", "two words"];
        for name in
            others.into_iter().chain(["gw\u{9b}2J", "a\u{202e}b.example", "b\u{fc}ro.example", "", "a..b", "-a.example"])
        {
            assert!(!is_host_name(name), "{name:?}");
        }
    }
}
