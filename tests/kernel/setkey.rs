//! SAs with random attributes, made by setkey of ipsec-tools: the output of `setkey -D`, imported and loaded, gives the same SAs,
//! and so does the script that made them. What `export setkey` writes gives the same SAs again.
//!
//! Debian has no setkey any more: `SETKEY=/path/to/setkey tests/kernel/run setkey` names one. Without it the test is skipped.

use std::fs;
use std::process::Command;

use crate::import::Random;
use crate::space::{Space, private_file};

/// SAs of one namespace.
const BATCH: usize = 50;
/// setkey's names of algorithms of the kernel, and bits of their keys.
const AUTH: &[(&str, usize)] = &[
    ("hmac-md5", 128),
    ("hmac-sha1", 160),
    ("hmac-sha256", 256),
    ("hmac-sha384", 384),
    ("hmac-sha512", 512),
    ("aes-xcbc-mac", 128),
];
const ENCR: &[(&str, usize)] = &[
    ("3des-cbc", 192),
    ("aes-cbc", 128),
    ("aes-cbc", 192),
    ("aes-cbc", 256),
    ("camellia-cbc", 128),
    ("aes-ctr", 160),
    ("null", 0),
];

/// A command `add` of setkey(8).
fn command(random: &mut Random, spi: usize) -> String {
    let is_esp = !random.once_in(4);
    let is_udp = is_esp && random.once_in(6);
    let (src, dst) = match (is_udp, random.once_in(3)) {
        (false, true) => random.one_of(&[("fd00::1", "fd00::2"), ("fd00::2", "fd00::1")]),
        _ => random.one_of(&[("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")]),
    };
    let proto = match (is_esp, is_udp) {
        (true, true) => "esp-udp",
        (true, false) => "esp",
        (false, _) => "ah",
    };
    let ports = if is_udp { ["[4500]", "[4501]"] } else { ["", ""] };
    let mut words = format!("add {src}{} {dst}{} {proto} {spi:#x}", ports[0], ports[1]);
    // Linux takes `any`, the default, for transport.
    words += &format!(" -m {}", random.one_of(&["transport", "tunnel"]));
    if random.once_in(2) {
        words += &format!(" -u {}", 1 + random.next(16_000));
    }
    if random.once_in(2) {
        words += &format!(" -r {}", 1 + random.next(32));
    }
    for (soft, hard) in [("-ls", "-lh"), ("-bs", "-bh")] {
        if random.once_in(3) {
            let limit = 100_000 + random.next(1 << 20);
            words += &format!(" {soft} {limit} {hard} {}", limit + random.next(1 << 20));
        }
    }
    if is_esp {
        words += &algorithm(random, "-E", ENCR);
    }
    words += &algorithm(random, "-A", AUTH);
    words + random.one_of(&[";\n", " ;\n", "; # a comment\n"])
}

fn algorithm(random: &mut Random, option: &str, table: &[(&str, usize)]) -> String {
    let (name, bits) = random.one_of(table);
    match bits {
        0 => format!(" {option} {name}"),
        bits => format!(" {option} {name} {}", random.key(bits)),
    }
}

/// A namespace with the addresses of one end.
fn host() -> Space {
    let space = Space::with_sadb("xfrm");
    space.ip("address add 10.0.0.1/32 dev lo");
    space.ip("address add fd00::1/128 dev lo nodad");
    space
}

fn setkey(host: &Space, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    let ran = host.run(command);
    // setkey exits with 0 after errors, too.
    assert!(ran.status == 0 && ran.err.is_empty(), "{ran:?}");
    ran.out
}

/// States in an order that does not depend on the way they were added.
fn sorted(host: &Space) -> String {
    let mut states = host.states();
    states.sort();
    states.concat()
}

/// Imports `text` on `host`, and loads the result in another namespace.
fn imported(host: &Space, text: &str) -> (Space, String) {
    let file = private_file(text);
    let ran = host.ipseckey(&format!("import setkey {}", file.display()));
    fs::remove_file(file).expect("the file exists");
    assert_eq!(ran.status, 0, "{}\n{text}", ran.err);
    let again = self::host();
    // setkey on Linux truncates this one to 96 bits; the note of `import` says what to add.
    let has_note = ran.err.contains("add `icv 96`");
    assert_eq!(has_note, ran.out.contains("hmac-sha256"), "{}", ran.err);
    let keys = ran.out.replace("auth_alg hmac-sha256", "auth_alg hmac-sha256 icv 96");
    again.load(&keys);
    (again, keys)
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
#[allow(clippy::print_stdout, reason = "a test that is skipped says why")]
fn import_and_export_setkey_give_the_same_sas() {
    let Some(program) = std::env::var("SETKEY").ok().filter(|path| !path.is_empty()) else {
        return println!("skipped: SETKEY names no setkey");
    };
    let count = std::env::var("IMPORTED_SAS").map_or(200, |count| count.parse().expect("a number"));
    let mut random = Random(0x5bd1_e995_9e37_79b9);
    for done in (0..count).step_by(BATCH) {
        let commands: Vec<String> =
            (0..BATCH.min(count - done)).map(|at| command(&mut random, 0x1000 + done + at)).collect();
        let script = format!("flush;\n{}", commands.concat());
        let file = private_file(&script);
        let made = host();
        setkey(&made, &program, &["-f", file.to_str().expect("UTF-8")]);
        fs::remove_file(file).expect("the file exists");
        let expected = sorted(&made);
        assert_eq!(expected.matches("\tproto ").count(), commands.len(), "{script}");
        let (of_output, keys) = imported(&made, &setkey(&made, &program, &["-D"]));
        assert_eq!(sorted(&of_output), expected, "imported from the output for\n{script}");
        let (of_script, _) = imported(&made, &script);
        assert_eq!(sorted(&of_script), expected, "imported from\n{script}");
        assert_eq!(exported(&program, &keys), expected, "exported from\n{keys}");
    }
}

/// The SAs that setkey adds from what `export setkey` writes.
fn exported(program: &str, keys: &str) -> String {
    let host = host();
    let file = private_file(keys);
    let ran = host.ipseckey(&format!("export setkey {}", file.display()));
    fs::write(&file, &ran.out).expect("the file exists");
    setkey(&host, program, &["-f", file.to_str().expect("UTF-8")]);
    fs::remove_file(file).expect("the file exists");
    sorted(&host)
}
