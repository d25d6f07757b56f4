//! The explanations: why each problem matters, an example, and the example corrected.

use super::Explanation;
use crate::keyfile::diagnostics::Code;

const fn row(code: Code, text: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation { code, text, wrong, right }
}

/// Every code, by number.
pub(super) const TABLE: &[Explanation] = &[
    row(
        Code::UnknownCommand,
        "Each command starts on a new line. To continue a command on the next line, put a backslash at the very end of the line. If \
         the backslash is missing, or a blank follows it, the rest of the command is read as a new command.",
        "ad ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::UnknownSaType,
        "`ah` authenticates packets; `esp` encrypts and authenticates them. flush, dump and save also accept `all`.",
        "flush epp",
        "flush esp",
    ),
    row(
        Code::UnknownKeyword,
        "The SA type is followed by keywords in any order. Nearly all of them take one value. Keywords are case-sensitive; `ipseckey \
         help attr` lists them. Keywords for Linux XFRM need --sadb xfrm, or auto on Linux.",
        "add ah spi 0x1000 dts 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::UnexpectedEnd,
        "The last keyword of the command requires a value. Often the command continues on the next line, and the backslash at the \
         end of this line is missing.",
        "delete ah spi 0x1000 dst",
        "delete ah spi 0x1000 dst 198.51.100.7",
    ),
    row(
        Code::NotANumber,
        "Numbers are decimal, hexadecimal with a leading 0x, or octal with a leading 0. Units are not allowed: sizes are in bytes, \
         times in seconds.",
        "update ah spi 0x1000 dst 198.51.100.7 hard_addtime 8h",
        "update ah spi 0x1000 dst 198.51.100.7 hard_addtime 28800",
    ),
    row(
        Code::OutOfRange,
        "A port has 16 bits, an SPI 32 bits and a protocol 8 bits. A number that does not fit is rejected, not truncated. Invalid \
         prefix lengths, marks and interface names have this code too.",
        "delete ah spi 0x1000 dst 198.51.100.7 proto 300",
        "delete ah spi 0x1000 dst 198.51.100.7 proto 6",
    ),
    row(
        Code::NotHex,
        "A key is a string of hexadecimal digits without blanks, optionally followed by / and its length in bits. A string of X is \
         the output of -p, which hides keys; such a file cannot be loaded.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey correct-horse-battery-staple",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::InvalidBitLength,
        "Write the length in bits as a decimal number, or omit the slash: the length then follows from the number of digits.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64/32bytes",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64/256",
    ),
    row(
        Code::BitLengthTooBig,
        "Each digit is four bits. A bit length can shorten a key but not extend it. A key has at most 65528 bits.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY32/256",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64/256",
    ),
    row(
        Code::DuplicateKeyword,
        "A keyword can be given once in a command. Synonyms count as the same keyword: src, saddr and srcaddr are one.",
        "delete ah spi 0x1000 dst 198.51.100.7 daddr 198.51.100.8",
        "delete ah spi 0x1000 dst 198.51.100.7",
    ),
    row(
        Code::NotAllowedForCommand,
        "get and delete look up an SA: they take the SPI, addresses, ports, protocol and direction. Keys, algorithms, lifetimes and \
         other properties belong to add and update. Reserved keywords, such as flags, are set by the kernel alone.",
        "delete ah spi 0x1000 dst 198.51.100.7 hard_addtime 60",
        "delete ah spi 0x1000 dst 198.51.100.7",
    ),
    row(
        Code::UnknownAlgorithm,
        "`ipseckey algs` lists the algorithms with their key lengths. Some algorithms are available on Linux only.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha265 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::UnknownState,
        "States are larval, mature, dying, dead, or a number. New SAs are mature by default, so `state` is rarely needed. This code \
         also covers `mode` and `flag` of Linux.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 state ripe",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 state mature",
    ),
    row(
        Code::UnknownIdentityType,
        "An identity consists of two words: its type (prefix, fqdn, domain, user_fqdn or mailbox) and its value.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype hostname me.example.com",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype fqdn me.example.com",
    ),
    row(
        Code::UnknownAddress,
        "An address is an IPv4 address of four decimal numbers, an IPv6 address, or a host name that this host can resolve. With -n, \
         host names are not resolved. Leading zeros are rejected because some programs read such a number as octal and others as \
         decimal.",
        "delete ah spi 0x1000 dst 198.51.100.300",
        "delete ah spi 0x1000 dst 198.51.100.30",
    ),
    row(
        Code::NoMatchingAddress,
        "Source and destination must both be IPv4, or both IPv6 of the same scope. If a host name has several addresses, a matching \
         source address is selected for each destination address.",
        "add ah spi 0x1000 src 192.0.2.1 dst 2001:db8::7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 src 2001:db8::1 dst 2001:db8::7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::MissingArgument,
        "add requires an SPI, a destination, an algorithm and its key; update requires the SPI and the destination; get and delete \
         require the SPI.",
        "add ah spi 0x1000 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Conflict,
        "AH does not encrypt, and the null cipher has no key. NAT-T addresses and ports require `encap udp`, and `encap udp` requires \
         at least one of them.",
        "add ah spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::NotAllowedHere,
        "A keys file can only contain commands that change or look up SAs. Use dump, save, monitor and help at the prompt or in a \
         shell. add and update are not allowed as arguments of a shell command, because every user can read those in the list of \
         processes.",
        "dump esp",
        "",
    ),
    row(Code::TooManyArguments, "The command is complete before this word.", "flush esp all", "flush esp"),
    row(
        Code::BadQuotes,
        "Double quotes allow blanks in a word. The closing quote must be on the same line and at the end of the word, and the quotes \
         must not be empty.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype fqdn \"me.example.com",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 srcidtype fqdn \"me.example.com\"",
    ),
    row(
        Code::UnsupportedBySadb,
        "Modes, request ids, marks and other properties of Linux XFRM do not exist in PF_KEY, so illumos and its model reject them.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 reqid 7",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::NothingToAdd,
        "A keys file without an add command was probably cut short, or made by a program that had no keys. The service refuses it: \
         to apply it would remove all SAs. If the file is meant to be empty, use --allow-empty, or set allow_empty = true in \
         manual-key.toml.",
        "",
        "",
    ),
    row(
        Code::Refused,
        "The command is well-formed, but the SADB returned an error: for example, the SA already exists or does not exist, or an \
         algorithm, kernel module or privilege is missing. The message contains the reason that the SADB gives; -v prints the request.",
        "delete ah spi 0x1000 dst 198.51.100.7",
        "",
    ),
    row(
        Code::CommentContinues,
        "A backslash at the end of a line continues it on the next line, in comments as well, so the next line is part of the comment. \
         Remove the backslashes when you comment out the lines of a command.",
        "# flush ah \\\nflush esp",
        "# flush ah\nflush esp",
    ),
    row(
        Code::TrailingBackslash,
        "The last command of the file ends in a backslash, so the file may be truncated. The command is executed as it is.",
        "flush esp \\",
        "flush esp",
    ),
    row(
        Code::KeyLengthChanged,
        "The bit length after the slash is smaller than the number of digits, or the number of digits is odd. The key that is used \
         differs from the key that was written.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey KEY64/128",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey KEY32/128",
    ),
    row(
        Code::AmbiguousName,
        "The source of an SA, its inner addresses and its NAT-T addresses are single addresses. Specify the address instead of the \
         host name.",
        "add ah spi 0x1000 src two.example.com dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ReplayWithManualKey,
        "With an anti-replay window, the receiver drops packets with a sequence number that it has already seen. If only the sender \
         restarts at 1, for example after a reboot, the receiver drops all packets until the previous sequence number is exceeded. \
         Without a window (replay 0), the receiver accepts replayed packets. Decide which of the two is acceptable.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 replay 64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::CounterMode,
        "GCM, CCM, CTR and ChaCha20 reveal the traffic if a counter value is used twice with the same key; GCM also reveals its \
         authentication key. The counter restarts with every add, so a key from a file is reused after the next boot. RFC 4106, 4309 \
         and 3686 forbid manual keys. --deny-weak turns this warning into an error.",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes-gcm encrkey KEY40",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Ignored,
        "The keyword has no effect. get and delete do not compare ports; illumos ignores soft limits without hard limits.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 soft_addtime 3600",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 soft_addtime 3600 hard_addtime 7200",
    ),
    row(
        Code::MixedFamilies,
        "No packet has an IPv4 source and an IPv6 destination. A missing inner address defaults to ::/0, so an IPv4 tunnel needs both \
         isrc and idst.",
        "add ah spi 0x1000 dst 198.51.100.7 proto 4 idst 10.2.0.0/16 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 proto 4 isrc 10.1.0.0/16 idst 10.2.0.0/16 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ZeroKey,
        "An all-zero key is trivially guessable. `ipseckey genkey ALGORITHM` generates a random key. --deny-weak turns this warning \
         into an error.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey 00000000000000000000000000000000",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg md5 authkey KEY32",
    ),
    row(
        Code::WeakKey,
        "With 16 keys of DES, encrypting twice gives the plaintext back, with the same key or with its partner. Triple DES with equal \
         parts is no stronger than DES or two-key Triple DES. Use a random key, or AES. --deny-weak turns this warning into an error.",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg des encrkey 0101010101010101 auth_alg sha256 authkey KEY64",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::KeyLength,
        "The SADB will refuse the SA; but Linux takes HMAC keys of 80 to 1024 bits and Blowfish keys of 32 to 448, so that this is a \
         warning there. `ipseckey algs` lists the usual key lengths. The key of a counter-mode cipher ends in its salt.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY32",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::HostName,
        "The service starts before the network, so that no packet leaves unprotected; host names cannot be resolved at that time. \
         Besides, the operator of the name service chooses the peer that the keys are used with. Specify addresses.",
        "add ah spi 0x1000 dst peer.example.com auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ReservedSpi,
        "SPI 0 is for local use, and 1 to 255 are reserved by IANA (RFC 4303 section 2.1). Use 256 or above.",
        "add ah spi 200 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 2000 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::DuplicateSa,
        "SA type, SPI and destination identify an SA; the source address is not part of it. The SADB will refuse the second add.",
        "add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1000 src 192.0.2.2 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1001 src 192.0.2.2 dst 198.51.100.7 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::Unprotected,
        "Unauthenticated ciphertext is malleable, and practical attacks recover plaintext from it (RFC 4303 section 2). Add auth_alg \
         and authkey to an esp SA, or use a combined cipher.",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64",
        "add esp spi 0x1000 dst 198.51.100.7 encr_alg aes encrkey KEY64 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ManySasPerTuple,
        "When an SA is added, the Linux kernel visits every SA with the same src, dst and reqid, so the load time is quadratic: about \
         10 s for 20,000 SAs, 1 s with distinct tuples. Use different reqids unless a policy needs them to be the same.",
        "",
        "",
    ),
    row(
        Code::BothTables,
        "illumos has a table of inbound and one of outbound SAs. Without inbound or outbound in the command, the addresses that the \
         host has at that moment decide, and the service starts before the network has its addresses: the SA is then in both tables. \
         Such an SA cannot be paired, and with AES-GCM or AES-CCM it is refused, because the kernel would free its salt twice. A file \
         with directions is for one host: what is inbound there is outbound on the peer.",
        "add ah spi 0x1001 src 198.51.100.7 dst 192.0.2.1 auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 pair-spi 0x1001 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1001 src 198.51.100.7 dst 192.0.2.1 inbound auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1000 src 192.0.2.1 dst 198.51.100.7 outbound pair-spi 0x1001 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::IllumosRefuses,
        "Every illumos kernel refuses such a command, or corrupts its memory, whatever SAs and addresses the host has. Reported with an \
         SADB of illumos only: on illumos, and elsewhere with --sadb model:illumos.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 soft_addtime 7200 hard_addtime 3600",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 soft_addtime 3600 hard_addtime 7200",
    ),
    row(
        Code::IllumosChanges,
        "illumos stores another value than the command has, without an error: it clears the host bits of inner addresses, takes 8 to 23 \
         seconds off the soft addtime of outbound SAs, and disables the anti-replay window of an SA without a source address.",
        "add ah spi 0x1000 dst 198.51.100.7 isrc 10.1.0.1/16 idst 10.2.0.1/16 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 198.51.100.7 isrc 10.1.0.0/16 idst 10.2.0.0/16 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::OutboundGroup,
        "The SA protects what this host sends to a multicast group, and what other hosts send to it is accepted unprotected. Without \
         inbound and outbound an SA of a group that has no source is for both directions.",
        "add ah spi 0x1000 dst6 ff02::5 proto 89 outbound auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst6 ff02::5 proto 89 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::SeveralGroupKeys,
        "Linux sends to a group through the newest of the SAs that have the reqid of the policy, on all interfaces. A router on two \
         links uses the same SPI and key on both. To change the keys, give the new SAs another reqid: the first one of the file is \
         sent with, and all are accepted; see docs/ospfv3.md.",
        "add ah spi 0x1000 dst6 ff02::5 proto 89 auth_alg sha256 authkey KEY64\n\
         add ah spi 0x1001 dst6 ff02::5 proto 89 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst6 ff02::5 proto 89 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::RawSockets,
        "Daemons of OSPF and PIM, such as those of FRR, write the IPv4 header of their packets themselves. Linux then looks up policies \
         and SAs with the protocol 255: those with proto 89 or 103 do not match, and the packets pass in the clear. Without proto the \
         SA is for all packets to its destination. IPv6 is not affected.",
        "add ah spi 0x1000 dst 224.0.0.13 proto 103 auth_alg sha256 authkey KEY64",
        "add ah spi 0x1000 dst 224.0.0.13 auth_alg sha256 authkey KEY64",
    ),
    row(
        Code::ChainGap,
        "From the end of one key until the start of the next, no packet is sent or accepted. Policies of the service remain, so that \
         packets are dropped and do not pass in the clear. The last key of a chain may have no end.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 send_until 2027-01-31T00:00:00Z\n\
         add ah spi 0x1001 dst 198.51.100.7 auth_alg sha1 authkey KEY40 send_from 2027-02-01T00:00:00Z",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 send_until 2027-02-01T00:00:00Z\n\
         add ah spi 0x1001 dst 198.51.100.7 auth_alg sha1 authkey KEY40 send_from 2027-02-01T00:00:00Z",
    ),
    row(
        Code::ChainOverlap,
        "Each host changes keys by its own clock. A key has to be accepted before the other host sends with it, and for a while \
         afterwards: by the difference of the clocks at least, which is 5 minutes unless --skew says otherwise.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 accept_from 2027-01-31T00:00:00Z send_from \
         2027-01-31T00:00:00Z",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 accept_from 2027-01-30T23:00:00Z send_from \
         2027-01-31T00:00:00Z",
    ),
    row(
        Code::ChainKey,
        "A change to an SA with the same key changes nothing for an attacker who has it, and repeats sequence numbers under one key. \
         Each SA of a chain, also that of the other direction, has keys of its own.",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 send_until 2027-02-01T00:00:00Z\n\
         add ah spi 0x1001 dst 198.51.100.7 auth_alg sha256 authkey KEY64 send_from 2027-02-01T00:00:00Z",
        "add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey KEY64 send_until 2027-02-01T00:00:00Z\n\
         add ah spi 0x1001 dst 198.51.100.7 auth_alg sha1 authkey KEY40 send_from 2027-02-01T00:00:00Z",
    ),
];
