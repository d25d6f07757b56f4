//! Each keyword alone: it is in the output of `export`, in the other program's words, or named in a message with exit status 1.

use super::{exported, imported, ipseckey, saved};

/// A keyword, the words that a command with it needs, and the words of ip-xfrm(8) and setkey(8) for it. Without words, the keyword
/// is named in a message. `*` stands for the keyword itself in the command.
const SAMPLES: &[(&str, &str, &str, &str)] = &[
    ("spi", "", " spi 0x1000 ", " 0x1000 "),
    ("src", "", " src 192.0.2.1 ", "add 192.0.2.1 "),
    ("dst", "", " dst 192.0.2.2 ", " 192.0.2.2 "),
    ("auth_alg", "", " auth-trunc 'hmac(sha1)' ", " -A hmac-sha1 "),
    ("authkey", "", " 0x0123456789abcdef0123456789abcdef01234567 96", " 0x0123456789abcdef0123456789abcdef01234567;"),
    ("encr_alg", "", " enc 'cbc(aes)' ", " -E aes-cbc "),
    ("encrkey", "", " 0x00112233445566778899aabbccddeeff", " 0x00112233445566778899aabbccddeeff "),
    ("pair-spi", "* 0x1001", "", ""),
    ("replay", "* 32", " replay-window 32", " -r 32"),
    ("replay_value", "* 5 outbound", " replay-oseq 5", ""),
    ("state", "* dying", "", ""),
    ("soft_alloc", "* 5", "", ""),
    ("hard_alloc", "* 5", "", ""),
    ("soft_bytes", "* 5", " limit byte-soft 5", " -bs 5"),
    ("hard_bytes", "* 5", " limit byte-hard 5", " -bh 5"),
    ("soft_addtime", "* 5", " limit time-soft 5", " -ls 5"),
    ("hard_addtime", "* 5", " limit time-hard 5", " -lh 5"),
    ("soft_usetime", "* 5", " limit time-use-soft 5", ""),
    ("hard_usetime", "* 5", " limit time-use-hard 5", ""),
    ("idle_addtime", "* 5", "", ""),
    ("idle_usetime", "* 5", "", ""),
    ("isrc", "* 10.1.0.0/16", " sel src 10.1.0.0/16 dst 0.0.0.0/0", ""),
    ("idst", "* 10.1.0.0/16", " sel src 0.0.0.0/0 dst 10.1.0.0/16", ""),
    ("sport", "* 53 proto 17", " proto 17 sport 53", ""),
    ("dport", "* 53 proto 17", " proto 17 dport 53", ""),
    ("isport", "* 53 iproto udp", " sel src 0.0.0.0/0 dst 0.0.0.0/0 proto 17 sport 53", ""),
    ("idport", "* 53 iproto udp", " proto 17 dport 53", ""),
    ("proto", "* ospf", " sel src 192.0.2.1 dst 192.0.2.2 proto 89", ""),
    ("iproto", "* 1", " sel src 0.0.0.0/0 dst 0.0.0.0/0 proto 1", ""),
    ("srcidtype", "* fqdn a.example", "", ""),
    ("dstidtype", "* fqdn a.example", "", ""),
    ("nat_loc", "encap udp * 203.0.113.1", "", ""),
    ("nat_rem", "encap udp * 203.0.113.1", " encap espinudp 4500 4500 203.0.113.1", ""),
    ("nat_lport", "encap udp * 4501 outbound", " encap espinudp 4501 4500 0.0.0.0", "[4501] 192.0.2.2[4500] esp-udp "),
    ("nat_rport", "encap udp * 4501 inbound", " encap espinudp 4501 4500 0.0.0.0", "[4501] 192.0.2.2[4500] esp-udp "),
    ("encap", "* udp nat_lport 4500", " encap espinudp 4500 4500 0.0.0.0", " esp-udp "),
    ("outbound", "*", " dir out", ""),
    ("inbound", "*", " dir in", ""),
    ("reserved_bits", "* 0", " enc 'cbc(aes)' 0x00112233445566778899aabbccddeeff", " 0x00112233445566778899aabbccddeeff "),
    ("mode", "* beet", " mode beet ", ""),
    ("reqid", "* 7", " reqid 7", " -u 7"),
    ("mark", "* 1/255", " mark 0x1 mask 0xff", ""),
    ("if_id", "* 9", " if_id 9", ""),
    ("output-mark", "* 1/255", " output-mark 0x1 mask 0xff", ""),
    ("offload", "* eth0 outbound", " dir out offload dev eth0 dir out", ""),
    ("offload-packet", "* eth0 inbound", " dir in offload packet dev eth0 dir in", ""),
    ("tfcpad", "* 100 mode tunnel", " tfcpad 100", ""),
    ("esn", "* replay 32", " flag esn", ""),
    ("flag", "* noecn", " flag noecn", ""),
    ("soft_packets", "* 5", " limit packet-soft 5", ""),
    ("hard_packets", "* 5", " limit packet-hard 5", ""),
    ("accept_from", "* 1700000000", "", ""),
    ("accept_until", "* 1700000000", "", ""),
    ("send_from", "* 1700000000", "", ""),
    ("send_until", "* 2023-11-14T22:13:20Z", "", ""),
    ("icv", "* 128", " 0x0123456789abcdef0123456789abcdef01234567 128", ""),
];

/// Keywords with the same meaning as one of [`SAMPLES`].
const SYNONYMS: &[(&str, &[&str])] = &[
    ("auth_alg", &["authalg"]),
    ("encr_alg", &["encralg"]),
    ("src", &["saddr", "srcaddr", "saddr6", "srcaddr6", "src6"]),
    ("dst", &["daddr", "dstaddr", "daddr6", "dstaddr6", "dst6"]),
    ("isrc", &["proxyaddr", "proxy", "innersrc", "proxyaddr6", "proxy6", "innersrc6", "isrc6"]),
    ("idst", &["innerdst", "innerdst6", "idst6"]),
    ("isport", &["innersport"]),
    ("idport", &["innerdport"]),
    ("proto", &["ulp"]),
    ("iproto", &["iulp"]),
];

fn command(words: &str) -> String {
    format!(
        "add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 {words} encr_alg aes encrkey 00112233445566778899aabbccddeeff \
         auth_alg sha1 authkey 0123456789abcdef0123456789abcdef01234567\n"
    )
}

#[test]
fn every_keyword_has_a_sample() {
    let help = ipseckey(&["help", "attr"]);
    let text = String::from_utf8(help.stdout).unwrap();
    let known = |word: &str| SAMPLES.iter().any(|row| row.0 == word) || SYNONYMS.iter().any(|row| row.1.contains(&word));
    // An entry is indented by two columns: its spellings, its value, and after more spaces the meaning.
    let entries = text.lines().filter_map(|line| line.strip_prefix("  ").filter(|entry| !entry.starts_with(' ')));
    let spellings = entries.flat_map(|entry| entry.split("  ").next().unwrap_or_default().split(", "));
    let words: Vec<&str> = spellings.filter_map(|spelling| spelling.split_whitespace().next()).collect();
    assert!(words.len() > SAMPLES.len(), "{text}");
    let missing: Vec<&&str> = words.iter().filter(|word| !known(word)).collect();
    assert!(missing.is_empty(), "no sample for {missing:?}");
}

#[test]
fn export_writes_or_names_each_keyword() {
    for (keyword, words, ip, setkey) in SAMPLES {
        let keys = command(&words.replace('*', keyword));
        for (format, expected) in [("ip-xfrm", ip), ("setkey", setkey)] {
            let (text, output) = exported(format, &keys);
            let printed = String::from_utf8(output.stderr).unwrap();
            let told: Vec<&str> =
                printed.lines().filter(|line| line.contains("lost: ") || line.contains("not exported: ")).collect();
            if expected.is_empty() {
                let word = keyword.split('-').next().unwrap();
                assert!(told.iter().any(|line| line.contains(word)), "export {format}, {keyword}: {printed}\n{text}");
                assert_eq!(output.status.code(), Some(1), "export {format}, {keyword}: {printed}");
            } else {
                let line = text.replace('\n', " ");
                assert!(line.contains(expected), "export {format}, {keyword}: {expected:?} is missing\n{text}{printed}");
                // Another word of the sample may be lost, this one is not.
                assert!(!told.iter().any(|line| line.contains(&format!("express {keyword}"))), "{keyword}: {printed}");
                assert_eq!(output.status.code(), Some(i32::from(!told.is_empty())), "export {format}, {keyword}: {printed}");
            }
        }
    }
}

/// Keywords that `save` writes in another form, with a word of that form.
const SAVED_AS: &[(&str, &str)] = &[
    // Zero, the default.
    ("reserved_bits", "encr_alg"),
];

/// Lines in an order that does not depend on that of the SAs.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// `save` writes each keyword, or `add` has named it, and the saved file gives the same SA again.
#[test]
fn save_writes_or_add_names_each_keyword() {
    for (keyword, words, ..) in SAMPLES {
        // The paired SA has to exist.
        let paired = command("").replace("0x1000 src 192.0.2.1 dst 192.0.2.2", "0x1001 src 192.0.2.2 dst 192.0.2.1");
        let (text, printed) = saved(&(paired + &command(&words.replace('*', keyword))));
        // Twice: the order is reversed each time, and with it which of two paired SAs names the other.
        let again = saved(&saved(&text).0).0;
        assert_eq!(sorted(&again), sorted(&text), "{keyword}: {printed}");
        let form = SAVED_AS.iter().find(|row| row.0 == *keyword).map_or(*keyword, |row| row.1);
        let is_saved = text.split_whitespace().any(|word| word == form);
        let is_named = printed.lines().any(|line| line.starts_with("ipseckey: ") || line.contains("error["))
            && printed.contains(keyword);
        assert!(is_saved || is_named, "{keyword} is lost: {text}{printed}");
    }
}

/// Commands that are correct, but that Linux refuses: `import` and `export` write and name them, with exit status 1.
#[test]
fn import_and_export_name_what_linux_refuses() {
    for words in ["esn", "tfcpad 100 mode transport", "hard_bytes 10 soft_bytes 20"] {
        let keys = command(words);
        for format in ["ip-xfrm", "setkey"] {
            let (text, output) = exported(format, &keys);
            let printed = String::from_utf8(output.stderr).unwrap();
            assert!(printed.contains("not loadable: Linux refuses the SA with spi 0x1000: "), "{words}: {printed}");
            assert_eq!(output.status.code(), Some(1), "{words}");
            if format == "ip-xfrm" {
                let (again, output) = imported(format, &text);
                let printed = String::from_utf8(output.stderr).unwrap();
                assert!(printed.contains("not loadable: ") && again.contains("spi 0x1000 "), "{words}: {printed}{again}");
                assert_eq!(output.status.code(), Some(1), "{words}");
            }
        }
        // A decrypting program adds no SA.
        let (_, output) = exported("wireshark", &keys);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("not loadable"), "{words}");
    }
}
