use crate::convert::ImportFormat;
use crate::convert::import::testing::{imported, lost};

const AES: &str = "0x0123456789abcdef0123456789abcdef";
const SHA1: &str = "0x0123456789abcdef0123456789abcdef01234567";

fn import(text: &str) -> (String, Vec<(u32, String)>) {
    imported(ImportFormat::IpXfrm, text)
}

/// An add command with `words` behind the identity.
fn add(words: &str) -> String {
    format!("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 enc aes {AES} auth sha1 {SHA1} {words}\n")
}

/// The keywords between the addresses and the keys, and what is missing.
fn keywords(words: &str) -> (String, Vec<String>) {
    let (keys, lost) = lost(ImportFormat::IpXfrm, &add(words));
    let after = keys.split_once("dst 192.0.2.2").map_or(keys.as_str(), |found| found.1);
    (after.split(" encr_alg").next().unwrap_or_default().trim().to_owned(), lost)
}

#[test]
fn a_script_is_imported() {
    let text = "# c\nip xfrm state flush\nip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel reqid 7 \\\n  \
                replay-window 32 flag esn auth-trunc 'hmac(sha256)' 0x00ff 128 enc aes 0x0102 sel src 10.1.0.0/16 dst 0.0.0.0/0 \\\n  \
                limit time-hard 60\nip xfrm policy add dir out\n";
    let (keys, notes) = import(text);
    assert_eq!(
        keys,
        "flush\nadd esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 mode tunnel reqid 7 replay 32 esn isrc 10.1.0.0/16 idst 0.0.0.0/0 \
         hard_addtime 60 encr_alg aes-cbc \\\n    encrkey 0102 auth_alg hmac-sha256 \\\n    authkey 00ff\n"
    );
    assert_eq!(notes, []);
}

#[test]
fn the_output_of_ip_xfrm_state_is_imported() {
    let text = "src 2001:db8::1 dst 2001:db8::2\n\tproto esp spi 0x00001000 reqid 0 mode transport\n\treplay-window 0 flag esn\n\
                \taead rfc4106(gcm(aes)) 0x00ff 128\n\tencap type espinudp sport 4500 dport 4501 addr ::\n\
                \tanti-replay esn context:\n\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x7\n\t replay_window 64, bitmap-length 2\n\
                \t 00000000 00000000 \n\tif_id 0x2a\n\ttfcpad 100\n\tdir out\n\tsel src ::/0 dst ::/0 \n\
                src 192.0.2.1 dst 192.0.2.2\n\tproto ah spi 0x00001001 reqid 0 mode transport\n\tauth hmac(sha256) 0x01\n\
                \tanti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000\n";
    let (keys, notes) = import(text);
    assert_eq!(
        keys,
        "add esp spi 0x1000 src 2001:db8::1 dst 2001:db8::2 if_id 0x2a tfcpad 100 replay 64 replay_value 7 esn outbound encap udp \
         nat_lport 4500 nat_rport 4501 encr_alg aes-gcm \\\n    encrkey 00ff\n\
         add ah spi 0x1001 src 192.0.2.1 dst 192.0.2.2 auth_alg hmac-sha256 icv 96 \\\n    authkey 01\n"
    );
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].1.contains("-s"), "{notes:?}");
}

/// `ip -s xfrm state`, and the same SA of `ip -s -o xfrm state`.
#[test]
fn the_output_with_statistics_and_in_one_line_is_imported() {
    let lines = [
        "src 192.0.2.2 dst 192.0.2.1",
        "\tproto esp spi 0x00001005(4101) reqid 1(0x00000001) mode tunnel",
        "\treplay-window 32 seq 0x00000000 flag noecn decap-dscpextra_flag oseq-may-wrap (0x00000011)",
        "\tmark 0x1/0xff output-mark 0x2/0xffffffff",
        "\tauth-trunc hmac(sha1) 0x0123456789abcdef0123456789abcdef01234567 (160 bits) 96",
        "\tenc cbc(aes) 0x0123456789abcdef0123456789abcdef (128 bits)",
        "\tlastused 2026-11-25 23:37:46",
        "\tanti-replay context: seq 0x5, oseq 0x0, bitmap 0x0000001f",
        "\tcrypto offload parameters: dev eth0 dir in mode packet",
        "\tsel src 10.1.0.0/16 dst 10.2.0.0/16 proto tcp sport 1 uid 0",
        "\tlifetime config:",
        "\t  limit: soft 1000000(bytes), hard (INF)(bytes)",
        "\t  limit: soft (INF)(packets), hard 7(packets)",
        "\t  expire add: soft 0(sec), hard 3600(sec)",
        "\t  expire use: soft 8(sec), hard 0(sec)",
        "\tlifetime current:",
        "\t  420(bytes), 5(packets)",
        "\t  add 2026-11-25 23:37:46 use -",
        "\tstats:",
        "\t  replay-window 0 replay 0 failed 0",
    ];
    let expected = "add esp spi 0x1005 src 192.0.2.2 dst 192.0.2.1 mode tunnel reqid 1 mark 0x1/0xff output-mark 0x2 \
                    offload-packet eth0 replay 32 replay_value 5 flag noecn,decap-dscp,oseq-may-wrap inbound isrc 10.1.0.0/16 \
                    idst 10.2.0.0/16 iproto 6 isport 1 soft_bytes 1000000 hard_packets 7 hard_addtime 3600 soft_usetime 8 \
                    encr_alg aes-cbc \\\n    encrkey 0123456789abcdef0123456789abcdef auth_alg hmac-sha1 \\\n    \
                    authkey 0123456789abcdef0123456789abcdef01234567\n";
    for text in [lines.join("\n") + "\n", lines.join("\\") + "\\\n"] {
        let (keys, notes) = import(&text);
        assert_eq!((keys.as_str(), notes), (expected, Vec::new()));
    }
}

#[test]
fn a_selector_in_transport_mode_keeps_the_mode() {
    let own = "mode transport isrc 192.0.2.1/32 idst 192.0.2.2/32";
    assert_eq!(keywords("sel src 192.0.2.1/32 dst 192.0.2.2/32").0, own);
    assert_eq!(keywords("mode tr sel src 192.0.2.1 dst 192.0.2.2").0, own);
    let any = "mode tunnel isrc 0.0.0.0/0 idst 0.0.0.0/0";
    assert_eq!(keywords("mode tunnel sel proto ospf").0, format!("{any} iproto 89"));
    assert_eq!(keywords("mode tunnel sel src ::/0 dst ::/0").0, "mode tunnel isrc ::/0 idst ::/0");
    assert_eq!(keywords("mode tunnel sel src 0/0 dst any").0, "mode tunnel");
    // The default selector has no family with this flag.
    assert_eq!(
        keywords("mode tunnel flag af-unspec sel src 0/0 dst 0/0").0,
        "mode tunnel flag af-unspec isrc 0.0.0.0/0 idst 0.0.0.0/0"
    );
    assert_eq!(keywords("mode tunnel sel proto gre key 0x00010002").0, format!("{any} iproto 47 isport 1 idport 2"));
    assert_eq!(keywords("mode tunnel sel proto icmp type 8").0, format!("{any} iproto 1 isport 8"));
}

/// Each is refused, and the message has the words.
#[test]
fn what_would_be_another_sa_is_refused_by_name() {
    for (words, named) in [
        ("sel src 10.1.0.0/16 dst 10.2.0.0/16 dev eth0", "dev \"eth0\""),
        ("sel proto icmp type 8 code 0", "code 0"),
        ("sel proto gre key 7", "key 0"),
        ("mode ro", "mode ro"),
        ("mode 5", "iptfs"),
        ("encap espintcp 4500 4500 0.0.0.0", "\"espintcp\""),
        ("encap espinudp-nonike 4500 4500 0.0.0.0", "\"espinudp-nonike\""),
        ("limit byte-hard 0", "hard_bytes"),
        ("pcpu-num 3", "pcpu-num 3"),
        ("ctx system_u:object_r:x:s0", "ctx"),
        ("coa 192.0.2.9", "coa"),
        ("replay-oseq-hi 1", "more than 32 bits"),
        ("replay-seq 5", "replay-seq 0x5"),
        ("key", "\"key\""),
        ("flag noec", "unknown flag"),
        ("extra-flag 0x4", "flags 0x4"),
        ("reqid $ID", "$ID"),
        ("auth sha1 0x01", "auth occurs twice"),
        ("dir fwd", "dir"),
        ("offload eth0", "offload"),
    ] {
        let (keys, lost) = keywords(words);
        assert!(keys.is_empty() || keys.starts_with('#') || !keys.contains("add"), "{words}: {keys}");
        assert_eq!(lost.len(), 1, "{words}: {lost:?}");
        assert!(lost[0].contains(named), "{words}: {lost:?}");
        assert!(lost[0].contains("esp spi 0x1001 dst 192.0.2.2"), "{words}: {lost:?}");
    }
}

/// Each is named, and the SA is written without it.
#[test]
fn what_is_no_property_of_the_sa_is_named() {
    for (words, named) in [
        ("seq 5", "seq 0x5"),
        ("nat-keepalive-interval 20", "nat-keepalive-interval 20"),
        ("dir out replay-oseq 3 replay-seq 2", "replay-seq 0x2"),
    ] {
        let (keys, lost) = lost(ImportFormat::IpXfrm, &add(words));
        assert!(keys.starts_with("add esp spi 0x1001"), "{words}: {keys}");
        assert_eq!(lost.len(), 1, "{words}: {lost:?}");
        assert!(lost[0].contains(named), "{words}: {lost:?}");
    }
}

#[test]
fn what_is_not_a_key_is_refused() {
    for key in [
        "$KEY",
        "${KEY}",
        "0x$KEY",
        "$(cat k)",
        "`cat k`",
        "<key>",
        "0x<40-hex-key>",
        "0xENCKEY",
        "xxxxxxxxxxxxxxxx",
        "'<<Keys hidden>>'",
        "[hash:0123]",
        "five5",
        "...",
    ] {
        let text = format!("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 5 enc aes {key}\n");
        let (keys, lost) = lost(ImportFormat::IpXfrm, &text);
        assert_eq!(keys, "# line 1 of the source is not imported: esp spi 0x5 dst 192.0.2.2\n", "{key}");
        assert_eq!(lost.len(), 1, "{key}: {lost:?}");
    }
    let hidden =
        "src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x00001001 reqid 1 mode tunnel\n\tenc cbc(aes) <<Keys hidden>>\n";
    assert!(lost(ImportFormat::IpXfrm, hidden).1[0].contains("without nokeys"));
    let hashed = hidden.replace("<<Keys hidden>>", "[hash:0123456789abcdef0123]");
    assert!(lost(ImportFormat::IpXfrm, &hashed).1[0].contains("hash"));
    // 16 characters are a key.
    let (keys, notes) = import("ip xfrm state add dst 192.0.2.2 proto esp spi 5 enc aes 'sixteen chars ok'\n");
    assert!(keys.contains("7369787465656e206368617273206f6b") && notes[0].1.contains("characters"), "{keys} {notes:?}");
}

#[test]
fn a_key_in_a_variable_of_the_file_is_used() {
    let text = format!("KEY={SHA1}\n{}", add("").replace(&format!("auth sha1 {SHA1}"), "auth sha1 $KEY"));
    assert_eq!(import(&text), import(&add("")).pipe_line(1));
}

/// Moves notes by lines, to compare two imports.
trait Moved {
    fn pipe_line(self, by: u32) -> Self;
}

impl Moved for (String, Vec<(u32, String)>) {
    fn pipe_line(self, by: u32) -> Self {
        (self.0, self.1.into_iter().map(|(line, text)| (line + by, text)).collect())
    }
}

#[test]
fn a_larval_state_is_skipped_with_a_note() {
    let text = "src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x00000000 reqid 1 mode transport\n\treplay-window 0 \n\
                \tsel src 192.0.2.1/32 dst 192.0.2.2/32 proto icmp type 8 code 0 dev eth0 \n";
    // One that allocspi has made has an SPI.
    for text in [text.to_owned(), text.replace("0x00000000", "0xc0ffee00")] {
        let (keys, lost) = lost(ImportFormat::IpXfrm, &text);
        assert_eq!((keys.as_str(), lost), ("", Vec::new()));
        assert!(import(&text).1.iter().any(|note| note.1.contains("larval")));
    }
    // IP in IP, which has no algorithms, is none.
    let other = lost(ImportFormat::IpXfrm, &text.replace("esp spi 0x00000000", "4 spi 0xc0000201")).1;
    assert!(other[0].contains("proto is not esp or ah"), "{other:?}");
}

#[test]
fn other_commands_are_summed_up() {
    let text = format!(
        "#!/bin/sh\nset -e\nip link add x type xfrm if_id 7\nif true; then\n{}fi\nip route show\n# ip xfrm state add x\n\
         foo xfrm state add\nip xfrm state show\n",
        add("")
    );
    let (keys, notes) = import(&text);
    assert_eq!(keys.matches("add esp").count(), 1);
    let has = |line: u32, text: &str| notes.iter().any(|note| note.0 == line && note.1.contains(text));
    assert!(has(2, "4 commands are not about SAs") && has(9, "names xfrm") && has(8, "1 commands in comments"), "{notes:?}");
    assert_eq!(notes.len(), 3, "{notes:?}");
}

#[test]
fn an_identity_occurs_once() {
    let again = add("") + &add("reqid 7").replace("state add", "state update");
    let (keys, named) = lost(ImportFormat::IpXfrm, &again);
    assert_eq!(keys.matches("add esp").count(), 1);
    assert!(named[0].contains("line 1 adds an SA of this identity"), "{named:?}");
    for between in
        ["ip xfrm state flush\n", "ip xfrm state deleteall\n", "ip xfrm state del dst 192.0.2.2 proto esp spi 0x1001\n"]
    {
        let (keys, named) = lost(ImportFormat::IpXfrm, &(add("") + between + &add("")));
        assert_eq!((keys.matches("add esp").count(), named), (2, Vec::new()), "{between}");
    }
    assert_eq!(
        import("ip x s d dst 192.0.2.2 proto esp spi 5 mark 1 mask 3\n").0,
        "delete esp spi 0x5 dst 192.0.2.2 mark 0x1/0x3\n"
    );
}

#[test]
fn ports_and_counters_follow_the_direction() {
    let udp = "encap espinudp 4500 4501 0.0.0.0";
    assert_eq!(keywords(udp).0, "encap udp nat_lport 4500 nat_rport 4501");
    let inbound = add(&format!("{udp} replay-seq 5")).replace("src 192.0.2.1 dst 192.0.2.2", "src 192.0.2.2 dst 192.0.2.1");
    assert!(import(&inbound).0.contains("dst 192.0.2.1 replay_value 5 encap udp nat_lport 4501 nat_rport 4500"));
    assert_eq!(keywords(&format!("dir in {udp}")).0, "inbound encap udp nat_lport 4501 nat_rport 4500");
    assert_eq!(
        keywords("encap espinudp 4500 4500 192.0.2.9").0,
        "encap udp nat_rem 192.0.2.9 nat_lport 4500 nat_rport 4500"
    );
    assert_eq!(keywords("replay-oseq 0x100").0, "replay_value 256");
    assert_eq!(keywords("dir in replay-seq 7").0, "replay_value 7 inbound");
}

/// docs/parity.md: a command that changes policies is named; one that only reads is not.
#[test]
fn each_policy_command_is_named() {
    let sa = "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 5 enc aes 0x000102030405060708090a0b0c0d0e0f\n";
    for command in
        ["delete dir out", "deleteall", "flush ptype main", "set hthresh4 24 24 hthresh6 56 56", "setdefault out block"]
    {
        let (_, notes) = import(&format!("{sa}ip xfrm policy {command}\n"));
        assert!(notes.iter().any(|note| note.1.contains("`ip xfrm policy`")), "{command}: {notes:?}");
    }
    for command in ["get dir out index 1", "list nosock", "count", "getdefault"] {
        let (_, notes) = import(&format!("{sa}ip xfrm policy {command}\n"));
        assert!(notes.iter().all(|note| !note.1.contains("`ip xfrm policy`")), "{command}: {notes:?}");
    }
}
