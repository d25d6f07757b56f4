//! Host names: which words are sent to a name server, and which of its replies are printed.

/// Longest name without a dot that is looked up. A key of the weakest cipher has more digits.
const MAX_SHORT_NAME: usize = 15;

/// Hexadecimal digits of six bytes.
pub(super) const MIN_KEY_DIGITS: usize = 12;

/// Longest part of a name that may mix letters and digits in any order. A key of the weakest cipher is longer in every encoding.
pub(super) const MAX_MIXED: usize = 15;

/// Whether `word` is looked up, or shown where an address is expected. A query crosses the network in the clear, so a misplaced key must
/// not become one: a name has the form of RFC 1123 section 2.1, and contains a dot or is short and in lower case. A name is no address in
/// any form of inet_aton(3), either.
pub(crate) fn is_looked_up(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let name = word.strip_suffix('.').unwrap_or(word);
    if !is_host_name(name) || may_be_grouped_key(name) {
        return false;
    }
    if name.contains('.') {
        return name.split('.').all(has_one_case) && !is_bytes(name);
    }
    is_short_name(name)
}

/// Whether `name`, without a dot, is short, in lower case, and has its digits at the ends of its parts: `gw`, `host-12`.
pub(crate) fn is_short_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let has_letter = name.contains(|c: char| c.is_ascii_lowercase());
    let has_other = name.contains(|c: char| !c.is_ascii_hexdigit());
    // Of hexadecimal digits only, a name has no decimal one: `cafe`, not `0f1e2d3`.
    let is_word = has_letter && (has_other || !name.contains(|c: char| c.is_ascii_digit()));
    let is_plain = |part: &str| part.len() <= 3 || changes(part) <= 1;
    is_word
        && name.len() <= MAX_SHORT_NAME
        && name.bytes().all(is_allowed)
        && parts(name).all(is_plain)
        && !may_be_grouped_key(name)
}

/// The parts of a name between separators.
fn parts(name: &str) -> impl Iterator<Item = &str> + Clone {
    name.split(['.', '-', '_'])
}

/// How often letters and digits alternate.
pub(super) fn changes(part: &str) -> usize {
    let kinds = part.bytes().map(|byte| byte.is_ascii_digit());
    kinds.clone().zip(kinds.skip(1)).filter(|(one, next)| one != next).count()
}

/// Whether the parts of `name` together may be a key: hexadecimal digits in groups, decimal bytes, groups of one length, or a long part
/// with digits among its letters.
fn may_be_grouped_key(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = parts(name).filter(|part| is_number(part)).count();
    // An IPv4 address in a name, as in `ip-10-0-0-1`, has four bytes.
    let digits: String =
        if numbers == 4 { parts(name).filter(|part| !is_number(part)).collect() } else { parts(name).collect() };
    let is_hex = digits.split(|c: char| !c.is_ascii_hexdigit()).any(|run| {
        // A host name may consist of hexadecimal letters (`facade-cafe`); a key without a single decimal digit is rare.
        run.len() >= MIN_KEY_DIGITS && run.bytes().any(|byte| byte.is_ascii_digit())
    });
    let is_mixed = parts(name).any(|part| part.len() > MAX_MIXED && changes(part) >= 2);
    numbers > 4 || is_hex || is_mixed || has_equal_groups(name)
}

/// Whether `name` consists of four or more groups of one length, of which half have digits, or of six; a shorter group may follow.
fn has_equal_groups(name: &str) -> bool {
    let count = parts(name).count();
    let len = parts(name).next().unwrap_or_default().len();
    let equal = parts(name).take(count - 1).all(|part| part.len() == len)
        && parts(name).last().is_some_and(|part| part.len() <= len);
    let with_digits = parts(name).filter(|part| part.bytes().any(|byte| byte.is_ascii_digit())).count();
    equal && len >= 2 && (count >= 4 && 2 * with_digits >= count || count >= 6)
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
                     0f1e2d3c.4b5a6978 0f:1e:2d 1b1c.d1e2.f3a4.b5c6 0-f-1-e.2-d-3-c-4-b-5-a.example q2w4e6r8 ab12cd34ef \
                     15-30-45-60-75.example DUPC2PCL.LJ2XRB4W.UW2MHUXB.ABC2 dupc2pclljuxrb4wuw2mhuxb6a.example q2w4.e6r8.t1z3.u5i7 BAZI.TDQM.LZUE.XK4R.ZP2I.SVRQ";
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
