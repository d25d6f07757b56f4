//! The places of a file in which a key may stand, for each language, and the encodings of whole files.

use super::damage::Random;

/// A language of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Keys,
    Setkey,
    IpXfrm,
    IpsecConf,
    /// manual-key.toml.
    Settings,
}

/// Half of the files are keys files.
pub(crate) const LANGUAGES: &[Language] = &[
    Language::Keys,
    Language::Keys,
    Language::Keys,
    Language::Keys,
    Language::Setkey,
    Language::IpXfrm,
    Language::IpsecConf,
    Language::Settings,
];

/// Words after which people write keys, in this language, others, or mistyped.
const WORDS: &[&str] = &[
    "authkey",
    "encrkey",
    "key",
    "keys",
    "secret",
    "psk",
    "password",
    "passwd",
    "passphrase",
    "clave",
    "enc",
    "aead",
    "auth",
    "auth-trunc",
    "comp",
    "-E",
    "-A",
    "-P",
    "authstring",
    "password =",
    "key =",
    "secret:",
    "enckey",
    "auth_key",
    "encr-key",
    "autkey",
    "encrkye",
    "ENCRKEY",
    "aes-cbc",
    "hmac(sha256)",
    "rfc4106(gcm(aes))",
    "0x",
    "=",
    "<<EOF",
    "PSK",
    "$KEY",
    "&&",
    "spy",
    "dts",
    "scr",
];

/// Keywords of keys files, of which the value is replaced.
const KEYWORDS: &[&str] = &[
    "spi",
    "pair-spi",
    "replay",
    "state",
    "auth_alg",
    "encr_alg",
    "hard_bytes",
    "soft_addtime",
    "idle_usetime",
    "src",
    "dst",
    "dst6",
    "isrc",
    "idst6",
    "nat_loc",
    "sport",
    "nat_rport",
    "proto",
    "iproto",
    "srcidtype",
    "srcidtype fqdn",
    "dstidtype prefix",
    "dstidtype user_fqdn",
    "encap",
    "inbound",
    "reserved_bits",
    "replay_value",
    "flags",
    "current_bytes",
    "mode",
    "reqid",
    "mark",
    "if_id",
    "output-mark",
    "offload",
    "tfcpad",
    "esn",
    "flag",
    "hard_packets",
    "icv",
    "accept_from",
    "send_until",
];

/// A command with all that an SA needs but a key.
const COMMAND: &str =
    "add esp spi 0x1001 src 192.0.2.1 dst 198.51.100.7 encr_alg aes auth_alg sha256 reqid 7 hard_bytes 16000000 inbound";

/// A file of `language` with `key` in one place.
pub(crate) fn file(random: &mut Random, language: Language, key: &str) -> Vec<u8> {
    let text = match language {
        Language::Keys => keys_file(random, key),
        Language::Settings => settings(random, key),
        Language::Setkey => foreign(random, key, SETKEY, ";"),
        Language::IpXfrm => foreign(random, key, IP_XFRM, ""),
        Language::IpsecConf => foreign(random, key, IPSEC_CONF, ""),
    };
    encoded(random, &text)
}

fn keys_file(random: &mut Random, key: &str) -> String {
    let word = random.pick(WORDS);
    let keyword = random.pick(KEYWORDS);
    let verb = random.pick(&[
        "add",
        "update",
        "delete",
        "get",
        "update-pair",
        "flush",
        "dump",
        "save all",
        "help",
        "quit",
        "monitor",
        "ad",
    ]);
    let text = match random.below(22) {
        0 => format!("{COMMAND} {word} {key}"),
        1 => format!("{COMMAND} {word}={key}"),
        2 => format!("{COMMAND} {word}:{key} proto 6"),
        3 => format!("{COMMAND} {key}"),
        4 => format!("{COMMAND} {keyword} {key} proto 6"),
        5 | 6 => replaced(&format!("{COMMAND} encrkey 00 authkey 00"), keyword, key),
        7 => format!("add esp {keyword} {key}"),
        8 => key.to_owned(),
        9 => format!("{verb} {key}"),
        10 => format!("{verb} esp {key}"),
        11 => format!("{key} esp spi 5 dst 10.0.0.2"),
        12 => format!("# {key}\n{COMMAND}"),
        13 => format!("# {key} \\\n{COMMAND}"),
        14 => format!("{COMMAND} # {key}"),
        15 => format!("{COMMAND} {word}\n{key}"),
        16 => format!("{COMMAND} {word} \\\n    {key}"),
        17 => format!("{COMMAND} {word} \\ \n    {key}"),
        18 => format!("{COMMAND} \"{key}\n{COMMAND}"),
        19 => format!("{COMMAND} srcidtype fqdn {key} dstidtype {key} x"),
        20 => format!("{COMMAND} encrkey {key} authkey {key}"),
        _ => format!("{COMMAND} encrkey \"\"{key} {word}"),
    };
    let ends = ["\n", "", "\\\n", "\r\n", "\nflush\n"];
    text + random.pick(&ends)
}

/// `command` with `value` after its `keyword`, in place of the value that is there.
fn replaced(command: &str, keyword: &str, value: &str) -> String {
    let (first, _) = keyword.split_once(' ').unwrap_or((keyword, ""));
    let Some((before, after)) = command.split_once(&format!(" {first} ")) else {
        return format!("{command} {keyword} {value}");
    };
    let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{before} {keyword} {value} {rest}")
}

const SETKEY: &[&str] = &[
    "add 192.0.2.1 192.0.2.2 esp 0x1001 -m tunnel -u 7 -r 32 -lh 100 -E aes-cbc KEY -A hmac-sha1 KEY",
    "add 192.0.2.1 192.0.2.2 esp 0x1001 -E KEY 0x00",
    "add 192.0.2.1 192.0.2.2 esp KEY -E null",
    "add KEY 192.0.2.2 esp 0x1001 -E null",
    "add 192.0.2.1 KEY ah 0x1001 -A hmac-sha1",
    "add 192.0.2.1 192.0.2.2 KEY 0x1001 -A hmac-sha1 0x00",
    "add 192.0.2.1 192.0.2.2 esp 0x1001 -m KEY -E null",
    "add 192.0.2.1 192.0.2.2 esp 0x1001 -u KEY -E null",
    "add 192.0.2.1 192.0.2.2 esp 0x1001 -r KEY -lh KEY -E null",
    "add 192.0.2.1 192.0.2.2 esp 0x1001 WORD KEY -E null",
    "add 192.0.2.1 192.0.2.2 tcp 0x1000 -A tcp-md5 KEY",
    "delete 192.0.2.1 192.0.2.2 esp KEY",
    "get KEY",
    "KEY",
    "# KEY",
    "flush KEY; spdadd KEY",
];

const IP_XFRM: &[&str] = &[
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 mode tunnel enc 'cbc(aes)' KEY auth-trunc 'hmac(sha256)' KEY 128",
    "ip xfrm state add src KEY dst 192.0.2.2 proto esp spi 0x1001 enc 'cbc(aes)' 0x00",
    "ip xfrm state add src 192.0.2.1 dst KEY proto esp spi KEY enc 'cbc(aes)' 0x00",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto KEY spi 0x1001 enc 'cbc(aes)' 0x00",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 mode KEY reqid KEY enc 'cbc(aes)' 0x00",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 replay-window KEY limit time-hard KEY enc 'cbc(aes)' 0x00",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 flag KEY mark KEY mask KEY",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 enc KEY 0x00 auth KEY 0x00",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 aead 'rfc4106(gcm(aes))' KEY KEY",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 encap espinudp KEY 4500 KEY sel src KEY dst KEY",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 offload dev KEY dir in",
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 WORD KEY",
    "ip xfrm state KEY src 192.0.2.1 dst 192.0.2.2",
    "ip xfrm KEY add",
    "KEY",
    "# KEY",
    "src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x1001 reqid KEY mode tunnel\n\tKEY\n\tauth-trunc hmac(sha1) KEY 96",
    "ip xfrm state delete src 192.0.2.1 dst KEY proto esp spi KEY",
];

const IPSEC_CONF: &[&str] = &[
    "esp transport from 192.0.2.1 to 192.0.2.2 spi 0x1000:0x1001 auth hmac-sha2-256 enc aes authkey KEY:KEY enckey KEY:KEY",
    "esp transport from KEY to 192.0.2.2 spi 0x1000 authkey 0x00 enckey 0x00",
    "esp from 192.0.2.1 to KEY spi KEY:KEY authkey 0x00 enckey 0x00",
    "esp from 192.0.2.1 to 192.0.2.2 spi 0x1000 auth KEY enc KEY authkey 0x00 enckey 0x00",
    "esp from 192.0.2.1 to 192.0.2.2 spi 0x1000 WORD KEY authkey 0x00",
    "esp KEY from 192.0.2.1",
    "tcpmd5 from 192.0.2.1 to 192.0.2.2 spi 0x1000 authkey KEY",
    "KEY from 192.0.2.1",
    "key = KEY",
    "# KEY",
    "flow esp from KEY to KEY",
];

/// One of the templates, with the key, between two correct statements.
fn foreign(random: &mut Random, key: &str, templates: &[&str], end: &str) -> String {
    let (word, template) = (random.pick(WORDS), random.pick(templates));
    let text = template.replace("WORD", word).replace("KEY", key);
    format!("{text}{end}\nflush{end}\n")
}

fn settings(random: &mut Random, key: &str) -> String {
    let names = [
        "config_file",
        "sadb",
        "refresh",
        "flush",
        "carry_sequence",
        "hold_natt_ports",
        "policy",
        "on_stop",
        "repair",
        "unknown",
    ];
    let name = random.pick(&names);
    match random.below(9) {
        0 => format!("{name} = \"{key}\"\n"),
        1 => format!("{name} = '{key}'\n"),
        2 => format!("{name} = {key}\n"),
        3 => format!("{key} = \"x\"\n"),
        4 => format!("\"{key}\" = \"x\"\n"),
        5 => format!("# {key}\n{name}\n"),
        6 => format!("[{key}]\n{name} = 1\n"),
        7 => format!("sadb = \"auto\" {key}\n"),
        _ => format!("{name} = \"\"\"\n{key}\n"),
    }
}

/// The text in an encoding: mostly UTF-8, with other bytes for its characters now and then.
fn encoded(random: &mut Random, text: &str) -> Vec<u8> {
    match random.below(30) {
        0 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        2 => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        3 => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        4 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        5 => [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
        6 => text.replace(' ', "\u{a0}").into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}
