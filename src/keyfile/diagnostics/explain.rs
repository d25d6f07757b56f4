//! What each code means at length, for `ipseckey explain`: why it matters, a text that gets it, and the same text put right.

use std::fmt::{self, Write};

use crate::keyfile::diagnostics::Code;

/// All there is to say about a code.
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// What it is, in a sentence.
    pub title: &'static str,
    /// Why it matters and what to do.
    pub text: &'static str,
    /// Commands that get the code. `KEY32` stands for a key of 32 digits.
    wrong: &'static str,
    /// The same, put right; empty where there is nothing to show.
    right: &'static str,
}

const fn row(code: Code, title: &'static str, text: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation { code, title, text, wrong, right }
}

/// Every code, by number.
const TABLE: &[Explanation] = &[
    row(
        Code::UnknownCommand,
        "The first word is no command.",
        "Each command starts a line of its own. A line goes on in the next one only if a backslash is its very last byte: a blank \
         behind the backslash, or a missing one, makes the second half of a command look like a command of its own.",
        "ad ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::UnknownSaType,
        "The second word is no SA type.",
        "ah authenticates packets, esp encrypts and authenticates them. flush, dump and save take `all` too.",
        "flush epp",
        "flush esp",
    ),
    row(
        Code::UnknownExtension,
        "A word is no keyword.",
        "Behind the SA type stand keywords, nearly all with one value, in any order. They are case-sensitive; `ipseckey help attr` \
         lists them. Keywords of Linux alone are known with --sadb xfrm, and with auto on Linux.",
        "add ah spi 0x1000 dts 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::UnexpectedEnd,
        "A value is missing at the end of the command.",
        "The last keyword wants a value. Often the command was meant to go on in the next line, and the backslash is missing.",
        "delete ah spi 0x1000 dst",
        "delete ah spi 0x1000 dst 198.51.100.7",
    ),
    row(
        Code::NotANumber,
        "A number was wanted.",
        "Numbers are decimal, hexadecimal behind 0x, or octal behind 0. There are no units: bytes are bytes, times are seconds.",
        "update ah spi 0x1000 dst 198.51.100.7 hard_addtime 8h",
        "update ah spi 0x1000 dst 198.51.100.7 hard_addtime 28800",
    ),
    row(
        Code::OutOfRange,
        "A number is outside of what its field holds.",
        "A port has 16 bits, an SPI 32, a protocol 8. A number that does not fit is refused, never cut off.",
        "delete ah spi 0x1000 dst 198.51.100.7 proto 300",
        "delete ah spi 0x1000 dst 198.51.100.7 proto 6",
    ),
    row(
        Code::NotHex,
        "A key is not hexadecimal.",
        "A key is a row of hexadecimal digits without 0x and without blanks, optionally followed by / and its length in bits. A row \
         of X comes from output under -p, which hides keys: it cannot be loaded again.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey correct-horse-battery-staple",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::NotABitSpecifier,
        "What follows the slash of a key is no bit length.",
        "Write the length in bits as a decimal number, or leave out the slash: then the number of digits says it.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64/32bytes",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64/256",
    ),
    row(
        Code::BitLengthTooBig,
        "The bit length of a key exceeds its digits, or the digits exceed what a key may have.",
        "Each digit is four bits. A bit length may cut a key short, but it cannot make it longer.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY32/256",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64/256",
    ),
    row(
        Code::Duplicate,
        "A keyword was given twice.",
        "Synonyms count as the same keyword: src, saddr and srcaddr are one.",
        "delete ah spi 0x1000 dst 198.51.100.7 daddr 198.51.100.8",
        "delete ah spi 0x1000 dst 198.51.100.7",
    ),
    row(
        Code::NotForThisCommand,
        "The command has no use for this keyword.",
        "get and delete find an SA: they take the SPI, addresses, ports, protocol and direction. What an SA is to be is for add and \
         update, and some words are reserved for what only a kernel can say.",
        "delete ah spi 0x1000 dst 198.51.100.7 hard_addtime 60",
        "delete ah spi 0x1000 dst 198.51.100.7",
    ),
    row(
        Code::UnknownAlgorithm,
        "No algorithm of that name.",
        "`ipseckey algs` lists the names with the lengths of their keys. Some algorithms exist on Linux alone.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha265 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::UnknownState,
        "No state of that name.",
        "States are larval, mature, dying and dead, or a number. An SA that is added is mature, and the word is rarely needed. Unknown \
         modes and flags of Linux get this code too.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 state ripe",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 state mature",
    ),
    row(
        Code::UnknownIdentityType,
        "No identity type of that name.",
        "An identity is two words: prefix, fqdn, domain, user_fqdn or mailbox, and then the name itself.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype hostname me.example.com",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype fqdn me.example.com",
    ),
    row(
        Code::UnknownAddress,
        "No such address or name.",
        "An address is IPv4 in four decimal parts or IPv6; a name must be known to the machine. With -n names are not looked up. \
         A leading zero is refused: to some it means octal, to others not.",
        "delete ah spi 0x1000 dst 198.51.100.300",
        "delete ah spi 0x1000 dst 198.51.100.30",
    ),
    row(
        Code::NoMatchingAddress,
        "No source address fits the destination, or the other way round.",
        "Both must be IPv4, or both IPv6 of the same scope. A name with addresses of several kinds is matched address by address.",
        "add ah spi 0x1000 src 192.0.2.1 dst 2001:db8::7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 src 2001:db8::1 dst 2001:db8::7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Missing,
        "Something that the command needs was not given.",
        "add wants an SPI, a destination, an algorithm and its key; update the SPI and the destination; get and delete the SPI.",
        "add ah spi 0x1000 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Conflict,
        "Two things that were given exclude each other.",
        "AH does not encrypt; the null cipher has no key; NAT-T addresses want `encap udp`, and `encap udp` wants one of them.",
        "add ah spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::NotHere,
        "The command exists, but not here.",
        "A keys file changes the SADB; what only prints (dump, save, monitor, help) is for the prompt and the shell. On the shell's \
         command line there is no add and no update, since everybody can read the arguments of a process.",
        "dump esp",
        "",
    ),
    row(Code::TooManyArguments, "A word too many.", "The command ends before this word.", "flush esp all", "flush esp"),
    row(
        Code::Quotes,
        "Quotes that lose text.",
        "Quotes keep blanks together. They must close in the same line, hold something, and end the word they are part of.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype fqdn \"me.example.com",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype fqdn \"me.example.com\"",
    ),
    row(
        Code::NotForThisSadb,
        "This SADB cannot hold what the keyword asks for.",
        "Modes, request ids, marks and what else Linux XFRM alone has are refused by an SADB that speaks PF_KEY, illumos and the model \
         among them.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 reqid 7",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Refused,
        "The SADB refused the command.",
        "The text is right, but the SADB does not do it: the SA exists already or does not exist, an algorithm or module is missing, a \
         privilege is. The message has the SADB's own reason and the line that was refused; -v shows what was sent.",
        "delete ah spi 0x1000 dst 198.51.100.7",
        "",
    ),
    row(
        Code::CommentContinues,
        "A comment that ends in a backslash hides the next line.",
        "A backslash at the end of a line joins the next one to it, in comments too. A command commented out line by line needs its \
         backslashes removed.",
        "# flush ah \\\nflush esp",
        "# flush ah\nflush esp",
    ),
    row(
        Code::EndsInBackslash,
        "The text ends in a backslash.",
        "The command counts as it stands. Perhaps the rest of it was lost.",
        "flush esp \\",
        "flush esp",
    ),
    row(
        Code::KeyLengthChanged,
        "Bits of a key are cut off or filled up.",
        "The bit length behind the slash is less than the digits say, or the digits are an odd number. The key that is used is not the \
         one that was written.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey KEY64/128",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey KEY32/128",
    ),
    row(
        Code::VagueName,
        "A name with several addresses where one is wanted.",
        "The source of an SA, its inner addresses and its NAT-T addresses are one address each. Write the one that is meant.",
        "add ah spi 0x1000 src two.example.com dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ReplayWithManualKey,
        "A replay window with a manual key.",
        "A receiver with a window drops every number it has seen. When only the sender starts over at 1, after a reboot say, it drops \
         all packets until the old number is passed. Without a window (0) replayed packets are accepted instead. Choose one knowingly.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 replay 64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::CounterMode,
        "A counter-mode cipher with a manual key.",
        "GCM, CCM, CTR and ChaCha20 reveal the traffic, and GCM its authentication key, when a counter is used twice with one key. The \
         counter starts over with every add, so a key in a file is used twice at the next boot. RFC 4106, 4309 and 3686 forbid it. \
         --deny-weak makes this an error.",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes-gcm encrkey KEY40",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Ignored,
        "Something given is not used.",
        "The command works without it. get and delete do not look at ports; illumos drops soft limits that have no hard ones.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 soft_addtime 3600",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 soft_addtime 3600 hard_addtime 7200",
    ),
    row(
        Code::MixedFamilies,
        "Source and destination are of different families.",
        "An IPv4 network behind an IPv6 one makes no packet. A missing inner address counts as ::/0, so IPv4 tunnels need both.",
        "add ah spi 0x1000 dst 198.51.100.7 proto 4 idst 10.2.0.0/16 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 proto 4 isrc 10.1.0.0/16 idst 10.2.0.0/16 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ZeroKey,
        "A key of zero bits only.",
        "Nobody chose this key, and everybody would guess it. `ipseckey genkey ALGORITHM` makes one. --deny-weak makes this an error.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey 00000000000000000000000000000000",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey KEY32",
    ),
    row(
        Code::WeakKey,
        "A weak or semi-weak DES key, or a Triple DES key with equal parts.",
        "Sixteen DES keys undo themselves or each other, and equal parts make Triple DES into less. Take random digits, or AES. \
         --deny-weak makes this an error.",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg des encrkey 0101010101010101 auth_alg sha256 authkey KEY64",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::KeyLength,
        "A key length that the algorithm does not take.",
        "The SADB will refuse the SA. `ipseckey algs` lists the lengths; a counter-mode cipher wants its salt at the end of the key.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY32",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::NameInFile,
        "A name, which may not be resolvable at boot.",
        "The service starts before the network, so that no packet leaves unprotected, and then nobody knows names yet. Who answers for \
         a name also decides whom the keys are shared with. Write addresses.",
        "add ah spi 0x1000 dst peer.example.com auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ReservedSpi,
        "An SPI of the reserved range.",
        "0 is for the kernel's own use and 1 to 255 belong to IANA (RFC 4303 section 2.1). Choose numbers from 256 on.",
        "add ah spi 200 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 2000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::DuplicateSa,
        "The same SA twice.",
        "SA type, SPI and destination name an SA; the source does not. The second add will be refused.",
        "add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1000 src 192.0.2.2 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1001 src 192.0.2.2 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Unprotected,
        "An algorithm without key, or no integrity protection.",
        "Ciphertext that nobody authenticates can be changed on its way in a planned manner, and has been, to read it (RFC 4303 section \
         2, and attacks since). Give esp an auth_alg as well.",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Crowd,
        "Thousands of SAs with the same addresses and request id.",
        "The Linux kernel looks at every SA with the same src, dst and reqid when one is added, so a file of N of them takes a time \
         that grows with N * N: 10 s for 20,000, 1 s for those of others. Give them different reqids, if no policy needs them the same.",
        "",
        "",
    ),
];

/// Every explanation, by number.
#[must_use]
pub fn explanations() -> &'static [Explanation] {
    TABLE
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.code, self.title)?;
        paragraph(f, self.text)?;
        for (heading, commands) in [("For example", self.wrong), ("Put right", self.right)] {
            if !commands.is_empty() {
                writeln!(f, "\n{heading}:\n")?;
                commands.lines().try_for_each(|line| writeln!(f, "    {}", with_keys(line, shown)))?;
            }
        }
        Ok(())
    }
}

/// Widest line of an explanation.
const WIDTH: usize = 80;

/// `text` in lines of at most [`WIDTH`].
fn paragraph(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + word.len() > WIDTH {
            f.write_char('\n')?;
            column = 0;
        } else if column > 0 {
            f.write_char(' ')?;
            column += 1;
        }
        f.write_str(word)?;
        column += word.len();
    }
    f.write_char('\n')
}

/// `line` with each `KEY` and its number replaced by what `key` makes of the number.
fn with_keys(line: &str, key: fn(usize) -> String) -> String {
    let mut parts = line.split("KEY");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (digits, rest) = part.split_at(end);
        text.push_str(&key(digits.parse().unwrap_or_default()));
        text.push_str(rest);
    }
    text
}

fn shown(digits: usize) -> String {
    format!("<{digits} digits>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{Checker, HostsFile, Options, Setting, commands};
    use crate::names::Vocabulary;

    const HOSTS: &str = "198.51.100.7 peer.example.com\n192.0.2.1 two.example.com\n192.0.2.2 two.example.com\n";

    fn digits(count: usize) -> String {
        "0123456789abcdeffedcba9876543210".repeat(2)[..count].to_owned()
    }

    /// The codes that `-c` finds in a text.
    fn found(text: &str) -> Vec<Code> {
        let text = with_keys(text, digits);
        let hosts = HostsFile::parse(HOSTS);
        let options = Options { vocabulary: Vocabulary::Illumos, numeric: false, setting: Setting::File, resolver: &hosts };
        let mut checker = Checker::new();
        let mut all = commands(text.as_bytes(), &options);
        let mut codes = Vec::new();
        for item in all.by_ref() {
            codes.extend(item.diagnostics.iter().map(|diagnostic| diagnostic.code));
            codes.extend(checker.check(&item, text.as_bytes()).iter().map(|warning| warning.code));
        }
        codes.extend(all.take_rest().iter().map(|diagnostic| diagnostic.code));
        codes
    }

    #[test]
    fn every_code_is_explained_once_in_the_words_of_the_document() {
        let document = include_str!("../../../docs/messages.md");
        assert!(TABLE.iter().map(|row| row.code).eq(Code::ALL.iter().copied()));
        for row in TABLE {
            let line = document.lines().find(|line| line.starts_with(&format!("| {} |", row.code))).unwrap();
            assert!(line.ends_with(&format!("| {} |", row.title)), "{line}");
        }
    }

    #[test]
    fn each_example_gets_its_code_and_put_right_gets_none() {
        for row in TABLE {
            // No few lines bring about these two.
            if ![Code::Refused, Code::Crowd].contains(&row.code) {
                assert!(found(row.wrong).contains(&row.code), "{}: {:?}", row.code, found(row.wrong));
            }
            assert_eq!(found(row.right), [], "{}", row.code);
        }
    }

    #[test]
    fn an_explanation_on_a_terminal() {
        let text = TABLE.iter().find(|row| row.code == Code::UnknownAlgorithm).unwrap().to_string();
        assert_eq!(
            text,
            "IK012: No algorithm of that name.\n\n\
             `ipseckey algs` lists the names with the lengths of their keys. Some algorithms\nexist on Linux alone.\n\n\
             For example:\n\n    add ah spi 0x1000 dst 198.51.100.7 auth_alg sha265 authkey <64 digits>\n\n\
             Put right:\n\n    add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey <64 digits>\n"
        );
    }
}
