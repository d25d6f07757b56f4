//! Each word that iproute2 accepts for a state (`xfrm_state_modify` of `ip/xfrm_state.c`, and the parsers of `ip/ipxfrm.c` that it
//! calls) or prints (`xfrm_state_info_print`, `xfrm_xfrma_print`), as of iproute2 7.1: what it becomes, or the name in the message.

use crate::convert::ImportFormat;
use crate::convert::import::testing::lost;

/// The result of a word.
enum Becomes {
    /// These keywords.
    Keywords(&'static str),
    /// A message with this text, and no SA.
    Refused(&'static str),
    /// A message with this text, and the SA without it.
    Dropped(&'static str),
    /// Nothing: it is the default, or a count.
    Nothing,
}

use Becomes::{Dropped, Keywords, Nothing, Refused};

/// Words of a command, with values.
const ACCEPTED: &[(&str, Becomes)] = &[
    ("mode transport", Nothing),
    ("mode tunnel", Keywords("mode tunnel")),
    ("mode ro", Refused("mode ro")),
    ("mode in_trigger", Refused("mode in_trigger")),
    ("mode beet", Keywords("mode beet")),
    ("mark 1", Keywords("mark 0x1")),
    ("mark 1 mask 0xff", Keywords("mark 0x1/0xff")),
    ("mark 1 mask 0", Nothing),
    ("reqid 0x10", Keywords("reqid 16")),
    ("reqid 0", Nothing),
    ("seq 1", Dropped("seq 0x1")),
    ("seq 0", Nothing),
    ("replay-window 32", Keywords("replay 32")),
    ("replay-seq 1 dir in", Keywords("replay_value 1 inbound")),
    ("replay-seq-hi 1 dir in", Refused("more than 32 bits")),
    ("replay-oseq 1 dir out", Keywords("replay_value 1 outbound")),
    ("replay-oseq-hi 1 dir out", Refused("more than 32 bits")),
    ("flag noecn", Keywords("flag noecn")),
    ("flag decap-dscp", Keywords("flag decap-dscp")),
    ("flag nopmtudisc", Keywords("flag nopmtudisc")),
    ("flag wildrecv", Keywords("flag wildrecv")),
    ("flag icmp", Keywords("flag icmp")),
    ("flag af-unspec", Keywords("flag af-unspec")),
    ("flag align4", Keywords("flag align4")),
    ("flag esn", Keywords("esn")),
    ("flag esn icmp flag noecn", Keywords("flag noecn,icmp esn")),
    ("flag 0x81", Keywords("flag noecn esn")),
    ("extra-flag dont-encap-dscp", Keywords("flag dont-encap-dscp")),
    ("extra-flag oseq-may-wrap", Keywords("flag oseq-may-wrap")),
    ("extra-flag 0x3", Keywords("flag dont-encap-dscp,oseq-may-wrap")),
    ("extra-flag 0x8", Refused("flags 0x8")),
    ("sel src 10.1.0.0/16", Keywords("mode transport isrc 10.1.0.0/16 idst 0.0.0.0/0")),
    ("sel dst 10.1.0.0/16", Keywords("mode transport isrc 0.0.0.0/0 idst 10.1.0.0/16")),
    ("sel dev eth0", Refused("dev \"eth0\"")),
    ("sel dev none", Nothing),
    ("sel proto any", Nothing),
    ("sel proto tcp sport 1 dport 2", Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 6 isport 1 idport 2")),
    ("sel proto sctp", Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 132")),
    ("sel proto dccp", Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 33")),
    (
        "sel proto ipv6-icmp type 1 code 2",
        Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 58 isport 1 idport 2"),
    ),
    ("sel proto mobility-header type 5", Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 135 isport 5")),
    ("sel proto gre key 1.2.3.4", Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 47 isport 258 idport 772")),
    ("limit time-soft 1", Keywords("soft_addtime 1")),
    ("limit time-hard 1", Keywords("hard_addtime 1")),
    ("limit time-use-soft 1", Keywords("soft_usetime 1")),
    ("limit time-use-hard 1", Keywords("hard_usetime 1")),
    ("limit byte-soft 1", Keywords("soft_bytes 1")),
    ("limit byte-hard 18446744073709551615", Nothing),
    ("limit packet-soft 1", Keywords("soft_packets 1")),
    ("limit packet-hard 1", Keywords("hard_packets 1")),
    ("limit time-hard 0", Nothing),
    ("limit packet-hard 0", Refused("hard_packets")),
    ("encap espinudp 4500 4500 0.0.0.0", Keywords("encap udp nat_lport 4500 nat_rport 4500")),
    ("encap espinudp-nonike 4500 4500 0.0.0.0", Refused("espinudp-nonike")),
    ("encap espintcp 4500 4500 0.0.0.0", Refused("espintcp")),
    ("coa 192.0.2.9", Refused("coa")),
    ("ctx a:b:c", Refused("ctx")),
    ("offload dev eth0 dir out", Keywords("offload eth0 outbound")),
    ("offload crypto dev eth0 dir in", Keywords("offload eth0 inbound")),
    ("offload packet dev eth0 dir in", Keywords("offload-packet eth0 inbound")),
    ("output-mark 1", Keywords("output-mark 0x1")),
    ("output-mark 1 mask 0xff", Keywords("output-mark 0x1/0xff")),
    ("if_id 0x2a", Keywords("if_id 0x2a")),
    ("tfcpad 100", Keywords("tfcpad 100")),
    ("dir in", Keywords("inbound")),
    ("dir out", Keywords("outbound")),
    ("pcpu-num 0", Refused("pcpu-num 0")),
    ("comp deflate", Refused("compression")),
    ("spi 0x1001", Nothing),
    ("min 1", Refused("\"min\"")),
];

/// Lines of output after that of the flags.
const PRINTED: &[(&str, Becomes)] = &[
    ("mark 0x1/0xff ", Keywords("mark 0x1/0xff")),
    ("mark 0x1/0xff output-mark 0x2/0x3", Keywords("mark 0x1/0xff output-mark 0x2/0x3")),
    ("output-mark 0x2", Keywords("output-mark 0x2")),
    ("comp deflate ", Refused("compression")),
    ("encap type espinudp sport 4500 dport 4500 addr 0.0.0.0", Keywords("encap udp nat_lport 4500 nat_rport 4500")),
    ("encap type espinudp-nonike sport 4500 dport 4500 addr 0.0.0.0", Refused("espinudp-nonike")),
    ("encap type espintcp sport 4500 dport 4500 addr 0.0.0.0", Refused("espintcp")),
    ("encap type 9 sport 4500 dport 4500 addr 0.0.0.0", Refused("encap")),
    ("tmpl src 192.0.2.1 dst 192.0.2.2", Refused("tmpl")),
    ("coa 192.0.2.9", Refused("coa")),
    ("lastused 2026-11-25 23:37:46", Nothing),
    ("lastused -", Nothing),
    ("anti-replay context: seq 0x0, oseq 0x1, bitmap 0x00000000", Keywords("replay_value 1")),
    ("crypto offload parameters: dev eth0 dir in", Keywords("offload eth0 inbound")),
    ("crypto offload parameters: dev eth0 dir out mode crypto", Keywords("offload eth0 outbound")),
    ("crypto offload parameters: dev eth0 dir out mode packet", Keywords("offload-packet eth0 outbound")),
    ("if_id 0x2a", Keywords("if_id 0x2a")),
    ("tfcpad 100", Keywords("tfcpad 100")),
    ("dir in", Keywords("inbound")),
    ("dir out", Keywords("outbound")),
    ("dir other (3)", Refused("dir")),
    ("pcpu-num 1", Refused("pcpu-num 1")),
    ("nat-keepalive-interval 20", Dropped("nat-keepalive-interval 20")),
    ("security context system_u:object_r:x:s0 ", Refused("security context")),
    (
        "sel src 10.1.0.0/16 dst 0.0.0.0/0 proto tcp sport 1 dport 2 uid 0",
        Keywords("mode transport isrc 10.1.0.0/16 idst 0.0.0.0/0 iproto 6 isport 1 idport 2"),
    ),
    ("sel src 0.0.0.0/0 dst 0.0.0.0/0 proto icmp type 8 code 0 ", Refused("code 0")),
    (
        "sel src 0.0.0.0/0 dst 0.0.0.0/0 proto gre key 65538 ",
        Keywords("mode transport isrc 0.0.0.0/0 idst 0.0.0.0/0 iproto 47 isport 1 idport 2"),
    ),
    ("sel src 0.0.0.0/0 dst 0.0.0.0/0 dev eth0 ", Refused("dev \"eth0\"")),
    ("sel src 0.0.0.0/0 dst 0.0.0.0/0 uid 7", Refused("uid 7")),
    ("lifetime config:\n\t  limit: soft 1(bytes), hard (INF)(bytes)", Keywords("soft_bytes 1")),
    ("lifetime config:\n\t  limit: soft (INF)(packets), hard 0(packets)", Refused("hard_packets")),
    (
        "lifetime config:\n\t  expire add: soft 1(sec), hard 2(sec)\n\t  expire use: soft 3(sec), hard 4(sec)",
        Keywords("soft_addtime 1 hard_addtime 2 soft_usetime 3 hard_usetime 4"),
    ),
    ("lifetime current:\n\t  420(bytes), 5(packets)\n\t  add 2026-11-25 23:37:46 use -", Nothing),
    ("stats:\n\t  replay-window 1 replay 2 failed 3", Nothing),
    ("hard 1", Nothing),
    ("wonder 1", Refused("unknown word")),
];

/// Flags of output, behind `replay-window 0 `.
const PRINTED_FLAGS: &[(&str, Becomes)] = &[
    ("", Nothing),
    ("seq 0x00000000 flag  (0x00000000)", Nothing),
    ("seq 0x00000005 flag  (0x00000000)", Dropped("seq")),
    ("flag esn", Keywords("esn")),
    ("flag 80", Keywords("esn")),
    ("flag noecn icmp", Keywords("flag noecn,icmp")),
    ("seq 0x00000000 flag extra_flag oseq-may-wrap (0x00000000)", Keywords("flag oseq-may-wrap")),
    (
        "seq 0x00000000 flag noecnextra_flag dont-encap-dscp oseq-may-wrap (0x00000001)",
        Keywords("flag noecn,dont-encap-dscp,oseq-may-wrap"),
    ),
    ("seq 0x00000000 flag extra_flag 8 (0x00000000)", Refused("flags 0x8")),
];

fn assert_becomes(text: &str, words: &str, becomes: &Becomes) {
    let (keys, lost) = lost(ImportFormat::IpXfrm, text);
    let after = keys.split_once("dst 192.0.2.2").map_or("", |found| found.1);
    let keywords = after.split(" encr_alg").next().unwrap_or_default().trim();
    let (expected, named) = match becomes {
        Keywords(expected) => (*expected, None),
        Nothing => ("", None),
        Dropped(named) => ("", Some(*named)),
        Refused(named) => {
            assert!(!keys.contains("add "), "{words}: {keys}");
            assert!(lost.len() == 1 && lost[0].contains(named), "{words}: {lost:?}");
            return;
        }
    };
    assert_eq!(keywords, expected, "{words}: {lost:?}");
    assert!(keys.starts_with("add esp"), "{words}: {keys} {lost:?}");
    match named {
        Some(named) => assert!(lost.len() == 1 && lost[0].contains(named), "{words}: {lost:?}"),
        None => assert!(lost.is_empty(), "{words}: {lost:?}"),
    }
}

#[test]
fn each_word_that_iproute2_accepts_is_known() {
    for (words, becomes) in ACCEPTED {
        let text = format!("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 enc aes 0x0102 {words}\n");
        assert_becomes(&text, words, becomes);
    }
}

#[test]
fn each_line_that_iproute2_prints_is_known() {
    for (line, becomes) in PRINTED {
        let text = format!(
            "src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x00001001 reqid 0 mode transport\n\treplay-window 0 \n\
             \tenc cbc(aes) 0x0102\n\t{line}\n"
        );
        assert_becomes(&text, line, becomes);
    }
    for (flags, becomes) in PRINTED_FLAGS {
        let text = format!(
            "src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x00001001(4097) reqid 0(0x00000000) mode transport\n\
             \treplay-window 0 {flags}\n\tenc cbc(aes) 0x0102 (16 bits)\n"
        );
        assert_becomes(&text, flags, becomes);
    }
}

/// The tables above have each word that the reader of commands shows, but those behind other words.
#[test]
fn the_tables_have_each_word() {
    let accepted: Vec<&str> = ACCEPTED.iter().flat_map(|row| row.0.split(' ')).collect();
    let identity = ["src", "dst", "proto", "enc", "auth", "aead", "auth-trunc", "nokeys", "max", "nat-keepalive-interval"];
    for word in super::command::WORDS {
        assert!(accepted.contains(word) || identity.contains(word), "{word}");
    }
    let printed: Vec<&str> = PRINTED.iter().flat_map(|row| row.0.split_whitespace()).collect();
    let elsewhere = ["proto", "replay-window", "auth", "auth-trunc", "aead", "enc", "seq-hi", "replay_window"];
    for word in super::sections::LINES {
        assert!(printed.contains(word) || elsewhere.contains(word), "{word}");
    }
}
