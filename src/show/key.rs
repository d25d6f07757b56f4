//! Keys as text: the only file of this folder that reads key bytes.

use std::fmt;
use std::io::{self, Write};

use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::Style;
use crate::sa::KeyRole;
use crate::secret::Key;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Prints two lines: the role, then `KEY/BITS` or `KEY[SALT]/BITS+SALTBITS`.
pub(super) fn print(out: &mut dyn Write, role: KeyRole, key: &Key, style: &Style<'_>) -> io::Result<()> {
    let (prefix, title) = match role {
        KeyRole::Auth => ("AKY: ", "Authentication key."),
        KeyRole::Encr => ("EKY: ", "Encryption key."),
    };
    write!(out, "{prefix}{title}\n{prefix}")?;
    // The salt is shown apart: `encrkey` takes both as one value, with `reserved_bits`.
    let (own, salt) = parts(key);
    hex(out, own, style.paranoid)?;
    if key.reserved() == 0 {
        return writeln!(out, "/{}", key.bits());
    }
    write!(out, "[")?;
    hex(out, salt, style.paranoid)?;
    writeln!(out, "]/{}+{}", key.bits(), key.reserved())
}

/// Writes key and salt without a separator, then their length in bits: the form of `authkey` and `encrkey`.
pub(super) fn save(out: &mut dyn Write, key: &Key, paranoid: bool) -> io::Result<()> {
    let (own, salt) = parts(key);
    hex(out, own, paranoid)?;
    hex(out, salt, paranoid)?;
    write!(out, "/{}", u32::from(key.bits()) + u32::from(key.reserved()))
}

/// Writes the digits of a key and its salt.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_key(out: &mut dyn Write, key: &Key) -> io::Result<()> {
    hex(out, key.expose(), false)
}

/// Serializes the digits of a key and its salt as a string, each written directly to the writer.
pub(super) struct Digits<'a>(pub(super) &'a Key);

impl Serialize for Digits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (own, salt) = parts(self.0);
        own.iter().chain(salt).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Splits the bytes into the key and the salt that follows it.
fn parts(key: &Key) -> (&[u8], &[u8]) {
    let bytes = key.expose();
    // The SADB reports the lengths; a reply may contain fewer bytes than they say.
    let own = bytes.len().min(usize::from(key.bits()).div_ceil(8));
    let (own, rest) = bytes.split_at(own);
    let salt = rest.len().min(usize::from(key.reserved()).div_ceil(8));
    (own, rest.split_at(salt).0)
}

/// Writes two digits for each byte, `XX` with `-p`. They pass through a small buffer, which is wiped.
fn hex(out: &mut dyn Write, bytes: &[u8], paranoid: bool) -> io::Result<()> {
    let mut digits = Zeroizing::new([b'X'; 64]);
    // A buffer for the whole key would leave a copy of it in freed memory.
    for some in bytes.chunks(digits.len() / 2) {
        if !paranoid {
            for (pair, byte) in digits.chunks_exact_mut(2).zip(some) {
                pair.copy_from_slice(&digits_of(*byte));
            }
        }
        out.write_all(digits.get(..2 * some.len()).unwrap_or_default())?;
    }
    Ok(())
}

fn digits_of(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::message::tests::style;

    fn printed(key: &Key, paranoid: bool) -> String {
        let mut out = Vec::new();
        print(&mut out, KeyRole::Encr, key, &Style { paranoid, ..style() }).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn saved(key: &Key, paranoid: bool) -> String {
        let mut out = Vec::new();
        save(&mut out, key, paranoid).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn print_and_save_of_a_plain_key() {
        let key = Key::from_slice(&[0xab, 0x01], 16, 0);
        assert_eq!(printed(&key, false), "EKY: Encryption key.\nEKY: ab01/16\n");
        assert_eq!(printed(&key, true), "EKY: Encryption key.\nEKY: XXXX/16\n");
        assert_eq!(saved(&key, false), "ab01/16");
        assert_eq!(saved(&key, true), "XXXX/16");
    }

    #[test]
    fn print_and_save_of_a_salted_key() {
        let key = Key::from_slice(&[0xab, 0xcd, 0xef, 0, 0], 16, 8);
        assert_eq!(printed(&key, false), "EKY: Encryption key.\nEKY: abcd[ef]/16+8\n");
        assert_eq!(saved(&key, false), "abcdef/24");
    }

    #[test]
    fn save_of_a_key_longer_than_the_buffer() {
        let key = Key::from_slice(&(0..100).collect::<Vec<u8>>(), 800, 0);
        let digits: String = (0..100).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(saved(&key, false), format!("{digits}/800"));
        assert_eq!(saved(&key, true), format!("{}/800", "X".repeat(200)));
    }

    #[test]
    fn save_of_a_key_shorter_than_its_bits() {
        assert_eq!(saved(&Key::from_slice(&[1], 64, 32), false), "01/96");
    }
}
