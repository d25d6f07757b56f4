//! Requests: the values of an add, update, delete or get command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    AuthAlg, EncrAlg, Flags, Identity, Lifetime, LinuxExtras, SaId, SaState, SaType, Sparse, Spi, Windows, XfrmMode,
};
use crate::secret::Key;

/// An outer or NAT-T address of a request: `src`, `dst`, `nat_loc`, `nat_rem` with their ports and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// The address; unspecified if only a port was given.
    pub(crate) addr: IpAddr,
    /// Port, 0 for any.
    pub(crate) port: u16,
    /// Upper-layer protocol, 0 for any.
    pub(crate) proto: u8,
}

/// An inner address of a tunnel-mode request: `isrc`, `idst` with their ports and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InnerEndpoint {
    /// The address or the address of the prefix.
    pub(crate) addr: IpAddr,
    /// Prefix length in bits of the address's own family: 0 to 32, or 0 to 128.
    pub(crate) prefix_len: u8,
    /// Port, 0 for any.
    pub(crate) port: u16,
    /// Upper-layer protocol, 0 for any.
    pub(crate) proto: u8,
}

impl InnerEndpoint {
    /// The address without its host bits.
    #[must_use]
    pub(crate) fn network(&self) -> IpAddr {
        // A shift by the whole width is `None`: with prefix length 0 no bit counts.
        match self.addr.to_canonical() {
            IpAddr::V4(addr) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.prefix_len.into())).unwrap_or(0);
                Ipv4Addr::from_bits(addr.to_bits() & mask).into()
            }
            IpAddr::V6(addr) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.prefix_len.into())).unwrap_or(0);
                Ipv6Addr::from_bits(addr.to_bits() & mask).into()
            }
        }
    }
}

/// A request about one SA. Values that were not given are `None` or zero.
///
/// A command with a host name that has several addresses becomes several requests, which differ in `src` and `dst` only.
/// `keyfile` checks which fields a command may have and must have; `sadb` checks which ones an SADB supports.
#[derive(Default)]
pub(crate) struct Request {
    /// The protocol: AH or ESP.
    pub(crate) sa_type: SaType,
    /// The SPI, in host byte order.
    pub(crate) spi: Spi,
    /// SPI of the SA to pair with.
    pub(crate) pair_spi: Option<Spi>,
    /// Anti-replay window in packets; 0 for none. At most 255 with PF_KEY, 4096 with XFRM.
    pub(crate) replay: u32,
    /// The desired state. LARVAL (0) in get and delete, which have none.
    pub(crate) state: SaState,
    /// Authentication algorithm, [`AuthAlg::NONE`] if not given.
    pub(crate) auth_alg: AuthAlg,
    /// Encryption algorithm, [`EncrAlg::NONE`] if not given.
    pub(crate) encr_alg: EncrAlg,
    /// Direction, tunnel and NAT-T flags.
    pub(crate) flags: Flags,
    /// Limits at which the SA is removed.
    pub(crate) hard: Sparse<Option<Lifetime>>,
    /// Limits at which an EXPIRE message is sent.
    pub(crate) soft: Sparse<Option<Lifetime>>,
    /// Limits of the time without packets.
    pub(crate) idle: Sparse<Option<Lifetime>>,
    /// Key of the authentication algorithm.
    pub(crate) auth_key: Option<Key>,
    /// Encryption key, with salt where the cipher has one.
    pub(crate) encr_key: Option<Key>,
    /// Identity of the source host or user.
    pub(crate) src_identity: Sparse<Option<Identity>>,
    /// Identity of the destination host or user.
    pub(crate) dst_identity: Sparse<Option<Identity>>,
    /// Outer source, with port and protocol.
    pub(crate) src: Option<Endpoint>,
    /// Outer destination, with port and protocol.
    pub(crate) dst: Option<Endpoint>,
    /// Address and UDP port of this host after NAT.
    pub(crate) natt_local: Sparse<Option<Endpoint>>,
    /// Address and UDP port of the peer before NAT.
    pub(crate) natt_remote: Sparse<Option<Endpoint>>,
    /// Inner source of a tunnel.
    pub(crate) inner_src: Sparse<Option<InnerEndpoint>>,
    /// Inner destination of a tunnel.
    pub(crate) inner_dst: Sparse<Option<InnerEndpoint>>,
    /// The sequence number to start from. A keys file has 32 bits of it; ESN has 64.
    pub(crate) replay_value: Option<u64>,
    /// Properties that only Linux XFRM has.
    pub(crate) linux: Sparse<LinuxExtras>,
    /// When the SA is wanted. Only keys files have it.
    pub(crate) windows: Sparse<Windows>,
}

impl Request {
    /// The identity of the SA; `None` without a destination.
    #[must_use]
    pub(crate) fn id(&self) -> Option<SaId> {
        self.dst.map(|dst| SaId {
            sa_type: self.sa_type,
            spi: self.spi,
            // An IPv4-mapped address identifies the same SA as the IPv4 address.
            dst: dst.addr.to_canonical(),
            mark: self.linux.mark,
        })
    }

    /// A copy. Not `Clone`, for the reason of [`Key::duplicate`].
    #[must_use]
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            auth_key: self.auth_key.as_ref().map(Key::duplicate),
            encr_key: self.encr_key.as_ref().map(Key::duplicate),
            src_identity: self.src_identity.clone(),
            dst_identity: self.dst_identity.clone(),
            linux: self.linux.clone(),
            windows: self.windows.clone(),
            hard: self.hard.clone(),
            soft: self.soft.clone(),
            idle: self.idle.clone(),
            natt_local: self.natt_local.clone(),
            natt_remote: self.natt_remote.clone(),
            inner_src: self.inner_src.clone(),
            inner_dst: self.inner_dst.clone(),
            ..*self
        }
    }

    /// The mode of the SA. The default is tunnel mode with inner addresses, otherwise transport mode.
    #[must_use]
    pub(crate) fn mode(&self) -> XfrmMode {
        // Inner addresses make a tunnel even without the flag.
        let inner = self.inner_src.is_some() || self.inner_dst.is_some();
        let by_flag = if inner || self.flags.has(Flags::TUNNEL) { XfrmMode::TUNNEL } else { XfrmMode::TRANSPORT };
        self.linux.mode.unwrap_or(by_flag)
    }
}

impl SaId {
    /// The request that identifies the SA and sets nothing.
    #[must_use]
    pub(crate) fn request(&self) -> Request {
        Request {
            sa_type: self.sa_type,
            spi: self.spi,
            dst: Some(Endpoint { addr: self.dst, port: 0, proto: 0 }),
            linux: LinuxExtras { mark: self.mark, ..LinuxExtras::default() }.into(),
            ..Request::default()
        }
    }
}
