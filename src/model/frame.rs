//! One message as raw bytes: the offsets of its extensions, reads of their fields, and edits in place.
//!
//! The kernel replies to most requests with the edited request itself, so the bytes are kept, not a decoded copy. It checks the
//! length of few extensions, so a field beyond the end of a short one is read from the extension behind it; beyond the end of
//! the message it reads as zero here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::refusal::Refusal;
use crate::sa::{Association, AuthAlg, EncrAlg, Flags, Identity, IdentityType, Lifetime, MessageType, SaState, SaType, Spi};
use crate::secret::{Buffer, Key};

/// Length of `struct sadb_msg`.
pub(crate) const HEADER: usize = 16;
/// Length of `struct sadb_address` and of `struct sadb_key`, without the address or key behind them.
pub(crate) const EXTENSION_HEADER: usize = 8;
/// `AF_INET` in the numbering of illumos.
pub(crate) const AF_INET: u16 = 2;
/// `AF_INET6` in the numbering of illumos.
pub(crate) const AF_INET6: u16 = 26;

/// `SADB_EXT_*` and `SADB_X_EXT_*` of illumos.
pub(crate) mod ext {
    pub(crate) const SA: u16 = 1;
    pub(crate) const LIFETIME_CURRENT: u16 = 2;
    pub(crate) const LIFETIME_HARD: u16 = 3;
    pub(crate) const LIFETIME_SOFT: u16 = 4;
    pub(crate) const ADDRESS_SRC: u16 = 5;
    pub(crate) const ADDRESS_DST: u16 = 6;
    pub(crate) const INNER_SRC: u16 = 7;
    pub(crate) const KEY_AUTH: u16 = 8;
    pub(crate) const KEY_ENCRYPT: u16 = 9;
    pub(crate) const IDENTITY_SRC: u16 = 10;
    pub(crate) const IDENTITY_DST: u16 = 11;
    pub(crate) const SENSITIVITY: u16 = 12;
    pub(crate) const PROPOSAL: u16 = 13;
    pub(crate) const SUPPORTED_AUTH: u16 = 14;
    pub(crate) const SUPPORTED_ENCRYPT: u16 = 15;
    pub(crate) const SPIRANGE: u16 = 16;
    pub(crate) const EREG: u16 = 17;
    pub(crate) const KM_COOKIE: u16 = 19;
    pub(crate) const NATT_LOC: u16 = 20;
    pub(crate) const NATT_REM: u16 = 21;
    pub(crate) const INNER_DST: u16 = 22;
    pub(crate) const PAIR: u16 = 23;
    pub(crate) const REPLAY_VALUE: u16 = 24;
    pub(crate) const EDUMP: u16 = 25;
    pub(crate) const LIFETIME_IDLE: u16 = 26;
    pub(crate) const OUTER_SENS: u16 = 27;
    pub(crate) const MAX: u16 = OUTER_SENS;
}

/// Key management protocol IKE (`SADB_X_KMP_IKE`).
const KMP_IKE: u32 = 1;

/// Extensions that are not echoed (`sadb_pfkey_echo`).
const NOT_ECHOED: &[u16] = &[ext::KEY_AUTH, ext::KEY_ENCRYPT, ext::EDUMP];

/// The `N` bytes at `at`, zero where `bytes` ends too early.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    for (to, from) in value.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    value
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (to, from) in bytes.get_mut(at..).unwrap_or_default().iter_mut().zip(value) {
        *to = *from;
    }
}

/// The 16-byte base header (`struct sadb_msg`). An error reply and the end of a dump consist of it alone.
#[derive(Clone, Copy)]
pub(crate) struct RawHeader([u8; HEADER]);

impl RawHeader {
    /// Offset of the SA type.
    pub(crate) const SA_TYPE_AT: usize = 3;

    /// The header of `message`, zero where it is too short.
    pub(crate) fn of(message: &[u8]) -> Self {
        Self(field(message, 0))
    }

    pub(crate) fn kind(&self) -> MessageType {
        MessageType(self.0[1])
    }

    pub(crate) fn set_kind(&mut self, kind: MessageType) {
        self.0[1] = kind.0;
    }

    pub(crate) fn errno(&self) -> u8 {
        self.0[2]
    }

    pub(crate) fn sa_type(&self) -> SaType {
        SaType(self.0[3])
    }

    pub(crate) fn set_sa_type(&mut self, sa_type: SaType) {
        self.0[3] = sa_type.0;
    }

    pub(crate) fn version(&self) -> u8 {
        self.0[0]
    }

    pub(crate) fn diagnostic(&self) -> u16 {
        u16::from_ne_bytes(field(&self.0, 6))
    }

    pub(crate) fn seq(&self) -> u32 {
        u32::from_ne_bytes(field(&self.0, 8))
    }

    pub(crate) fn set_seq(&mut self, seq: u32) {
        put(&mut self.0, 8, &seq.to_ne_bytes());
    }

    pub(crate) fn pid(&self) -> u32 {
        u32::from_ne_bytes(field(&self.0, 12))
    }

    /// A message without extensions; its length is 2 words of 64 bits.
    pub(crate) fn without_extensions(mut self) -> Buffer {
        put(&mut self.0, 4, &2u16.to_ne_bytes());
        Buffer::from_slice(&self.0)
    }

    /// The reply to a refused request.
    pub(crate) fn error_reply(mut self, refusal: Refusal) -> Buffer {
        self.0[2] = refusal.errno.0;
        put(&mut self.0, 6, &refusal.diagnostic.0.to_ne_bytes());
        self.without_extensions()
    }

    /// The end marker of a dump: sequence number 0; `errno` of the last SA that could not be encoded.
    pub(crate) fn end_of_dump(mut self, errno: u8) -> Buffer {
        self.set_seq(0);
        self.0[2] = errno;
        self.without_extensions()
    }
}

/// Offset and length of an extension; `len` is 0 if it is absent.
#[derive(Clone, Copy, Default)]
struct ExtensionSpan {
    at: usize,
    len: usize,
}

/// The fields of an address extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressFields {
    pub(crate) proto: u8,
    pub(crate) prefix: u8,
    /// `None` if the family is neither AF_INET nor AF_INET6.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: u16,
}

/// A message and the offsets of its extensions. It may hold keys.
pub(crate) struct Frame {
    bytes: Buffer,
    spans: [ExtensionSpan; ext::MAX as usize + 1],
}

impl Frame {
    /// A copy of `message` without recorded extensions.
    pub(crate) fn new(message: &[u8]) -> Self {
        Self { bytes: Buffer::from_slice(message), spans: Default::default() }
    }

    /// Records the position of extension `kind`; `false` if one is recorded already.
    pub(crate) fn record_extension(&mut self, kind: u16, at: usize, len: usize) -> bool {
        match self.spans.get_mut(usize::from(kind)) {
            Some(span) if span.len == 0 => *span = ExtensionSpan { at, len },
            _ => return false,
        }
        true
    }

    pub(crate) fn header(&self) -> RawHeader {
        RawHeader::of(&self.bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes of an extension, its 4-byte header included.
    pub(crate) fn ext(&self, kind: u16) -> Option<&[u8]> {
        let span = self.spans.get(usize::from(kind)).filter(|span| span.len > 0)?;
        self.bytes.get(span.at..span.at + span.len)
    }

    pub(crate) fn has(&self, kind: u16) -> bool {
        self.ext(kind).is_some()
    }

    /// Number of different extensions.
    pub(crate) fn count(&self) -> usize {
        self.spans.iter().filter(|span| span.len > 0).count()
    }

    /// The message from the start of an extension on.
    fn tail(&self, kind: u16) -> Option<&[u8]> {
        let span = self.spans.get(usize::from(kind)).filter(|span| span.len > 0)?;
        self.bytes.get(span.at..)
    }

    /// Overwrites bytes of an extension from offset `at`; bytes beyond its end are dropped. The kernel writes them into the
    /// extension behind it, and may then crash.
    pub(crate) fn edit(&mut self, kind: u16, at: usize, value: &[u8]) {
        let Some(span) = self.spans.get(usize::from(kind)).copied() else { return };
        if let Some(bytes) = self.bytes.get_mut(span.at..span.at + span.len) {
            put(bytes, at, value);
        }
    }

    /// The request as a reply: without keys and X_EDUMP.
    pub(crate) fn echo(&self) -> Buffer {
        let mut left_out: Vec<ExtensionSpan> =
            NOT_ECHOED.iter().filter_map(|kind| self.spans.get(usize::from(*kind))).copied().collect();
        // In the order of the message, which may differ from that of NOT_ECHOED.
        left_out.sort_by_key(|span| span.at);
        let len = self.bytes.len() - left_out.iter().map(|span| span.len).sum::<usize>();
        let mut echo = Buffer::with_capacity(len);
        let mut at = 0;
        for span in left_out.iter().filter(|span| span.len > 0).chain([&ExtensionSpan { at: self.bytes.len(), len: 0 }]) {
            // Cannot fail: the parts add up to the capacity, which a Buffer never exceeds, so that no key is left behind in
            // freed memory.
            let _ = echo.append(self.bytes.get(at..span.at).unwrap_or_default());
            at = span.at + span.len;
        }
        let words = u16::try_from(echo.len() / 8).unwrap_or(u16::MAX);
        put(&mut echo, 4, &words.to_ne_bytes());
        echo
    }

    pub(crate) fn association(&self) -> Option<Association> {
        let bytes = self.tail(ext::SA)?;
        let [replay, state, auth, encr] = field(bytes, 8);
        Some(Association {
            spi: Spi(u32::from_be_bytes(field(bytes, 4))),
            replay,
            state: SaState(state),
            auth: AuthAlg(auth.into()),
            encr: EncrAlg(encr.into()),
            flags: Flags(u32::from_ne_bytes(field(bytes, 12))),
        })
    }

    pub(crate) fn set_flags(&mut self, flags: Flags) {
        self.edit(ext::SA, 12, &flags.0.to_ne_bytes());
    }

    pub(crate) fn lifetime(&self, kind: u16) -> Option<Lifetime> {
        let bytes = self.tail(kind)?;
        Some(Lifetime {
            allocations: u32::from_ne_bytes(field(bytes, 4)),
            bytes: u64::from_ne_bytes(field(bytes, 8)),
            addtime: u64::from_ne_bytes(field(bytes, 16)),
            usetime: u64::from_ne_bytes(field(bytes, 24)),
        })
    }

    pub(crate) fn address(&self, kind: u16) -> Option<AddressFields> {
        let bytes = self.tail(kind)?;
        let ip = match u16::from_ne_bytes(field(bytes, 8)) {
            AF_INET => Some(Ipv4Addr::from(field::<4>(bytes, 12)).into()),
            AF_INET6 => Some(Ipv6Addr::from(field::<16>(bytes, 16)).into()),
            _ => None,
        };
        let [proto, prefix] = field(bytes, 4);
        Some(AddressFields { proto, prefix, ip, port: u16::from_be_bytes(field(bytes, 10)) })
    }

    /// Turns the IPv6 address of an extension into an IPv4 one. Its length, port and protocol do not change.
    pub(crate) fn convert_to_ipv4(&mut self, kind: u16, ip: Ipv4Addr) {
        self.edit(kind, 8, &AF_INET.to_ne_bytes());
        self.edit(kind, 12, &ip.octets());
        // sin_zero. The rest of an extension that was made for IPv6 keeps its bytes.
        self.edit(kind, 16, &[0; 8]);
    }

    /// Replaces the address of an extension by one of the same family.
    pub(crate) fn set_ip(&mut self, kind: u16, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.edit(kind, 12, &ip.octets()),
            IpAddr::V6(ip) => self.edit(kind, 16, &ip.octets()),
        }
    }

    pub(crate) fn set_prefix(&mut self, kind: u16, prefix: u8) {
        self.edit(kind, 5, &[prefix]);
    }

    pub(crate) fn set_proto(&mut self, kind: u16, proto: u8) {
        self.edit(kind, 4, &[proto]);
    }

    /// A key with its number of bits and the reserved field; bytes beyond these bits are padding and left out.
    pub(crate) fn key(&self, kind: u16) -> Option<Key> {
        let bytes = self.ext(kind)?;
        let bits = u16::from_ne_bytes(field(bytes, 4));
        let reserved = u16::from_ne_bytes(field(bytes, 6));
        // In a request `bits` counts salt and IV as well.
        let len = usize::from(bits).div_ceil(8);
        let key = bytes.get(EXTENSION_HEADER..).unwrap_or_default();
        Some(Key::from_slice(key.get(..len).unwrap_or(key), bits, reserved))
    }

    pub(crate) fn identity(&self, kind: u16) -> Option<Identity> {
        let bytes = self.tail(kind)?;
        let value = bytes.get(16..).unwrap_or_default();
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        Some(Identity {
            kind: IdentityType(u16::from_ne_bytes(field(bytes, 4))),
            // The kernel stores type and string only.
            id: 0,
            value: value.get(..end).unwrap_or_default().to_vec(),
        })
    }

    /// Clears the upper half of an IKE cookie, which has 32 bits: `sadb_x_kmc_reserved`.
    pub(crate) fn truncate_cookie(&mut self) {
        if self.cookie().is_some_and(|(proto, _)| proto == KMP_IKE) {
            self.edit(ext::KM_COOKIE, 12, &[0; 4]);
        }
    }

    /// X_KM_COOKIE: protocol and cookie.
    pub(crate) fn cookie(&self) -> Option<(u32, u64)> {
        let bytes = self.tail(ext::KM_COOKIE)?;
        Some((u32::from_ne_bytes(field(bytes, 4)), u64::from_ne_bytes(field(bytes, 8))))
    }

    pub(crate) fn pair(&self) -> Option<Spi> {
        self.tail(ext::PAIR).map(|bytes| Spi(u32::from_be_bytes(field(bytes, 4))))
    }

    /// 32-bit and 64-bit replay counter.
    pub(crate) fn replay_value(&self) -> Option<(u32, u64)> {
        let bytes = self.tail(ext::REPLAY_VALUE)?;
        Some((u32::from_ne_bytes(field(bytes, 4)), u64::from_ne_bytes(field(bytes, 8))))
    }

    /// SPIRANGE: minimum and maximum.
    pub(crate) fn spi_range(&self) -> Option<(u32, u32)> {
        let bytes = self.tail(ext::SPIRANGE)?;
        Some((u32::from_be_bytes(field(bytes, 4)), u32::from_be_bytes(field(bytes, 8))))
    }

    /// Turns SPIRANGE in place into the SA extension of the reply to GETSPI.
    pub(crate) fn range_to_association(&mut self, spi: Spi) {
        // Both extensions have 16 bytes, so nothing behind them moves.
        self.edit(ext::SPIRANGE, 4, &spi.0.to_be_bytes());
        self.edit(ext::SPIRANGE, 8, &[0; 8]);
        self.edit(ext::SPIRANGE, 2, &ext::SA.to_ne_bytes());
    }

    /// X_EDUMP: dump only SAs used within this many seconds; 0 for all.
    pub(crate) fn dump_timeout(&self) -> i64 {
        self.tail(ext::EDUMP).map_or(0, |bytes| i64::from_ne_bytes(field(bytes, 8)))
    }

    /// X_EREG: SA types up to the first 0, which the kernel searches to the end of the message.
    pub(crate) fn register_types(&self) -> Option<Vec<SaType>> {
        let types = self.tail(ext::EREG)?.get(4..)?;
        Some(types.iter().take_while(|number| **number != 0).map(|number| SaType(*number)).collect())
    }
}
