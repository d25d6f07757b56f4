//! SAs with random attributes, made by `ip`: printed in each way of `ip xfrm state`, imported and loaded, they are the same SAs. So
//! are those of the script that made them.
//!
//! `IMPORTED_SAS=2000 tests/kernel/run import` makes that many instead of 200.

use std::fs;

use crate::space::{Space, private_file};

/// SAs of one namespace.
const BATCH: usize = 50;

/// A generator of random numbers (xorshift64), the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    /// Once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.next(times) == 0
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.next(choices.len() as u64)).expect("fits")]
    }

    pub(crate) fn key(&mut self, bits: usize) -> String {
        let digits: String = (0..bits / 4).map(|_| char::from_digit(self.next(16) as u32, 16).expect("a digit")).collect();
        format!("0x{digits}")
    }
}

/// Authentication algorithms, key bits, and ICV bits that the kernel takes.
const AUTH: &[(&str, usize, &[u32])] = &[
    ("hmac(md5)", 128, &[96, 128]),
    ("hmac(sha1)", 160, &[96, 160]),
    ("hmac(sha256)", 256, &[96, 128]),
    ("hmac(sha384)", 384, &[192]),
    ("hmac(sha512)", 512, &[256]),
    ("xcbc(aes)", 128, &[96]),
    ("cmac(aes)", 128, &[96]),
];

const ENC: &[(&str, usize)] = &[
    ("cbc(des3_ede)", 192),
    ("cbc(aes)", 128),
    ("cbc(aes)", 256),
    ("cbc(camellia)", 192),
    ("rfc3686(ctr(aes))", 160),
    ("ecb(cipher_null)", 0),
];

const AEAD: &[(&str, usize, u32)] = &[
    ("rfc4106(gcm(aes))", 160, 128),
    ("rfc4106(gcm(aes))", 288, 64),
    ("rfc4106(gcm(aes))", 224, 96),
    ("rfc4309(ccm(aes))", 152, 128),
    ("rfc4309(ccm(aes))", 280, 64),
    ("rfc7539esp(chacha20,poly1305)", 288, 128),
];

/// An SA: the words behind `ip xfrm state add`.
struct Made {
    words: Vec<String>,
    /// Whether a keys file can express it.
    is_expressible: bool,
}

impl Made {
    fn random(random: &mut Random, spi: usize) -> Self {
        let is_six = random.once_in(3);
        let is_inbound = random.once_in(2);
        let is_esp = !random.once_in(6);
        let (here, there) = if is_six { ("fd00::1", "fd00::2") } else { ("10.0.0.1", "10.0.0.2") };
        let (src, dst) = if is_inbound { (there, here) } else { (here, there) };
        let proto = if is_esp { "esp" } else { "ah" };
        let mut made = Self { words: vec![format!("src {src} dst {dst} proto {proto} spi {spi:#x}")], is_expressible: true };
        let mode = random.one_of(if is_esp { &["transport", "tunnel", "tunnel", "beet"] } else { &["transport", "tunnel"] });
        made.add(format!("mode {mode}"));
        made.algorithms(random, is_esp);
        made.numbers(random, is_esp && mode == "tunnel");
        made.replay(random, is_inbound);
        made.limits(random);
        if is_esp && !is_six && random.once_in(4) {
            let original = random.one_of(&["0.0.0.0", "10.0.0.9"]);
            made.add(format!("encap espinudp {} {} {original}", 4500 + random.next(2), 4500 + random.next(2)));
        }
        let is_selector_six = if mode == "transport" { is_six } else { random.once_in(2) };
        if mode == "beet" || random.once_in(2) {
            made.selector(random, is_selector_six);
        }
        made
    }

    fn add(&mut self, words: impl Into<String>) {
        self.words.push(words.into());
    }

    fn algorithms(&mut self, random: &mut Random, is_esp: bool) {
        if is_esp && random.once_in(3) {
            let (name, bits, icv) = random.one_of(AEAD);
            let key = random.key(bits);
            return self.add(format!("aead {name} {key} {icv}"));
        }
        if is_esp {
            let (name, bits) = random.one_of(ENC);
            let key = if bits == 0 { "\"\"".to_owned() } else { random.key(bits) };
            self.add(format!("enc {name} {key}"));
        }
        let (name, bits, icv) = random.one_of(AUTH);
        let key = random.key(bits);
        match random.one_of(icv) {
            // A plain `auth` has the kernel's default length.
            _ if random.once_in(4) => self.add(format!("auth {name} {key}")),
            icv => self.add(format!("auth-trunc {name} {key} {icv}")),
        }
    }

    fn numbers(&mut self, random: &mut Random, may_pad: bool) {
        let mask = |random: &mut Random| random.one_of(&["", " mask 0xff", " mask 0xffff0000", " mask 0xffffffff"]);
        if random.once_in(2) {
            self.add(format!("reqid {}", random.next(70_000)));
        }
        if random.once_in(3) {
            self.add(format!("mark {:#x}{}", random.next(256), mask(random)));
        }
        if random.once_in(3) {
            self.add(format!("output-mark {}{}", 1 + random.next(256), mask(random)));
        }
        if random.once_in(3) {
            self.add(format!("if_id {:#x}", random.next(1 << 32)));
        }
        if may_pad && random.once_in(3) {
            self.add(format!("tfcpad {}", random.next(1400)));
        }
        for flag in ["noecn", "decap-dscp", "nopmtudisc", "wildrecv", "icmp", "af-unspec", "align4"] {
            if random.once_in(6) {
                self.add(format!("flag {flag}"));
            }
        }
        for flag in ["dont-encap-dscp", "oseq-may-wrap"] {
            if random.once_in(5) {
                self.add(format!("extra-flag {flag}"));
            }
        }
    }

    fn replay(&mut self, random: &mut Random, is_inbound: bool) {
        let window = random.one_of(&[0, 0, 1, 4, 32, 33, 64, 128, 4096]);
        if window > 0 {
            self.add(format!("replay-window {window}"));
            if random.once_in(3) {
                self.add("flag esn");
            }
        }
        if random.once_in(3) {
            let word = if is_inbound { "replay-seq" } else { "replay-oseq" };
            self.add(format!("{word} {:#x}", 1 + random.next(1 << 20)));
        }
    }

    fn limits(&mut self, random: &mut Random) {
        for unit in ["time", "time-use", "byte", "packet"] {
            if random.once_in(4) {
                let soft = 100_000 + random.next(1 << 30);
                self.add(format!("limit {unit}-soft {soft}"));
                self.add(format!("limit {unit}-hard {}", soft + random.next(1 << 40)));
            }
        }
    }

    fn selector(&mut self, random: &mut Random, is_six: bool) {
        let nets: &[&str] = if is_six {
            &["::/0", "fd01::/64", "fd00::1/128", "fd02::7/128"]
        } else {
            &["0.0.0.0/0", "10.1.0.0/16", "10.0.0.1/32", "10.7.0.0/30"]
        };
        let mut words = format!("sel src {} dst {}", random.one_of(nets), random.one_of(nets));
        let upper = [
            "",
            "",
            "proto tcp",
            "proto tcp dport 179",
            "proto udp sport 500 dport 4500",
            "proto icmp type 8",
            "proto ospf",
            "proto gre key 65538",
            "proto ipv6-icmp type 135 code 1",
            "proto sctp sport 9",
            "proto 200",
            "proto icmp type 8 code 0",
        ];
        let upper = random.one_of(&upper);
        self.is_expressible &= !upper.ends_with("code 0");
        words = format!("{words} {upper}");
        // It must be the last one: `ip` expects the device in front of the protocol or at the end.
        if random.once_in(20) {
            words = format!("{words} dev lo");
            self.is_expressible = false;
        }
        self.add(words);
    }

    /// As a line of a script.
    fn line(&self, random: &mut Random) -> String {
        let start =
            random.one_of(&["ip xfrm state add", "sudo ip -4 x s a", "/sbin/ip xfrm sa add", "ip -n h1 xfrm state add"]);
        let words: Vec<String> = self.words.join(" ").split(' ').map(quoted).collect();
        let separator = random.one_of(&[" ", " ", " \\\n    "]);
        format!("{start} {}{}", words.join(separator), random.one_of(&["\n", " ; true\n", " && true\n", " 2>/dev/null\n"]))
    }
}

/// A word as a shell needs it.
fn quoted(word: &str) -> String {
    if word.contains('(') { format!("'{word}'") } else { word.to_owned() }
}

/// A namespace with the addresses of one end.
fn host() -> Space {
    let space = Space::with_sadb("xfrm");
    space.ip("address add 10.0.0.1/32 dev lo");
    space.ip("address add fd00::1/128 dev lo");
    space
}

/// States without counts: bitmaps, and without what plain output does not have if it is not `whole`.
fn comparable(states: &[String], whole: bool) -> Vec<String> {
    let mut states: Vec<String> = states.iter().map(|state| comparable_state(state, whole)).collect();
    states.sort();
    states
}

fn comparable_state(state: &str, whole: bool) -> String {
    let is_bitmap =
        |line: &str| line.split_whitespace().all(|word| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit()));
    let mut text = String::new();
    for line in state.lines().filter(|line| !is_bitmap(line)) {
        if !whole && line.trim_start().starts_with("lifetime config") {
            break;
        }
        // Without `-s` the extra flags are not printed.
        let line = line.split(", bitmap 0x").next().unwrap_or_default();
        let line = match line.split_once("extra_flag") {
            Some((before, _)) if !whole => before,
            _ => line,
        };
        let line = if whole { line } else { line.split(" (0x").next().unwrap_or_default() };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Imports `text` on `host` and loads the result into another one. Returns the states there, and whether something was lost.
fn imported(host: &Space, text: &str) -> (Vec<String>, bool) {
    let file = private_file(text);
    let ran = host.ipseckey(&format!("import ip-xfrm {}", file.display()));
    fs::remove_file(file).expect("the file exists");
    assert!(matches!(ran.status, 0 | 1), "{ran:?}");
    let again = self::host();
    let loaded = again.try_load(&ran.out);
    assert_eq!(loaded.status, 0, "{}\n{text}\n{}", loaded.err, ran.out);
    (again.states(), ran.status == 1)
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn import_of_each_output_and_of_the_script_gives_the_same_sas() {
    let count = std::env::var("IMPORTED_SAS").map_or(200, |count| count.parse().expect("a number"));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut done, mut expressible) = (0, 0);
    while done < count {
        let batch = BATCH.min(count - done);
        let made: Vec<Made> = (0..batch).map(|at| Made::random(&mut random, 0x1000 + done + at)).collect();
        done += batch;
        let host = host();
        let commands: String = made.iter().map(|sa| format!("xfrm state add {}\n", sa.words.join(" "))).collect();
        let file = private_file(&commands);
        host.ip(&format!("-batch {}", file.display()));
        fs::remove_file(file).expect("the file exists");
        let states = host.states();
        assert_eq!(states.len(), batch, "{commands}");
        let expected: Vec<String> =
            made.iter().zip(&states).filter(|(sa, _)| sa.is_expressible).map(|(_, state)| state.clone()).collect();
        expressible += expected.len();
        let any_lost = expected.len() < batch;
        let script: String = made.iter().map(|sa| sa.line(&mut random)).collect();
        let outputs = [("", false), ("-d ", false), ("-s ", true), ("-d -s -o ", true)];
        let printed = outputs.map(|(options, whole)| (host.ip(&format!("{options}xfrm state")), whole));
        for (text, whole) in printed.into_iter().chain([(script, true)]) {
            let (found, lost) = imported(&host, &text);
            let (expected, found) = (comparable(&expected, whole), comparable(&found, whole));
            assert_eq!(found.concat(), expected.concat(), "imported from:\n{text}");
            assert_eq!(lost, any_lost, "{text}");
        }
    }
    // Most of them: the test would be empty otherwise.
    assert!(4 * expressible > 3 * count, "{expressible} of {count}");
}
