//! The algorithm table of an illumos system, `/etc/inet/ipsecalgs`, as configured with ipsecalgs(8).
//!
//! ```text
//! ALG|protocol|number|name,name,...|mechanism|key lengths|block or MAC bytes[|iv,icv,salt bytes|flags]
//! ```
//!
//! Protocol 2 is authentication, 3 encryption. Key lengths are a list, or `default/min-max,step`. Other lines and
//! malformed rows are ignored: an incomplete table is better than none.

use super::algorithms::{self, Auth, Encr, KeyBits, SystemTable};
use crate::sa::{AuthAlg, EncrAlg};

/// The path of the table.
pub(crate) const PATH: &str = "/etc/inet/ipsecalgs";

/// `uef` flag: counter mode.
const COUNTER_MODE: u32 = 2;

/// Parses `text`, the contents of [`PATH`], and installs it as the system's table.
pub(crate) fn install(text: &str) {
    algorithms::install_system_table(|| parse(text));
}

/// Parses the table. It leaks names and key lengths, since rows are `&'static`, so a process calls it once.
fn parse(text: &str) -> SystemTable {
    let mut table = SystemTable::default();
    for line in text.lines() {
        // ipsecalgs(8) writes no blanks, but an editor may leave some at the end.
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        match fields.as_slice() {
            ["ALG", "2", rest @ ..] => table.auth.extend(auth(rest)),
            ["ALG", "3", rest @ ..] => table.encr.extend(encr(rest)),
            // PROTO lines select synchronous or asynchronous crypto, which does not concern keys.
            _ => {}
        }
    }
    table
}

fn auth(fields: &[&str]) -> Option<Auth> {
    let [number, names, _, keys, mac_bytes, ..] = fields else { return None };
    let number = algorithm_number(number)?;
    // The file counts bytes, PF_KEY bits.
    let icv_bits = mac_bytes.parse::<u16>().ok()?.checked_mul(8)?;
    Some(Auth {
        number: AuthAlg(number),
        names: words(names)?,
        key_bits: key_bits(keys)?,
        icv_bits,
        xfrm: "",
        illumos: true,
    })
}

fn encr(fields: &[&str]) -> Option<Encr> {
    let [number, names, _, keys, block, more @ ..] = fields else { return None };
    let block_len = block.parse().ok()?;
    let [iv_len, icv_len, salt_len] = match more.first() {
        Some(lengths) => lengths.split(',').map(|word| word.parse().ok()).collect::<Option<Vec<u8>>>()?.try_into().ok()?,
        // Without the field it is a CBC cipher, whose IV is one block.
        None => [block_len, 0, 0],
    };
    Some(Encr {
        number: EncrAlg(algorithm_number(number)?),
        names: words(names)?,
        key_bits: key_bits(keys)?,
        salt_bits: u16::from(salt_len) * 8,
        iv_len,
        block_len,
        icv_bits: u16::from(icv_len) * 8,
        counter_mode: more.get(1).and_then(|word| flags(word)).is_some_and(|flags| flags & COUNTER_MODE != 0),
        xfrm: "",
        illumos: true,
    })
}

/// Parses the number of an algorithm. 0 means none or any and is not an algorithm.
fn algorithm_number(word: &str) -> Option<u16> {
    // sadb_sa_auth and sadb_sa_encrypt have 8 bits.
    word.parse::<u8>().ok().filter(|number| *number != 0).map(u16::from)
}

fn flags(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

fn words(list: &str) -> Option<&'static [&'static str]> {
    let words: Vec<&'static str> = list.split(',').filter(|word| !word.is_empty()).map(leaked).collect();
    (!words.is_empty()).then(|| &*words.leak())
}

fn leaked(word: &str) -> &'static str {
    word.to_owned().leak()
}

fn key_bits(word: &str) -> Option<KeyBits> {
    // A manual key has its own length, so the default before the slash is not needed.
    let lengths = word.split_once('/').map_or(word, |(_, lengths)| lengths);
    // The null cipher has key length 0.
    if lengths == "0" {
        return Some(KeyBits::None);
    }
    if let Some((min, rest)) = lengths.split_once('-') {
        let (max, step) = rest.split_once(',')?;
        let step = step.parse().ok().filter(|step| *step != 0)?;
        return Some(KeyBits::Range { min: min.parse().ok()?, max: max.parse().ok()?, step });
    }
    let sizes: Option<Vec<u16>> = lengths.split(',').map(|size| size.parse().ok()).collect();
    sizes.map(|sizes| KeyBits::Only(sizes.leak()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows in the form of ipsecalgs(8).
    const FILE: &str = "\
# PROTO|protocol-id|protocol-name|exec-mode
PROTO|2|PROTO_IPSEC_AH|sync
PROTO|3|PROTO_IPSEC_ESP|sync

ALG|2|0|none,any|-|0|0
ALG|2|2|hmac-md5,md5|CKM_MD5_HMAC_GENERAL|128|12
ALG|2|5|hmac-sha256,sha256,sha-256,hmac-sha-256|CKM_SHA256_HMAC_GENERAL|256|16
ALG|3|0|any|-|0|0
ALG|3|2|des-cbc,des|CKM_DES_CBC|64|8
ALG|3|11|null|-|0|0
ALG|3|12|aes-cbc,aes|CKM_AES_CBC|128/128-256,64|16
ALG|3|20|aes-gcm,aes-gcm16|CKM_AES_GCM|128/128-256,64|16|8,16,4|23
";

    #[test]
    fn parse_of_the_shipped_file_equals_the_built_in_table() {
        let table = parse(FILE);
        assert_eq!((table.auth.len(), table.encr.len()), (2, 4));
        for row in &table.auth {
            let known = algorithms::AUTH.iter().find(|known| known.number == row.number).unwrap();
            assert_eq!((row.names, row.key_bits, row.icv_bits), (known.names, known.key_bits, known.icv_bits));
        }
        for row in &table.encr {
            let known = algorithms::ENCR.iter().find(|known| known.number == row.number).unwrap();
            let facts = |row: &Encr| (row.names, row.key_bits, row.salt_bits, row.iv_len, row.block_len, row.icv_bits);
            assert_eq!(facts(row), facts(known));
            assert_eq!(row.counter_mode, known.counter_mode, "{:?}", row.names);
        }
    }

    #[test]
    fn parse_accepts_rows_of_an_administrator() {
        let table =
            parse("ALG|3|7|blowfish-cbc,blowfish|CKM_BLOWFISH_CBC|128/32-448,8|8\nALG|3|40|new|CKM_NEW|128,256|16\n");
        assert!(table.encr[0].key_bits.allows(448) && !table.encr[0].key_bits.allows(36));
        assert_eq!((table.encr[1].number, table.encr[1].key_bits), (EncrAlg(40), KeyBits::Only(&[128, 256])));
    }

    #[test]
    fn parse_ignores_malformed_rows() {
        let rows = [
            "ALG",
            "ALG|2",
            "ALG|2|x|n|m|128|12",
            "ALG|2|256|n|m|128|12",
            "ALG|3|1|n|m|1-2|8",
            "ALG|3|1|n|m|1-2,0|8",
            "ALG|3|1|,|m|64|8",
            "ALG|3|1|n|m|64|8|1,2|0",
            "ALG|2|2|n|m|128|60000",
        ];
        let table = parse(&rows.join("\n"));
        assert!(table.auth.is_empty() && table.encr.is_empty());
    }
}
