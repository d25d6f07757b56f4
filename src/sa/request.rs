//! What a command says about an SA: the model side of add, update, delete and get.

use std::net::IpAddr;

use super::{AuthAlg, EncrAlg, Flags, Identity, Lifetime, LinuxExtras, SaId, SaState, SaType, Seldom, Spi, XfrmMode};
use crate::secret::Key;

/// An outer or NAT-T address of a request: `src`, `dst`, `nat_loc`, `nat_rem` with their ports and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address; unspecified if only a port was given.
    pub addr: IpAddr,
    /// Port, 0 for any.
    pub port: u16,
    /// Upper-layer protocol, 0 for any.
    pub proto: u8,
}

/// An inner address of a tunnel-mode request: `isrc`, `idst` with their ports and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerEndpoint {
    /// The address or the address of the prefix.
    pub addr: IpAddr,
    /// Prefix length in bits of the address's own family: 0 to 32, or 0 to 128.
    pub prefix_len: u8,
    /// Port, 0 for any.
    pub port: u16,
    /// Upper-layer protocol, 0 for any.
    pub proto: u8,
}

/// One request about one SA. What was not said is `None` or zero, as the field's own note says.
///
/// A command whose name stands for several addresses becomes several requests that differ in `src` and `dst` only.
/// Which fields a command may use, and which it needs, is the business of `lang`; which an SADB can hold, that of `sadb`.
#[derive(Default)]
pub struct Request {
    /// AH or ESP.
    pub sa_type: SaType,
    /// Security parameters index.
    pub spi: Spi,
    /// SPI of the SA to pair with.
    pub pair_spi: Option<Spi>,
    /// Replay window in packets; 0 for none. PF_KEY holds up to 255, Linux up to 4096.
    pub replay: u32,
    /// Wanted state. LARVAL (0) in get and delete, which do not say a state.
    pub state: SaState,
    /// Authentication algorithm, [`AuthAlg::NONE`] if not said.
    pub auth_alg: AuthAlg,
    /// Encryption algorithm, [`EncrAlg::NONE`] if not said.
    pub encr_alg: EncrAlg,
    /// Direction, tunnel and NAT-T flags.
    pub flags: Flags,
    /// Hard lifetime.
    pub hard: Seldom<Option<Lifetime>>,
    /// Soft lifetime.
    pub soft: Seldom<Option<Lifetime>>,
    /// Idle lifetime.
    pub idle: Seldom<Option<Lifetime>>,
    /// Authentication key.
    pub auth_key: Option<Key>,
    /// Encryption key, with salt where the cipher has one.
    pub encr_key: Option<Key>,
    /// Source identity.
    pub src_identity: Seldom<Option<Identity>>,
    /// Destination identity.
    pub dst_identity: Seldom<Option<Identity>>,
    /// Source address.
    pub src: Option<Endpoint>,
    /// Destination address.
    pub dst: Option<Endpoint>,
    /// The local node's address as the NAT shows it.
    pub natt_local: Seldom<Option<Endpoint>>,
    /// The remote node's address behind its NAT.
    pub natt_remote: Seldom<Option<Endpoint>>,
    /// Inner source of a tunnel.
    pub inner_src: Seldom<Option<InnerEndpoint>>,
    /// Inner destination of a tunnel.
    pub inner_dst: Seldom<Option<InnerEndpoint>>,
    /// Replay counter to start from; a keys file can say 32 bits of it, extended sequence numbers have 64.
    pub replay_value: Option<u64>,
    /// What only Linux XFRM can hold.
    pub linux: Seldom<LinuxExtras>,
}

impl Request {
    /// The SA this request is about, if it names a destination.
    #[must_use]
    pub fn id(&self) -> Option<SaId> {
        self.dst.map(|dst| SaId {
            sa_type: self.sa_type,
            spi: self.spi,
            dst: dst.addr.to_canonical(),
            mark: self.linux.mark,
        })
    }

    /// A second copy, its keys wiped on their own. Not `Clone`, for the reason that [`Key::duplicate`] gives.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            auth_key: self.auth_key.as_ref().map(Key::duplicate),
            encr_key: self.encr_key.as_ref().map(Key::duplicate),
            src_identity: self.src_identity.clone(),
            dst_identity: self.dst_identity.clone(),
            linux: self.linux.clone(),
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

    /// The mode asked for, in the numbers of Linux: inner addresses make a tunnel where nothing else is said.
    #[must_use]
    pub fn mode(&self) -> XfrmMode {
        let inner = self.inner_src.is_some() || self.inner_dst.is_some();
        let by_flag = if inner || self.flags.has(Flags::TUNNEL) { XfrmMode::TUNNEL } else { XfrmMode::TRANSPORT };
        self.linux.mode.unwrap_or(by_flag)
    }
}
