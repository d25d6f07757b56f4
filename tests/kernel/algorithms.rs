//! Every algorithm with every key length, in both modes and both address families.

use std::fmt::Write;

use crate::space::Space;

/// An authentication algorithm: keyword value, key length in bits, name in iproute2, ICV length.
struct Auth(&'static str, usize, &'static str, u32);

/// An encryption algorithm: keyword value, key lengths with salt in bits, the text of iproute2 before and after the key. Those
/// without an ICV are tested together with an authentication algorithm.
struct Encr(&'static str, &'static [usize], &'static str, Option<u32>);

/// RFC 2403, 2404, 4868, 3566, 4494.
const AUTH: &[Auth] = &[
    Auth("md5", 128, "hmac(md5)", 96),
    Auth("sha1", 160, "hmac(sha1)", 96),
    Auth("sha256", 256, "hmac(sha256)", 128),
    Auth("sha384", 384, "hmac(sha384)", 192),
    Auth("sha512", 512, "hmac(sha512)", 256),
    Auth("sha1", 128, "hmac(sha1)", 96),
    Auth("sha512", 1024, "hmac(sha512)", 256),
    Auth("hmac-rmd160", 160, "hmac(rmd160)", 96),
    Auth("aes-xcbc", 128, "xcbc(aes)", 96),
    Auth("aes-cmac", 128, "cmac(aes)", 96),
];

/// RFC 2405, 2451, 3602, 3686, 4309, 4106, 4312, 7634.
const ENCR: &[Encr] = &[
    Encr("des", &[64], "enc cbc(des)", None),
    Encr("3des", &[192], "enc cbc(des3_ede)", None),
    Encr("cast5", &[40, 128], "enc cbc(cast5)", None),
    Encr("serpent", &[128, 192, 256], "enc cbc(serpent)", None),
    Encr("twofish", &[128, 192, 256], "enc cbc(twofish)", None),
    Encr("aes-gmac", &[160, 224, 288], "aead rfc4543(gcm(aes))", Some(128)),
    Encr("blowfish", &[32, 128, 160, 448], "enc cbc(blowfish)", None),
    Encr("aes", &[128, 192, 256], "enc cbc(aes)", None),
    Encr("aes-ctr", &[160, 224, 288], "enc rfc3686(ctr(aes))", None),
    Encr("camellia", &[128, 192, 256], "enc cbc(camellia)", None),
    Encr("aes-ccm8", &[152, 216, 280], "aead rfc4309(ccm(aes))", Some(64)),
    Encr("aes-ccm12", &[152, 216, 280], "aead rfc4309(ccm(aes))", Some(96)),
    Encr("aes-ccm16", &[152, 216, 280], "aead rfc4309(ccm(aes))", Some(128)),
    Encr("aes-gcm8", &[160, 224, 288], "aead rfc4106(gcm(aes))", Some(64)),
    Encr("aes-gcm12", &[160, 224, 288], "aead rfc4106(gcm(aes))", Some(96)),
    Encr("aes-gcm16", &[160, 224, 288], "aead rfc4106(gcm(aes))", Some(128)),
    Encr("chacha20-poly1305", &[288], "aead rfc7539esp(chacha20,poly1305)", Some(128)),
];

/// Algorithms as in a command, and as in iproute2.
struct Combination {
    sa_type: &'static str,
    words: String,
    shown: String,
}

/// Addresses and mode of an SA, as in a command and as in iproute2.
struct Path {
    words: &'static str,
    ends: &'static str,
    mode: &'static str,
    selector: &'static str,
}

const PATHS: &[Path] = &[
    Path {
        words: "src 10.0.0.1 dst 10.0.0.2",
        ends: "src 10.0.0.1 dst 10.0.0.2",
        mode: "transport",
        selector: "src 0.0.0.0/0 dst 0.0.0.0/0",
    },
    Path {
        words: "src 10.0.0.1 dst 10.0.0.2 isrc 10.1.0.0/16 idst 10.2.0.0/16",
        ends: "src 10.0.0.1 dst 10.0.0.2",
        mode: "tunnel",
        selector: "src 10.1.0.0/16 dst 10.2.0.0/16",
    },
    Path {
        words: "src fd00::1 dst fd00::2",
        ends: "src fd00::1 dst fd00::2",
        mode: "transport",
        selector: "src ::/0 dst ::/0",
    },
    Path {
        words: "src fd00::1 dst fd00::2 isrc 10.1.0.0/16 idst 10.2.0.0/16",
        ends: "src fd00::1 dst fd00::2",
        mode: "tunnel",
        selector: "src 10.1.0.0/16 dst 10.2.0.0/16",
    },
    Path {
        words: "src 10.0.0.1 dst 10.0.0.2 isrc fd01::/16 idst fd02::/64",
        ends: "src 10.0.0.1 dst 10.0.0.2",
        mode: "tunnel",
        selector: "src fd01::/16 dst fd02::/64",
    },
];

/// A key of that many bits that is not weak; each byte differs from its neighbours.
fn key(bits: usize) -> String {
    (0..bits / 8).map(|at| format!("{:02x}", (at * 37 + 11) % 256)).collect()
}

fn auth(Auth(word, bits, name, icv): &Auth) -> (String, String) {
    let key = key(*bits);
    (format!("auth_alg {word} authkey {key}"), format!("\tauth-trunc {name} 0x{key} ({bits} bits) {icv}\n"))
}

/// Every combination of the tables.
fn combinations() -> Vec<Combination> {
    let mut combinations = Vec::new();
    for row in AUTH {
        let (words, shown) = auth(row);
        combinations.push(Combination { sa_type: "ah", words: words.clone(), shown: shown.clone() });
        combinations.push(Combination { sa_type: "esp", words, shown: format!("{shown}\tenc ecb(cipher_null)\n") });
    }
    for (at, Encr(word, sizes, name, icv)) in ENCR.iter().enumerate() {
        for bits in *sizes {
            let key = key(*bits);
            let words = format!("encr_alg {word} encrkey {key}");
            let shown = format!("\t{name} 0x{key} ({bits} bits)");
            combinations.push(match icv {
                Some(icv) => Combination { sa_type: "esp", words, shown: format!("{shown} {icv}\n") },
                None => {
                    let (auth_words, auth_shown) = auth(&AUTH[at % AUTH.len()]);
                    Combination {
                        sa_type: "esp",
                        words: format!("{words} {auth_words}"),
                        shown: format!("{auth_shown}{shown}\n"),
                    }
                }
            });
        }
    }
    combinations
}

fn state(combination: &Combination, path: &Path, spi: u32) -> String {
    let Combination { sa_type, shown, .. } = combination;
    let Path { ends, mode, selector, .. } = path;
    format!(
        "{ends}\n\
         \tproto {sa_type} spi {spi:#010x}({spi}) reqid 0(0x00000000) mode {mode}\n\
         \treplay-window 0 flag  (0x00000000)\n\
         {shown}\
         \tanti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000\n\
         \tsel {selector} uid 0\n\
         \tlifetime config:\n\
         \t  limit: soft (INF)(bytes), hard (INF)(bytes)\n\
         \t  limit: soft (INF)(packets), hard (INF)(packets)\n\
         \t  expire add: soft 0(sec), hard 0(sec)\n\
         \t  expire use: soft 0(sec), hard 0(sec)\n\
         \tlifetime current:\n\
         \t  0(bytes), 0(packets)\n\
         \tstats:\n\
         \t  replay-window 0 replay 0 failed 0\n"
    )
}

/// A request for each combination and path. RIPEMD-160 is left out: newer kernels lack it.
pub fn requests() -> Vec<String> {
    let all = combinations().into_iter().filter(|combination| !combination.words.contains("rmd160"));
    let add = |one: &Combination, path: &Path| format!("add {} spi 0x1000 {} {}", one.sa_type, path.words, one.words);
    all.flat_map(|one| PATHS.iter().map(move |path| add(&one, path))).collect()
}

/// Whether this kernel has the algorithms: newer ones lack RIPEMD-160.
fn has_algorithms(space: &Space, combination: &Combination) -> bool {
    if !combination.words.contains("rmd160") {
        return true;
    }
    let path = &PATHS[0].words;
    let ran = space.try_load(&format!("add {} spi 0x999 {path} {}\n", combination.sa_type, combination.words));
    space.ipseckey("flush").succeeded();
    assert!(ran.status == 0 || ran.err.contains("this kernel has no hmac(rmd160)"), "{ran:?}");
    ran.status == 0
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn xfrm_algorithms_with_each_key_length_mode_and_family() {
    let space = Space::new();
    let combinations: Vec<_> =
        combinations().into_iter().filter(|combination| has_algorithms(&space, combination)).collect();
    let (mut keys, mut expected) = (String::new(), Vec::new());
    for path in PATHS {
        for combination in &combinations {
            let spi = 0x1000 + u32::try_from(expected.len()).expect("few");
            writeln!(keys, "add {} spi {spi:#x} {} {}", combination.sa_type, path.words, combination.words).expect("writes");
            expected.push(state(combination, path, spi));
        }
    }
    space.load(&keys);
    let found = space.states();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    space.assert_saved_file_loads();
}
