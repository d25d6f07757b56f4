//! Messages as JSON: one object on a line, with the keywords of ipseckey(1M). docs/schema.json is its schema.
//!
//! Each value is written directly to the writer, so that no copy of a key remains in memory.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::address::Text;
use super::identity;
use super::key::Digits;
use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::names::{diagnostics, identities, linux, messages, sa_types, states};
use crate::redact::printable;
use crate::sa::{
    AddressInfo, AddressRole, Association, AuthAlg, Combination, EncrAlg, Extension, Flags, Identity, KeyRole, Lifetime,
    LifetimeKind, LinuxInfo, Masked, Message, MessageType, SaType, Side,
};

/// The optional members of the objects.
#[derive(Clone, Copy, Default)]
pub(crate) struct Choice {
    /// Whether keys are included (`--show-keys`).
    pub(crate) keys: bool,
    /// Whether identities that may be keys are masked (`-p`).
    pub(crate) paranoid: bool,
    /// The current time in seconds since 1970 (`monitor`).
    pub(crate) timestamp: Option<u64>,
}

/// Writes `message` as one line.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_line(out: &mut dyn Write, message: &Message, choice: Choice) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &MessageObject { message, choice })?;
    writeln!(out)
}

struct MessageObject<'a> {
    message: &'a Message,
    choice: Choice,
}

impl Serialize for MessageObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.message;
        let mut map = serializer.serialize_map(None)?;
        // First, so that a reader of a log sees it at the start of each line.
        if let Some(timestamp) = self.choice.timestamp {
            map.serialize_entry("timestamp", &timestamp)?;
        }
        map.serialize_entry("message", &message_word(message.kind))?;
        // Omitted without an error, like every member that has its default.
        if message.errno != 0 {
            map.serialize_entry("errno", &message.errno)?;
        }
        if message.diagnostic.0 != 0 {
            map.serialize_entry("diagnostic", diagnostics::text(message.diagnostic))?;
        }
        map.serialize_entry("sa_type", &type_word(message.sa_type))?;
        if let Some(sa) = message.association() {
            association(&mut map, sa)?;
        }
        addresses(&mut map, message)?;
        lifetimes(&mut map, message)?;
        self.keys(&mut map)?;
        message.extensions.iter().try_for_each(|extension| single_extension(&mut map, extension, self.choice.paranoid))?;
        map.end()
    }
}

impl MessageObject<'_> {
    fn keys<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (role, word, bits) in [(KeyRole::Auth, "authkey", "authkey_bits"), (KeyRole::Encr, "encrkey", "encrkey_bits")] {
            let Some(key) = self.message.key(role) else { continue };
            map.serialize_entry(bits, &(u32::from(key.bits()) + u32::from(key.reserved())))?;
            // The length is always shown: it helps to find a wrong key without revealing it.
            if self.choice.keys {
                map.serialize_entry(word, &Digits(key))?;
            }
        }
        Ok(())
    }
}

/// The type of a message in the form of a command: `add`, `update-pair`, `register`.
fn message_word(kind: MessageType) -> String {
    match messages::name(kind) {
        Some(name) if kind != MessageType::RESERVED => name.trim_start_matches("X_").to_lowercase().replace([' ', '_'], "-"),
        _ => kind.0.to_string(),
    }
}

fn type_word(sa_type: SaType) -> String {
    sa_types::by_number(sa_type).map_or_else(|| sa_type.0.to_string(), |row| row.word.to_owned())
}

fn auth_word(number: AuthAlg) -> String {
    auth_by_number(number).map_or_else(|| number.0.to_string(), |row| row.names[0].to_owned())
}

fn encr_word(number: EncrAlg) -> String {
    encr_by_number(number).map_or_else(|| number.0.to_string(), |row| row.names[0].to_owned())
}

/// Flags that are not implied by another member.
const FLAGS: &[(Flags, &str)] = &[
    (Flags::INBOUND, "inbound"),
    (Flags::OUTBOUND, "outbound"),
    (Flags::PAIRED, "paired"),
    (Flags::TUNNEL, "tunnel"),
    (Flags::USED, "used"),
    (Flags::NATTED, "natted"),
    (Flags::UNIQUE, "unique"),
    (Flags::PFS, "pfs"),
    (Flags::NOREPLAY, "noreplay"),
];

fn association<M: SerializeMap>(map: &mut M, sa: &Association) -> Result<(), M::Error> {
    map.serialize_entry("spi", &sa.spi.to_string())?;
    // The cluster states of illumos have no word in the language, so their number is written.
    let state = states::TABLE.iter().find(|row| row.number == sa.state).map(|row| row.word.to_owned());
    map.serialize_entry("state", &state.unwrap_or_else(|| sa.state.0.to_string()))?;
    map.serialize_entry("replay", &sa.replay)?;
    if sa.auth != AuthAlg::NONE {
        map.serialize_entry("auth_alg", &auth_word(sa.auth))?;
    }
    if sa.encr != EncrAlg::NONE {
        map.serialize_entry("encr_alg", &encr_word(sa.encr))?;
    }
    let flags: Vec<&str> = FLAGS.iter().filter(|(flag, _)| sa.flags.has(*flag)).map(|(_, word)| *word).collect();
    map.serialize_entry("flags", &flags)
}

/// The members for an address, its port and its protocol.
const ADDRESSES: &[(AddressRole, &str, &str, Option<&str>)] = &[
    (AddressRole::Source, "src", "sport", None),
    (AddressRole::Destination, "dst", "dport", Some("proto")),
    (AddressRole::InnerSource, "isrc", "isport", None),
    (AddressRole::InnerDestination, "idst", "idport", Some("iproto")),
    (AddressRole::NattLocal, "nat_loc", "nat_lport", None),
    (AddressRole::NattRemote, "nat_rem", "nat_rport", None),
];

fn addresses<M: SerializeMap>(map: &mut M, message: &Message) -> Result<(), M::Error> {
    for (role, word, port, proto) in ADDRESSES {
        let Some(info) = message.address(*role) else { continue };
        let inner = matches!(role, AddressRole::InnerSource | AddressRole::InnerDestination);
        // An address of an unknown family has no text.
        if let Some(addr) = info.addr {
            map.serialize_entry(word, &address_text(addr, info, inner))?;
        }
        if info.port != 0 {
            map.serialize_entry(port, &info.port)?;
        }
        // Source and destination have the same protocol, so it is one member.
        if let (Some(proto), 1..) = (proto, info.proto) {
            map.serialize_entry(proto, &info.proto)?;
        }
    }
    Ok(())
}

/// Formats an address. Inner addresses are networks, so they have a prefix length.
fn address_text(addr: IpAddr, info: &AddressInfo, inner: bool) -> String {
    if inner { format!("{}/{}", Text(addr), info.prefix_len) } else { Text(addr).to_string() }
}

/// The members for the four values of a lifetime, in the order of the fields of [`Lifetime`].
const LIFETIMES: &[(LifetimeKind, [&str; 4])] = &[
    (LifetimeKind::Current, ["current_alloc", "current_bytes", "current_addtime", "current_usetime"]),
    (LifetimeKind::Hard, ["hard_alloc", "hard_bytes", "hard_addtime", "hard_usetime"]),
    (LifetimeKind::Soft, ["soft_alloc", "soft_bytes", "soft_addtime", "soft_usetime"]),
    (LifetimeKind::Idle, ["idle_alloc", "idle_bytes", "idle_addtime", "idle_usetime"]),
];

/// Zero is omitted: it means unlimited, or of a current value, unused.
fn lifetimes<M: SerializeMap>(map: &mut M, message: &Message) -> Result<(), M::Error> {
    for (kind, words) in LIFETIMES {
        let Some(Lifetime { allocations, bytes, addtime, usetime }) = message.lifetime(*kind).copied() else { continue };
        // In the order of the words of the table.
        for (word, value) in words.iter().zip([allocations.into(), bytes, addtime, usetime]) {
            if value != 0 {
                map.serialize_entry(word, &value)?;
            }
        }
    }
    Ok(())
}

/// The extensions that occur at most once and make a member of their own.
fn single_extension<M: SerializeMap>(map: &mut M, extension: &Extension, paranoid: bool) -> Result<(), M::Error> {
    match extension {
        Extension::Identity(side, identity) => identity_entry(map, *side, identity, paranoid),
        Extension::Pair(spi) if spi.0 != 0 => map.serialize_entry("pair_spi", &spi.to_string()),
        Extension::ReplayValue { value32, value64 } => {
            // Only one of the two is set.
            let value = if *value32 == 0 { *value64 } else { u64::from(*value32) };
            map.serialize_entry("replay_value", &value)
        }
        Extension::KmCookie { proto, cookie } => map.serialize_entry("km_cookie", &[u64::from(*proto), *cookie]),
        Extension::Supported(KeyRole::Auth, rows) => {
            let words: Vec<String> = rows.iter().map(|row| auth_word(AuthAlg(row.id.into()))).collect();
            map.serialize_entry("supported_auth", &words)
        }
        Extension::Supported(KeyRole::Encr, rows) => {
            let words: Vec<String> = rows.iter().map(|row| encr_word(EncrAlg(row.id.into()))).collect();
            map.serialize_entry("supported_encr", &words)
        }
        Extension::Proposal { combinations, .. } => {
            let words: Vec<[String; 2]> = combinations.iter().map(combination_words).collect();
            map.serialize_entry("proposals", &words)
        }
        Extension::SecondAssociation { reqid, .. } if *reqid != 0 => map.serialize_entry("reqid", reqid),
        Extension::Linux(info) => linux_info(map, info),
        _ => Ok(()),
    }
}

fn combination_words(row: &Combination) -> [String; 2] {
    [auth_word(row.auth), encr_word(row.encr)]
}

/// The type and the value of an identity; bytes that are not printable ASCII are escaped.
fn identity_entry<M: SerializeMap>(map: &mut M, side: Side, identity: &Identity, paranoid: bool) -> Result<(), M::Error> {
    let (kind_word, value_word) = match side {
        Side::Source => ("srcidtype", "srcid"),
        Side::Destination => ("dstidtype", "dstid"),
    };
    let kind = identities::by_number(identity.kind).and_then(|row| row.words.first().copied());
    map.serialize_entry(kind_word, &kind.map_or_else(|| identity.kind.0.to_string(), str::to_owned))?;
    let masked = if paranoid { identity::mask_of(identity) } else { None };
    map.serialize_entry(value_word, &masked.unwrap_or_else(|| identity.value.escape_ascii().to_string()))
}

fn linux_info<M: SerializeMap>(map: &mut M, info: &LinuxInfo) -> Result<(), M::Error> {
    let extras = &info.extras;
    if let Some(word) = extras.mode.and_then(linux::mode_word) {
        map.serialize_entry("mode", word)?;
    }
    let numbers = [
        ("reqid", u64::from(extras.reqid)),
        ("if_id", u64::from(extras.if_id)),
        ("tfcpad", u64::from(extras.tfcpad)),
        ("icv", u64::from(extras.icv_bits.unwrap_or(0))),
        ("soft_packets", extras.soft_packets),
        ("hard_packets", extras.hard_packets),
        ("replay_window", info.replay_window.into()),
        ("current_packets", info.packets),
        ("last_used", info.last_used),
        ("sent_seq", info.sent_seq),
        ("received_seq", info.received_seq),
    ];
    // 0 is the default of each, and is omitted as in a keys file.
    for (word, value) in numbers.into_iter().filter(|(_, value)| *value != 0) {
        map.serialize_entry(word, &value)?;
    }
    for (word, mark) in [("mark", extras.mark), ("output_mark", extras.output_mark)] {
        if let Some(Masked { value, mask }) = mark {
            map.serialize_entry(word, &format!("{value:#x}/{mask:#x}"))?;
        }
    }
    if let Some(offload) = &extras.offload {
        map.serialize_entry(
            if offload.whole_packet { "offload_packet" } else { "offload" },
            &printable(offload.device.as_bytes()),
        )?;
    }
    let flags: Vec<&str> = linux::flag_words(extras.flags).collect();
    if !flags.is_empty() {
        map.serialize_entry("flag", &flags)?;
    }
    let others: Vec<&String> = info.inexpressible.iter().chain(&info.lost).collect();
    if !others.is_empty() {
        map.serialize_entry("without_keyword", &others)?;
    }
    if info.drops != [0; 3] {
        map.serialize_entry("dropped_replay_window", &info.drops[0])?;
        map.serialize_entry("dropped_replay", &info.drops[1])?;
        map.serialize_entry("dropped_integrity", &info.drops[2])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{DiagnosticCode, LinuxExtras, SaState, Spi, XfrmFlags, XfrmMode};
    use crate::secret::Key;

    fn line(extensions: Vec<Extension>, choice: Choice) -> String {
        let (kind, sa_type, diagnostic) = (MessageType::UPDATE_PAIR, SaType::ESP, DiagnosticCode(0));
        let message = Message { version: 2, kind, errno: 0, sa_type, byte_len: 0, diagnostic, seq: 1, pid: 1, extensions };
        let mut out = Vec::new();
        write_line(&mut out, &message, choice).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn write_line_has_keys_only_with_choice_keys() {
        let key = || vec![Extension::Key(KeyRole::Encr, Key::from_slice(&[0xab, 0xcd, 0xef], 16, 8))];
        let hidden = "{\"message\":\"update-pair\",\"sa_type\":\"esp\",\"encrkey_bits\":24}\n";
        assert_eq!(line(key(), Choice::default()), hidden);
        let shown = line(key(), Choice { keys: true, timestamp: Some(5), ..Choice::default() });
        let expected =
            "{\"timestamp\":5,\"message\":\"update-pair\",\"sa_type\":\"esp\",\"encrkey_bits\":24,\"encrkey\":\"abcdef\"}\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn write_line_uses_keywords() {
        let sa = Association { spi: Spi(0x100), state: SaState::MATURE, flags: Flags::INBOUND, ..Association::default() };
        let inner = AddressInfo { proto: 6, prefix_len: 16, family: 2, addr: Some([10, 2, 0, 0].into()), port: 80 };
        let identity = Identity { kind: crate::sa::IdentityType(2), id: 0, value: b"a\x1b\"".to_vec() };
        let hard = Lifetime { addtime: 60, ..Lifetime::default() };
        let extras = LinuxExtras { mode: Some(XfrmMode::BEET), flags: XfrmFlags::ESN, ..LinuxExtras::default() };
        let text = line(
            vec![
                Extension::Association(sa),
                Extension::Address(AddressRole::InnerDestination, inner),
                Extension::Identity(Side::Source, identity),
                Extension::Lifetime(LifetimeKind::Hard, hard),
                Extension::Linux(Box::new(LinuxInfo { extras, ..LinuxInfo::default() })),
            ],
            Choice::default(),
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "message": "update-pair", "sa_type": "esp", "spi": "0x100", "state": "mature", "replay": 0, "flags": ["inbound"],
            "idst": "10.2.0.0/16", "idport": 80, "iproto": 6, "hard_addtime": 60, "srcidtype": "fqdn",
            "srcid": "a\\x1b\\\"", "mode": "beet", "flag": ["esn"],
        });
        assert_eq!(value, expected);
    }
}
