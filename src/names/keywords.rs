//! The keywords of the command language: ipseckey(1M), EXTENSION VALUE TYPES, and the words that only `help attr` lists.

use super::Vocabulary;
use crate::sa::LifetimeKind;

/// The property that a keyword sets. Synonyms share a field, and a field may occur once in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each variant is the keyword of the man page")]
pub(crate) enum Field {
    Spi,
    PairSpi,
    Replay,
    ReplayValue,
    State,
    AuthAlg,
    EncrAlg,
    Encap,
    ReservedBits,
    SoftAlloc,
    SoftBytes,
    SoftAddtime,
    SoftUsetime,
    HardAlloc,
    HardBytes,
    HardAddtime,
    HardUsetime,
    IdleAddtime,
    IdleUsetime,
    CurrentAlloc,
    CurrentBytes,
    CurrentAddtime,
    CurrentUsetime,
    Src,
    Dst,
    InnerSrc,
    InnerDst,
    NatLoc,
    NatRem,
    Sport,
    Dport,
    InnerSport,
    InnerDport,
    NatLport,
    NatRport,
    Proto,
    InnerProto,
    AuthKey,
    EncrKey,
    SrcIdType,
    DstIdType,
    Inbound,
    Outbound,
    Flags,
    Dpd,
    IntegLevel,
    IntegMap,
    Mode,
    Reqid,
    Mark,
    IfId,
    OutputMark,
    Offload,
    Tfcpad,
    Esn,
    XfrmFlags,
    SoftPackets,
    HardPackets,
    Icv,
    AcceptFrom,
    AcceptUntil,
    SendFrom,
    SendUntil,
}

/// One of the four values of a lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Number of flows, which illumos stores but does not enforce.
    Allocations,
    Bytes,
    /// Seconds since the SA was added.
    Addtime,
    /// Seconds since the first use.
    Usetime,
}

/// The value of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// None: the keyword is a flag.
    Nothing,
    /// A number up to this maximum.
    Number(u64),
    /// A number that is one value of a lifetime.
    Lifetime(LifetimeKind, Limit),
    /// A state, by name or number.
    State,
    /// An authentication algorithm, by name or number.
    AuthAlg,
    /// An encryption algorithm, by name or number.
    EncrAlg,
    /// The encapsulating protocol, always `udp`.
    Encap,
    /// A hexadecimal key: the value is secret.
    Key,
    /// An address or host name.
    Address,
    /// An IPv6 address, or a host name with IPv6 addresses; its IPv4 addresses are ignored.
    Address6,
    /// An address or host name, with an optional prefix length.
    Prefix,
    /// Like [`Value::Prefix`], IPv6 only.
    Prefix6,
    /// Two words: the type and the value of an identity.
    Identity,
    /// A mode of Linux XFRM.
    Mode,
    /// A number, with an optional mask.
    Mark,
    /// The name of a network interface.
    Device,
    /// Flags of Linux XFRM, separated by commas.
    XfrmFlags,
    /// A time: RFC 3339, or seconds since 1970.
    Time,
}

impl Value {
    /// The value in the words of a synopsis; empty for a flag.
    pub(crate) fn synopsis(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Number(_) => "NUMBER",
            Self::Lifetime(_, Limit::Allocations) => "FLOWS",
            Self::Lifetime(_, Limit::Bytes) => "BYTES",
            Self::Lifetime(_, Limit::Addtime | Limit::Usetime) => "SECONDS",
            Self::State => "STATE",
            Self::AuthAlg | Self::EncrAlg => "ALGORITHM",
            Self::Encap => "udp",
            Self::Key => "HEX[/BITS]",
            Self::Address => "ADDRESS",
            Self::Address6 => "IPV6",
            Self::Prefix => "ADDRESS[/LEN]",
            Self::Prefix6 => "IPV6[/LEN]",
            Self::Identity => "TYPE IDENTITY",
            Self::Mode => "MODE",
            Self::Mark => "NUMBER[/MASK]",
            Self::Device => "INTERFACE",
            Self::XfrmFlags => "FLAG[,FLAG]",
            Self::Time => "TIME",
        }
    }
}

/// Which commands may use a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Every command about an SA.
    Any,
    /// `add`, `update` and `update-pair`, which change an SA.
    Change,
    /// `add` in a keys file.
    AddInFile,
    /// None: it is reserved for replies of the SADB.
    Reserved,
}

/// A keyword of the command language.
#[derive(Debug)]
pub(crate) struct Keyword {
    pub(crate) word: &'static str,
    pub(crate) field: Field,
    pub(crate) value: Value,
    pub(crate) usage: Usage,
    /// Whether it is for Linux XFRM only.
    pub(crate) only_linux: bool,
    /// Its title in messages: "Can only specify single ...".
    pub(crate) title: &'static str,
}

impl Keyword {
    /// Whether the value is key material.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_secret(&self) -> bool {
        self.value == Value::Key
    }
}

const fn row(word: &'static str, field: Field, value: Value, usage: Usage, title: &'static str) -> Keyword {
    Keyword { word, field, value, usage, only_linux: false, title }
}

const fn linux(word: &'static str, field: Field, value: Value, usage: Usage, title: &'static str) -> Keyword {
    Keyword { word, field, value, usage, only_linux: true, title }
}

use Field as F;
use LifetimeKind::{Current, Hard, Idle, Soft};
use Usage::{AddInFile, Any, Change, Reserved};
use Value as V;

const U8: V = V::Number(u8::MAX as u64);
const U16: V = V::Number(u16::MAX as u64);
const U32: V = V::Number(u32::MAX as u64);
const U64: V = V::Number(u64::MAX);

/// Every keyword, in the order of `help attr`.
pub(crate) const TABLE: &[Keyword] = &[
    row("spi", F::Spi, U32, Any, "SPI value"),
    row("pair-spi", F::PairSpi, U32, Change, "pair SPI value"),
    row("replay", F::Replay, U32, Change, "replay window size"),
    row("state", F::State, V::State, Change, "SA state"),
    row("auth_alg", F::AuthAlg, V::AuthAlg, Change, "authentication algorithm"),
    row("authalg", F::AuthAlg, V::AuthAlg, Change, "authentication algorithm"),
    row("encr_alg", F::EncrAlg, V::EncrAlg, Change, "encryption algorithm"),
    row("encralg", F::EncrAlg, V::EncrAlg, Change, "encryption algorithm"),
    row("flags", F::Flags, U32, Reserved, "flags"),
    row("soft_alloc", F::SoftAlloc, V::Lifetime(Soft, Limit::Allocations), Change, "soft allocation limit"),
    row("soft_bytes", F::SoftBytes, V::Lifetime(Soft, Limit::Bytes), Change, "soft byte limit"),
    row("soft_addtime", F::SoftAddtime, V::Lifetime(Soft, Limit::Addtime), Change, "soft post-add lifetime"),
    row("soft_usetime", F::SoftUsetime, V::Lifetime(Soft, Limit::Usetime), Change, "soft post-use lifetime"),
    row("hard_alloc", F::HardAlloc, V::Lifetime(Hard, Limit::Allocations), Change, "hard allocation limit"),
    row("hard_bytes", F::HardBytes, V::Lifetime(Hard, Limit::Bytes), Change, "hard byte limit"),
    row("hard_addtime", F::HardAddtime, V::Lifetime(Hard, Limit::Addtime), Change, "hard post-add lifetime"),
    row("hard_usetime", F::HardUsetime, V::Lifetime(Hard, Limit::Usetime), Change, "hard post-use lifetime"),
    row("current_alloc", F::CurrentAlloc, V::Lifetime(Current, Limit::Allocations), Reserved, "current allocations"),
    row("current_bytes", F::CurrentBytes, V::Lifetime(Current, Limit::Bytes), Reserved, "current bytes"),
    row("current_addtime", F::CurrentAddtime, V::Lifetime(Current, Limit::Addtime), Reserved, "current add time"),
    row("current_usetime", F::CurrentUsetime, V::Lifetime(Current, Limit::Usetime), Reserved, "current use time"),
    row("saddr", F::Src, V::Address, Any, "source address"),
    row("srcaddr", F::Src, V::Address, Any, "source address"),
    row("src", F::Src, V::Address, Any, "source address"),
    row("daddr", F::Dst, V::Address, Any, "destination address"),
    row("dstaddr", F::Dst, V::Address, Any, "destination address"),
    row("dst", F::Dst, V::Address, Any, "destination address"),
    row("proxyaddr", F::InnerSrc, V::Prefix, Change, "proxy/inner-source address"),
    row("proxy", F::InnerSrc, V::Prefix, Change, "proxy/inner-source address"),
    row("innersrc", F::InnerSrc, V::Prefix, Change, "proxy/inner-source address"),
    row("isrc", F::InnerSrc, V::Prefix, Change, "proxy/inner-source address"),
    row("innerdst", F::InnerDst, V::Prefix, Change, "inner-destination address"),
    row("idst", F::InnerDst, V::Prefix, Change, "inner-destination address"),
    row("sport", F::Sport, U16, Any, "source port"),
    row("dport", F::Dport, U16, Any, "destination port"),
    row("innersport", F::InnerSport, U16, Change, "inner-source port"),
    row("isport", F::InnerSport, U16, Change, "inner-source port"),
    row("innerdport", F::InnerDport, U16, Change, "inner-destination port"),
    row("idport", F::InnerDport, U16, Change, "inner-destination port"),
    row("proto", F::Proto, U8, Any, "protocol"),
    row("ulp", F::Proto, U8, Any, "protocol"),
    row("iproto", F::InnerProto, U8, Change, "inner protocol"),
    row("iulp", F::InnerProto, U8, Change, "inner protocol"),
    row("saddr6", F::Src, V::Address6, Any, "source address"),
    row("srcaddr6", F::Src, V::Address6, Any, "source address"),
    row("src6", F::Src, V::Address6, Any, "source address"),
    row("daddr6", F::Dst, V::Address6, Any, "destination address"),
    row("dstaddr6", F::Dst, V::Address6, Any, "destination address"),
    row("dst6", F::Dst, V::Address6, Any, "destination address"),
    row("proxyaddr6", F::InnerSrc, V::Prefix6, Change, "proxy/inner-source address"),
    row("proxy6", F::InnerSrc, V::Prefix6, Change, "proxy/inner-source address"),
    row("innersrc6", F::InnerSrc, V::Prefix6, Change, "proxy/inner-source address"),
    row("isrc6", F::InnerSrc, V::Prefix6, Change, "proxy/inner-source address"),
    row("innerdst6", F::InnerDst, V::Prefix6, Change, "inner-destination address"),
    row("idst6", F::InnerDst, V::Prefix6, Change, "inner-destination address"),
    row("authkey", F::AuthKey, V::Key, Change, "authentication key"),
    row("encrkey", F::EncrKey, V::Key, Change, "encryption key"),
    row("srcidtype", F::SrcIdType, V::Identity, Change, "source certificate identity"),
    row("dstidtype", F::DstIdType, V::Identity, Change, "destination certificate identity"),
    row("dpd", F::Dpd, U32, Reserved, "dead peer detection"),
    row("integ_level", F::IntegLevel, U32, Reserved, "integrity level"),
    row("integ_map", F::IntegMap, U32, Reserved, "integrity map"),
    row("nat_loc", F::NatLoc, V::Address, Change, "NAT-T local address"),
    row("nat_rem", F::NatRem, V::Address, Change, "NAT-T remote address"),
    row("nat_lport", F::NatLport, U16, Change, "NAT-T local port"),
    row("nat_rport", F::NatRport, U16, Change, "NAT-T remote port"),
    row("encap", F::Encap, V::Encap, Change, "encapsulation"),
    row("outbound", F::Outbound, V::Nothing, Any, "direction"),
    row("inbound", F::Inbound, V::Nothing, Any, "direction"),
    row("reserved_bits", F::ReservedBits, U16, Change, "number of reserved bits"),
    row("replay_value", F::ReplayValue, U32, Change, "replay value"),
    row("idle_addtime", F::IdleAddtime, V::Lifetime(Idle, Limit::Addtime), Change, "idle post-add lifetime"),
    row("idle_usetime", F::IdleUsetime, V::Lifetime(Idle, Limit::Usetime), Change, "idle post-use lifetime"),
    linux("mode", F::Mode, V::Mode, Change, "mode"),
    linux("reqid", F::Reqid, U32, Change, "request id"),
    linux("mark", F::Mark, V::Mark, Any, "mark"),
    linux("if_id", F::IfId, U32, Change, "interface id"),
    linux("output-mark", F::OutputMark, V::Mark, Change, "output mark"),
    linux("offload", F::Offload, V::Device, Change, "offload device"),
    linux("offload-packet", F::Offload, V::Device, Change, "offload device"),
    linux("tfcpad", F::Tfcpad, U32, Change, "padding length"),
    linux("esn", F::Esn, V::Nothing, Change, "extended sequence numbers"),
    linux("flag", F::XfrmFlags, V::XfrmFlags, Change, "list of flags"),
    linux("soft_packets", F::SoftPackets, U64, Change, "soft packet limit"),
    linux("hard_packets", F::HardPackets, U64, Change, "hard packet limit"),
    linux("icv", F::Icv, V::Number(512), Change, "length of the integrity check value"),
    row("accept_from", F::AcceptFrom, V::Time, AddInFile, "start of acceptance"),
    row("accept_until", F::AcceptUntil, V::Time, AddInFile, "end of acceptance"),
    row("send_from", F::SendFrom, V::Time, AddInFile, "start of sending"),
    row("send_until", F::SendUntil, V::Time, AddInFile, "end of sending"),
];

/// The keywords that commands may use, in the order of `help attr`.
pub(crate) fn usable(vocabulary: Vocabulary) -> impl Iterator<Item = &'static Keyword> {
    let known = TABLE.iter().filter(move |row| !row.only_linux || vocabulary == Vocabulary::Linux);
    known.filter(|row| row.usage != Usage::Reserved)
}

/// The words of [`usable`].
pub(crate) fn words(vocabulary: Vocabulary) -> impl Iterator<Item = &'static str> {
    usable(vocabulary).map(|row| row.word)
}

/// Slots of the hash table: a power of two, five times the keywords, so that probes are short.
const SLOTS: usize = 512;
const EMPTY: u8 = u8::MAX;

/// The first slot of a lookup: a hash of the length and four letters, which differ between nearly all keywords.
const fn slot(word: &[u8]) -> usize {
    let len = word.len();
    let mixed =
        word[0] as usize * 7 + word[len / 2] as usize * 31 + word[len - 1] as usize * 59 + word[len / 4] as usize * 13;
    (mixed + len * 97) % SLOTS
}

/// Length of the longest keyword in bytes.
const LONGEST: usize = {
    let (mut longest, mut row) = (0, 0);
    while row < TABLE.len() {
        assert!(TABLE[row].word.as_bytes()[0].is_ascii_lowercase());
        if TABLE[row].word.len() > longest {
            longest = TABLE[row].word.len();
        }
        row += 1;
    }
    longest
};

/// Keyword numbers by [`slot`], collisions in the next free slot.
static INDEX: [u8; SLOTS] = {
    let mut index = [EMPTY; SLOTS];
    let mut row = 0;
    // `for` is not allowed in a constant.
    while row < TABLE.len() {
        let mut at = slot(TABLE[row].word.as_bytes());
        while index[at] != EMPTY {
            at = (at + 1) % SLOTS;
        }
        index[at] = row as u8;
        row += 1;
    }
    index
};

/// Finds a keyword. Keywords are case-sensitive.
#[must_use]
pub(crate) fn by_word(word: &[u8]) -> Option<&'static Keyword> {
    // Values are looked up too, to find forgotten ones. Most of them are addresses, numbers and keys, which end here.
    if !word.first().is_some_and(u8::is_ascii_lowercase) || word.len() > LONGEST {
        return None;
    }
    let mut at = slot(word);
    while INDEX[at] != EMPTY {
        let row = &TABLE[usize::from(INDEX[at])];
        if row.word.as_bytes() == word {
            return Some(row);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn by_word_finds_every_keyword() {
        let words: HashSet<_> = TABLE.iter().map(|row| row.word).collect();
        assert_eq!(words.len(), TABLE.len());
        for row in TABLE {
            assert_eq!(by_word(row.word.as_bytes()).map(|found| found.word), Some(row.word));
        }
        for unknown in ["", "s", "spI", "SPI", "spi ", "authkeys", "encrke"] {
            assert!(by_word(unknown.as_bytes()).is_none(), "{unknown}");
        }
    }

    #[test]
    fn synonyms_have_the_same_usage_and_title() {
        for row in TABLE {
            for other in TABLE.iter().filter(|other| other.field == row.field) {
                assert_eq!((row.usage, row.title), (other.usage, other.title), "{} {}", row.word, other.word);
            }
        }
    }

    #[test]
    fn only_keys_are_secret() {
        let secret: Vec<_> = TABLE.iter().filter(|row| row.is_secret()).map(|row| row.word).collect();
        assert_eq!(secret, ["authkey", "encrkey"]);
    }

    #[test]
    fn fields_fit_a_64_bit_set() {
        assert!(TABLE.iter().all(|row| (row.field as u8) < 64));
    }
}
