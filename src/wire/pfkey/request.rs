//! Encodes a request as a message.
//!
//! The extensions are in the order of ipseckey(1M); the kernels accept any order.

use crate::sa::NATT_PORT;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::association::algorithm;
use super::dialect::{AF_INET, Dialect, ExtensionKind};
use super::error::EncodeError;
use super::message::{BaseHeader, framed};
use super::{address, association, extension, identity, key, lifetime, pair, replay, second};
use crate::sa::{
    AddressInfo, AddressRole, Association, DiagnosticCode, EncrAlg, Endpoint, Flags, Identity, InnerEndpoint, KeyRole,
    Lifetime, LifetimeKind, MessageType, Request, Side, XfrmMode,
};
use crate::secret::{Buffer, Key};
use crate::wire::writer::{Writer, exact};

/// `PF_KEY_V2`, the only version (RFC 2367 section 2.1).
const VERSION: u8 = 2;

/// Bits in front of an IPv4-mapped address.
const MAPPED_BITS: u8 = 96;

/// `UDP_ENCAP_ESPINUDP` of `linux/udp.h`: the encapsulation of RFC 3948.
const ESP_IN_UDP: u8 = 2;

/// Encodes a message of type `kind`. FLUSH, DUMP, REGISTER and PROMISC use only `sa_type`; GET and DELETE only SPI, direction
/// flags and addresses.
///
/// Linux has no extension for pair SPI, identities, idle lifetime, replay value, NAT-T addresses and inner destination. Its
/// dialect leaves them out; `sadb::linux::af_key` refuses such requests.
///
/// # Errors
/// [`EncodeError`] for an algorithm without a number, a replay window above 255, a message type that the dialect lacks, or a
/// message above 512 KiB.
pub(crate) fn request(
    dialect: &Dialect,
    kind: MessageType,
    request: &Request,
    seq: u32,
    pid: u32,
) -> Result<Buffer, EncodeError> {
    let diagnostic = DiagnosticCode::default();
    let header = BaseHeader { version: VERSION, kind, errno: 0, sa_type: request.sa_type, diagnostic, seq, pid };
    exact(|writer| {
        framed(writer, dialect, &header, |writer| {
            let mut encoder = RequestEncoder { writer, dialect, request };
            match kind {
                MessageType::ADD | MessageType::UPDATE | MessageType::UPDATE_PAIR => encoder.all(),
                MessageType::GET | MessageType::DELETE | MessageType::DELETE_PAIR => encoder.identity_only(),
                // FLUSH with any extension is refused (D-7), DUMP with any but X_EDUMP.
                _ => Ok(()),
            }
        })
    })
}

/// Encodes a GET of the SA of `request` with `natt_local` as its local NAT-T address. GET ignores the address, but illumos checks
/// it as that of any message (`sadb_addrfix` in sadb.c).
///
/// # Errors
/// As [`request`].
pub(crate) fn get_with_natt(
    dialect: &Dialect,
    request: &Request,
    natt_local: IpAddr,
    seq: u32,
    pid: u32,
) -> Result<Buffer, EncodeError> {
    let (kind, diagnostic) = (MessageType::GET, DiagnosticCode::default());
    let header = BaseHeader { version: VERSION, kind, errno: 0, sa_type: request.sa_type, diagnostic, seq, pid };
    exact(|writer| {
        framed(writer, dialect, &header, |writer| {
            let mut encoder = RequestEncoder { writer, dialect, request };
            encoder.identity_only()?;
            encoder.natt(AddressRole::NattLocal, Some(Endpoint { addr: natt_local, port: 0, proto: 0 }))
        })
    })
}

struct RequestEncoder<'a> {
    writer: &'a mut Writer,
    dialect: &'a Dialect,
    request: &'a Request,
}

impl RequestEncoder<'_> {
    fn identity_only(&mut self) -> Result<(), EncodeError> {
        self.association()?;
        let src = (self.request.src.is_some() || self.dialect.source_needed).then(|| self.source());
        let specified = src.is_some_and(|src| !src.addr.is_unspecified());
        if specified {
            self.endpoint(AddressRole::Source, src)?;
        }
        self.endpoint(AddressRole::Destination, self.request.dst)?;
        if !specified {
            self.endpoint(AddressRole::Source, src)?;
        }
        Ok(())
    }

    /// All extensions of an ADD or UPDATE.
    fn all(&mut self) -> Result<(), EncodeError> {
        let request = self.request;
        self.association()?;
        self.pair()?;
        self.lifetimes()?;
        // Never last: keysock.c refuses an all-zero key only in the last extension of a message. With the order of
        // ipseckey(1M) the result is that of ipseckey(1M).
        self.key(KeyRole::Encr, request.encr_key.as_ref())?;
        self.key(KeyRole::Auth, request.auth_key.as_ref())?;
        self.identity(Side::Source, request.src_identity.as_ref())?;
        self.identity(Side::Destination, request.dst_identity.as_ref())?;
        self.endpoint(AddressRole::Destination, request.dst)?;
        self.natt(AddressRole::NattRemote, *request.natt_remote)?;
        self.natt(AddressRole::NattLocal, *request.natt_local)?;
        self.endpoint(AddressRole::Source, Some(self.source()))?;
        let [inner_src, inner_dst] = inner_sides(request);
        self.inner(AddressRole::InnerSource, inner_src)?;
        self.inner(AddressRole::InnerDestination, inner_dst)?;
        self.replay_value()?;
        self.mode()?;
        self.natt_ports()
    }

    fn has(&self, kind: ExtensionKind) -> bool {
        self.dialect.extension_number(kind).is_some()
    }

    fn extension(
        &mut self,
        kind: ExtensionKind,
        body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        extension::framed(self.writer, self.dialect, Some(kind), body)
    }

    /// Writes an extension whose body cannot fail, if the dialect has it.
    fn optional(&mut self, kind: ExtensionKind, body: impl FnOnce(&mut Writer)) -> Result<(), EncodeError> {
        if !self.has(kind) {
            return Ok(());
        }
        self.extension(kind, |writer| {
            body(writer);
            Ok(())
        })
    }

    fn association(&mut self) -> Result<(), EncodeError> {
        let (request, dialect) = (self.request, self.dialect);
        algorithm(dialect, "authentication", request.auth_alg.0)?;
        algorithm(dialect, "encryption", request.encr_alg.0)?;
        // As ipseckey(1M) does; the kernel sets the flag itself once the SAs are paired.
        let paired = if request.pair_spi.is_some() { Flags::PAIRED } else { Flags::default() };
        let sa = Association {
            spi: request.spi,
            replay: replay_window(dialect, request.replay)?,
            state: request.state,
            auth: request.auth_alg,
            encr: request.encr_alg,
            flags: request.flags | paired,
        };
        self.extension(ExtensionKind::Association, |writer| association::write(writer, dialect, &sa))
    }

    fn pair(&mut self) -> Result<(), EncodeError> {
        let Some(spi) = self.request.pair_spi else { return Ok(()) };
        self.optional(ExtensionKind::Pair, |writer| pair::write(writer, spi))
    }

    fn lifetimes(&mut self) -> Result<(), EncodeError> {
        let request = self.request;
        // af_key refuses HARD without SOFT and vice versa; a lifetime of zeros has no limits.
        let both = self.dialect.lifetimes_in_pairs && (request.hard.is_some() || request.soft.is_some());
        let filled = |lifetime: Option<Lifetime>| lifetime.or_else(|| both.then(Lifetime::default));
        self.lifetime(LifetimeKind::Hard, filled(*request.hard))?;
        self.lifetime(LifetimeKind::Soft, filled(*request.soft))?;
        self.lifetime(LifetimeKind::Idle, *request.idle)
    }

    fn lifetime(&mut self, kind: LifetimeKind, lifetime: Option<Lifetime>) -> Result<(), EncodeError> {
        let Some(lifetime) = lifetime else { return Ok(()) };
        self.optional(ExtensionKind::Lifetime(kind), |writer| lifetime::write(writer, &lifetime))
    }

    fn key(&mut self, role: KeyRole, key: Option<&Key>) -> Result<(), EncodeError> {
        // Linux requires KEY_ENCRYPT in every ESP request; for the NULL cipher it is empty (pfkey_msg2xfrm_state).
        let empty = Key::from_slice(&[], 0, 0);
        let null = role == KeyRole::Encr && self.request.encr_alg == EncrAlg::NULL && self.dialect.source_needed;
        let Some(key) = key.or_else(|| null.then_some(&empty)) else { return Ok(()) };
        self.optional(ExtensionKind::Key(role), |writer| key::write(writer, key))
    }

    fn identity(&mut self, side: Side, identity: Option<&Identity>) -> Result<(), EncodeError> {
        // af_key ignores identities.
        let Some(identity) = identity.filter(|_| self.dialect.mapped_ipv4) else { return Ok(()) };
        self.optional(ExtensionKind::Identity(side), |writer| identity::write(writer, identity))
    }

    /// The source address. An unspecified one gets the family of the destination if the dialect requires it.
    fn source(&self) -> Endpoint {
        // af_key refuses a source of another family than the destination; illumos takes `::` for any.
        let open = self.unspecified();
        match self.request.src {
            Some(src) if src.addr.is_unspecified() && !self.dialect.mapped_ipv4 => Endpoint { addr: open.addr, ..src },
            Some(src) => src,
            None => open,
        }
    }

    /// The unspecified address, for a request without a source.
    fn unspecified(&self) -> Endpoint {
        let ipv4 = self.request.dst.is_some_and(|dst| dst.addr.is_ipv4()) && !self.dialect.mapped_ipv4;
        let addr = if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Endpoint { addr, port: 0, proto: 0 }
    }

    fn endpoint(&mut self, role: AddressRole, endpoint: Option<Endpoint>) -> Result<(), EncodeError> {
        let Some(endpoint) = endpoint else { return Ok(()) };
        let Endpoint { addr, port, proto } = endpoint;
        self.address(role, AddressInfo { proto, prefix_len: 0, family: 0, addr: Some(self.in_family(addr)), port })
    }

    /// A NAT-T address. Without an address it is `AF_INET`, because illumos accepts only IPv4 here (D-68, D-69).
    fn natt(&mut self, role: AddressRole, endpoint: Option<Endpoint>) -> Result<(), EncodeError> {
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.addr.is_unspecified()) else {
            return self.endpoint(role, endpoint);
        };
        let addr = Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let Endpoint { port, proto, .. } = endpoint;
        self.address(role, AddressInfo { proto, prefix_len: 0, family: AF_INET, addr, port })
    }

    fn inner(&mut self, role: AddressRole, endpoint: Option<InnerEndpoint>) -> Result<(), EncodeError> {
        let Some(InnerEndpoint { addr, prefix_len, port, proto }) = endpoint else { return Ok(()) };
        // The prefix length of an IPv4-mapped address includes the 96 bits in front of it.
        let mapped = addr.is_ipv4() && self.dialect.mapped_ipv4;
        let prefix_len = if mapped { prefix_len.saturating_add(MAPPED_BITS) } else { prefix_len };
        self.address(role, AddressInfo { proto, prefix_len, family: 0, addr: Some(self.in_family(addr)), port })
    }

    fn in_family(&self, addr: IpAddr) -> IpAddr {
        // illumos converts mapped addresses back to AF_INET; Linux would take them as IPv6.
        match addr {
            IpAddr::V4(addr) if self.dialect.mapped_ipv4 => IpAddr::V6(addr.to_ipv6_mapped()),
            _ => addr,
        }
    }

    fn address(&mut self, role: AddressRole, info: AddressInfo) -> Result<(), EncodeError> {
        let dialect = self.dialect;
        self.optional(ExtensionKind::Address(role), |writer| address::write(writer, dialect, &info))
    }

    fn replay_value(&mut self) -> Result<(), EncodeError> {
        let Some(value) = self.request.replay_value else { return Ok(()) };
        let most = u32::MAX.into();
        // illumos has 32-bit counters and refuses a 64-bit value alone (D-81).
        let too_large = EncodeError::Value { what: "replay value", value, most, dialect: self.dialect.name };
        let value = u32::try_from(value).map_err(|_| too_large)?;
        self.optional(ExtensionKind::ReplayValue, |writer| replay::write(writer, value, 0))
    }

    /// Linux X_SA2: mode and reqid.
    fn mode(&mut self) -> Result<(), EncodeError> {
        let request = self.request;
        // illumos marks a tunnel by a flag. Linux has no such flag in sadb_sa_flags and assumes transport mode without
        // X_SA2.
        let by_flag = if request.flags.has(Flags::TUNNEL) { XfrmMode::TUNNEL } else { XfrmMode::TRANSPORT };
        let mode = request.linux.mode.unwrap_or(by_flag);
        let number = mode.pf_key().unwrap_or(0);
        self.optional(ExtensionKind::SecondAssociation, |writer| second::write(writer, number, 0, request.linux.reqid))
    }

    /// Linux NAT-T ports. The local port is the source port, for an inbound SA the destination port.
    fn natt_ports(&mut self) -> Result<(), EncodeError> {
        let request = self.request;
        if request.natt_local.is_none() && request.natt_remote.is_none() {
            return Ok(());
        }
        // 4500 is the port of RFC 3948; 0 means that none was given.
        let port = |end: Option<Endpoint>| end.map(|end| end.port).filter(|port| *port != 0).unwrap_or(NATT_PORT);
        let (local, remote) = (port(*request.natt_local), port(*request.natt_remote));
        let inbound = request.flags.has(Flags::INBOUND);
        let (src, dst) = if inbound { (remote, local) } else { (local, remote) };
        // Always with both ports: without them Linux 6.1 reads uninitialised memory as ports.
        self.optional(ExtensionKind::NattType, |writer| writer.u8(ESP_IN_UDP))?;
        self.optional(ExtensionKind::NattPort(Side::Source), |writer| writer.be16(src))?;
        self.optional(ExtensionKind::NattPort(Side::Destination), |writer| writer.be16(dst))
    }
}

/// The inner addresses. If only one is given, the other is `::/0` with the same protocol, as in ipseckey(1M).
fn inner_sides(request: &Request) -> [Option<InnerEndpoint>; 2] {
    // A single IPv4 inner address is therefore refused by illumos (D-67: families differ), as that of ipseckey(1M) is.
    let any = |other: Option<InnerEndpoint>| {
        let addr = Ipv6Addr::UNSPECIFIED.into();
        other.map(|other| InnerEndpoint { addr, prefix_len: 0, port: 0, proto: other.proto })
    };
    [request.inner_src.or_else(|| any(*request.inner_dst)), request.inner_dst.or_else(|| any(*request.inner_src))]
}

fn replay_window(dialect: &Dialect, window: u32) -> Result<u8, EncodeError> {
    // sadb_sa_replay has 8 bits. A window cut to them would be smaller than requested, without an error.
    let too_large =
        EncodeError::Value { what: "replay window", value: window.into(), most: u8::MAX.into(), dialect: dialect.name };
    u8::try_from(window).map_err(|_| too_large)
}
