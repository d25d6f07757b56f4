//! Random keys files, with errors as people make them.

/// A pseudo-random sequence (Marsaglia's xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// The sequence with that seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit.max(1)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// `len` hexadecimal digits, in either case.
    fn key(&mut self, len: usize) -> String {
        let digits: String = (0..len.div_ceil(16)).map(|_| format!("{:016x}", self.next())).collect();
        let digits = digits[..len].to_owned();
        if self.below(4) == 0 { digits.to_ascii_uppercase() } else { digits }
    }
}

/// A keys file, and the keys that it contained before it was damaged.
pub(crate) struct KeysFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) keys: Vec<String>,
}

/// Encryption algorithms, with the number of digits of a key.
const CIPHERS: &[(&str, usize)] =
    &[("aes", 32), ("aes", 48), ("aes-cbc", 64), ("3des", 48), ("blowfish", 32), ("aes-gcm16", 40), ("aes-ccm8", 38)];
/// Authentication algorithms, with the number of digits of a key.
const HASHES: &[(&str, usize)] =
    &[("md5", 32), ("sha1", 40), ("sha256", 64), ("sha384", 96), ("sha512", 128), ("hmac-sha256", 64)];
/// Further keywords of a command.
const EXTRAS: &[&str] = &[
    "",
    "hard_bytes 16000000 soft_bytes 15000000",
    "srcidtype fqdn host.example.com dstidtype user_fqdn me@example.com",
    "replay 32",
    "proto 6 sport 1000 dport 2000",
    "encap udp nat_loc 192.0.2.77 nat_lport 4500",
    "isrc 10.1.0.0/16 idst 10.2.0.0/16",
    "inbound",
    "srcidtype fqdn \"host with blanks\"",
];
const VERBS: &[&str] = &["add", "add", "add", "add", "update", "delete", "get"];

/// A file of one to six commands, of which at most `damages` are damaged; with `damages` greater than 0 possibly also the file as a
/// whole.
pub(crate) fn keys_file(random: &mut Random, damages: usize) -> KeysFile {
    let mut keys = Vec::new();
    let mut lines: Vec<Vec<String>> = (0..=random.below(5)).map(|number| command(random, number, &mut keys)).collect();
    for _ in 0..damages {
        let line = random.below(lines.len());
        damage_words(random, &mut lines[line]);
    }
    let ends = ["\n", "\n", "\n\n", "\r\n", "\n# comment\n", "\t\n"];
    let text: String = lines.iter().map(|words| words.join(" ") + random.pick(&ends)).collect();
    let bytes = if damages == 0 { text.into_bytes() } else { damage_bytes(random, &text) };
    KeysFile { bytes, keys }
}

fn command(random: &mut Random, number: usize, keys: &mut Vec<String>) -> Vec<String> {
    let verb = random.pick(VERBS);
    let is_ah = random.below(4) == 0;
    let sa_type = if is_ah { "ah" } else { "esp" };
    let mut text = format!("{verb} {sa_type} spi {:#x} src 192.0.2.1 dst 198.51.100.7", 0x1000 + number);
    if matches!(verb, "add" | "update") {
        for (keyword, key_word, table) in [("encr_alg", "encrkey", CIPHERS), ("auth_alg", "authkey", HASHES)] {
            if keyword == "auth_alg" || !is_ah {
                let (algorithm, len) = random.pick(table);
                let key = random.key(len);
                text += &format!(" {keyword} {algorithm} {key_word} {key}");
                keys.push(key);
            }
        }
        text = format!("{text} {}", random.pick(EXTRAS));
    }
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Damages the words of a command.
fn damage_words(random: &mut Random, words: &mut Vec<String>) {
    let is_key = |word: &String| word.len() >= 32;
    let keys: Vec<usize> = (0..words.len()).filter(|at| is_key(&words[*at])).collect();
    if keys.is_empty() {
        words.truncate(random.below(words.len() + 1));
        return;
    }
    let key = random.pick(&keys);
    let (before, at) = (key.saturating_sub(1), random.below(words.len()));
    match random.below(22) {
        0 => mistype(random, &mut words[before]),
        1 => mistype(random, &mut words[at]),
        2 => mistype(random, &mut words[key]),
        3 => words.swap(key, at),
        4 => words.swap(key, before),
        5 => drop(words.remove(at)),
        6 => drop(words.remove(before)),
        7 => *words = vec![words[key].clone()],
        8 => words.insert(at, words[key].clone()),
        9 => words.insert(key, "\n".to_owned()),
        10 => words.insert(key, "\\\n".to_owned()),
        11 => words[key] = split(random, &words[key], "\n"),
        12 => words[key] = split(random, &words[key], "\\\n"),
        13 => words[key] = split(random, &words[key], " "),
        14 => words[key] = split(random, &words[key], "\""),
        15 => words[key] += random.pick(&["/999", "/x", "/", ",", ";", "\\", "\"", "h", "/1", "/-1", "[0]"]),
        16 => words[key].insert_str(0, random.pick(&["0x", "0X", "\"", "#", "=", "(", "$", "x", "\\x", "'"])),
        17 => words[before] = format!("{}={}", words[before], words[key]),
        18 => words[key] = words[key].replacen(|c: char| c.is_ascii_digit(), "o", 1),
        19 => words[0] = words[key].clone(),
        20 => words[at.min(6)] = words[key].clone(),
        _ => words.insert(0, "#".to_owned()),
    }
}

/// Omits, doubles or changes a letter, or swaps it with its neighbour.
fn mistype(random: &mut Random, word: &mut String) {
    let mut letters: Vec<char> = word.chars().collect();
    let at = random.below(letters.len());
    match random.below(4) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        2 => letters[at] = random.pick(&['x', 'q', '-', '_', 'E', 'o', 'l', '9', '.', '\u{e9}']),
        _ => letters.swap(at, at.saturating_sub(1)),
    }
    *word = letters.into_iter().collect();
}

fn split(random: &mut Random, key: &str, by: &str) -> String {
    let places: Vec<usize> = key.char_indices().map(|(at, _)| at).skip(1).collect();
    let (before, after) = key.split_at(random.pick(&places));
    format!("{before}{by}{after}")
}

/// Damages the file as a whole, in about half of the calls.
fn damage_bytes(random: &mut Random, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = random.below(bytes.len());
    match random.below(20) {
        0 => bytes.insert(at, 0),
        1 => bytes.insert(at, b'"'),
        2 => bytes.insert(at, 0xfc),
        3 => bytes = text.replace('\n', "\r\n").into_bytes(),
        4 => bytes = text.replace('\n', "\r").into_bytes(),
        5 => bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        6 => bytes = [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        7 => bytes = [&b"\xef\xbb\xbf"[..], &bytes].concat(),
        8 => bytes.truncate(at),
        9 => bytes = text.replace(' ', "\u{a0}").into_bytes(),
        10 => bytes = text.replace(' ', "\t").into_bytes(),
        _ => {}
    }
    bytes
}
