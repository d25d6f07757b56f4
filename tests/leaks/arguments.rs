//! No error message repeats a key from the command line.

use super::bench::Bench;
use super::damage::KeysFile;
use super::forms::{self, FORMS};
use super::ipseckey;
use super::sample::Sample;
use super::scan::refuse_leaks;

/// Other users can see a key on the command line (ps(1)); an error message must not copy it to logs as well.
#[test]
fn usage_error_does_not_repeat_a_key_argument() {
    let bench = Bench::with_model();
    let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let file = KeysFile { bytes: Vec::new(), keys: vec![key.to_owned()] };
    let (ends, equals) = (["src", "192.0.2.1", "dst", "192.0.2.2"], format!("--color={key}"));
    let lines: &[&[&str]] = &[
        &[key],
        &["add", "esp", "spi", "1", "dst", "192.0.2.2", "encrkey", key],
        &["get", "esp", "spi", key],
        &["get", "esp", "spi", "1", "dst", key],
        &["dump", key],
        &["flush", key],
        &["save", key],
        &["monitor", key],
        &["help", key],
        &["genkey", key],
        &["genkey", "aes", key],
        &["generate", key, "src"],
        &["generate", "esp", key],
        &["generate", "esp", "src", key, "dst", "192.0.2.2"],
        &[&["generate", "esp", "encr_alg", key][..], &ends].concat(),
        &[&["generate", "esp", "encrkey", key][..], &ends].concat(),
        &[&["generate", "esp", "srcidtype", key, key][..], &ends].concat(),
        &["explain", key],
        &["export", key],
        &["import", key, "file"],
        &["--color", key, "dump"],
        &[&equals, "dump"],
        &["--sadb", key, "dump"],
        &["-n", "-f", "file", key],
    ];
    for arguments in lines {
        let run = ipseckey(&bench, arguments, b"");
        assert!(run.exit != Some(0) && !run.stderr.is_empty(), "{arguments:?}");
        refuse_leaks(&format!("{arguments:?}"), &file, &run.words());
    }
    for arguments in [&[key][..], &["start", "--sadb", key], &["start", "--flush", key], &["start", key]] {
        let run = bench.run_bare(arguments);
        assert!(run.exit != Some(0) && !run.stderr.is_empty(), "{arguments:?}");
        refuse_leaks(&format!("manual-key {arguments:?}"), &file, &run.words());
    }
}

/// Arguments in each form: as a command, an option, the value of an option, a name of a file, an argument of a tool.
#[test]
fn arguments_in_all_forms_are_not_repeated() {
    let bench = Bench::with_model();
    for seed in 0..u64::try_from(FORMS.len()).unwrap() {
        let sample = Sample::new((1 << 43) + seed);
        let name = sample.name();
        let Sample { key, written, .. } = sample;
        let word = written.replace('\0', " ");
        let file = KeysFile { bytes: word.clone().into_bytes(), keys: vec![forms::hex(&key)] };
        let (option, value) = (format!("--{word}"), format!("--color={word}"));
        let lines: [&[&str]; 18] = [
            &[&word],
            &[&option],
            &[&value],
            &["get", "esp", "spi", "5", "dst", &word],
            &["dump", &word],
            &["-f", &word],
            &["-c", &word],
            &["-n", "--hosts", &word, "dump"],
            &["--sadb", &word, "dump"],
            &["genkey", &word],
            &["genkey", "aes", &word],
            &["generate", "esp", "src", &word, "dst", "192.0.2.2"],
            &["explain", &word],
            &["export", &word],
            &["import", "setkey", &word],
            &["doctor", &word],
            &["show", &word],
            &["show", "--openmetrics", &word],
        ];
        for arguments in lines {
            refuse_leaks(&format!("{name}: {arguments:?}"), &file, &ipseckey(&bench, arguments, b"").words());
        }
        let services: [&[&str]; 6] = [
            &[&word],
            &["start", "--sadb", &word],
            &["check", "--config-file", &word],
            &["check", "--config", &word],
            &["status", "--warn", &word],
            &["stop", "--instance", &word],
        ];
        for arguments in services {
            refuse_leaks(&format!("{name}: manual-key {arguments:?}"), &file, &bench.run_bare(arguments).words());
        }
    }
}

/// Groups of digits with colons are an address, where one is expected; an error about it masks it nevertheless.
#[test]
fn errors_mask_a_key_in_the_form_of_an_address() {
    let bench = Bench::with_model();
    let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let address = "0f1e:2d3c:4b5a:6978:8796:a5b4:c3d2:e1f0";
    let file = KeysFile { bytes: Vec::new(), keys: vec![key.to_owned()] };
    let end = "encr_alg aes encrkey 00112233445566778899aabbccddeeff";
    let add = format!("add esp spi 0x1001 dst {address} {end}\n");
    let xfrm = format!("ip xfrm state add src ::1 dst {address} proto esp spi 0x1001 encap espinudp x\n");
    let policy = format!("ip xfrm policy add src {address} dst ::1 dir out tmpl proto esp\n");
    let texts = [
        format!("delete esp spi 0x1001 dst {address}\n"),
        format!("{add}{add}"),
        format!("update esp spi 0x1001 dst {address} pair-spi 7\n"),
        xfrm,
        policy,
    ];
    for text in texts {
        let path = bench.file("keys", &text);
        let name = path.to_str().unwrap();
        for arguments in [&["-n", "-c", name][..], &["-n", "-f", name], &["import", "ip-xfrm", name]] {
            let run = ipseckey(&bench, arguments, b"");
            assert_ne!(run.stderr, "", "{arguments:?}: {text}");
            refuse_leaks(&format!("{arguments:?}"), &file, &run.stderr);
        }
    }
    ipseckey(&bench, &["flush"], b"");
    refuse_leaks("show", &file, &ipseckey(&bench, &["-n", "show", address], b"").words());
}
