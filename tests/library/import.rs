//! `import` of damaged files of other programs.

use crate::convert::{ImportFormat, import};
use proptest::prelude::*;

const KEY: &str = "6b1d6a8f0c4e2b7d9a3f5c1e8d0b4a72";

/// A text in each language, to be damaged.
const TEXTS: &[(ImportFormat, &str)] = &[
    (
        ImportFormat::Setkey,
        "flush;\nadd -4 192.0.2.1[4500] 192.0.2.2[4500] esp-udp 0x1000 -m tunnel -u 7 -E aes-cbc 0xKEY -A hmac-md5 \"KEY\";",
    ),
    (
        ImportFormat::IpXfrm,
        "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mark 1 mask 2 flag esn auth-trunc 'hmac(md5)' 0xKEY 96 \\\n\
         enc aes 0xKEY encap espinudp 4500 4500 0.0.0.0 sel src 10.0.0.0/8 dst 0/0 limit time-hard 6\n",
    ),
    (
        ImportFormat::IpsecConf,
        "esp tunnel from 192.0.2.1 to 192.0.2.2 spi 5:6 auth hmac-md5 enc aes authkey 0xKEY:0xKEY enckey 0xKEY:0xKEY\n",
    ),
];

proptest! {
    /// After any deletion, wherever a key ends up, there is no panic and no key in a note.
    #[test]
    fn import_of_damaged_text_reports_no_key(
        language in 0..TEXTS.len(), cut in 0_usize..400, len in 0_usize..60, at in 0_usize..400,
    ) {
        let (source, text) = TEXTS[language];
        let mut text = text.replace("KEY", KEY);
        let cut = cut.min(text.len());
        text.replace_range(cut..(cut + len).min(text.len()), "");
        text.insert_str(at.min(text.len()), &format!(" {KEY} "));
        let imported = import(source, text.as_bytes(), &|_| false).unwrap();
        for note in imported.notes {
            prop_assert!(!note.text.contains(&KEY[..8]), "{}: {}", text, note.text);
        }
    }
}
