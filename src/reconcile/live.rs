//! The actual SAs: each description by the SADB, as the request that would add the SA.

use std::net::{IpAddr, Ipv4Addr};

use crate::reconcile::sequence::Counters;
use crate::sa::{
    AddressInfo, AddressRole, EncrAlg, Endpoint, Extension, Flags, InnerEndpoint, KeyRole, Lifetime, LifetimeKind,
    LinuxExtras, Message, Request, SaId, SaState, SaType, Side, Spi, XfrmMode,
};
use crate::secret::Key;

/// The flags that a request can have. An SADB reports more.
const REQUEST_FLAGS: u32 = Flags::INBOUND.0 | Flags::OUTBOUND.0 | Flags::TUNNEL.0 | Flags::NATT_LOC.0 | Flags::NATT_REM.0;

/// The backend that has described an SA. They report different subsets of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Xfrm,
    LinuxPfKey,
    /// PF_KEY of illumos or of the model.
    PfKey,
}

/// An SA that the SADB holds.
pub(crate) struct ActualSa {
    pub(crate) id: SaId,
    /// The request that would add it, without its pair.
    pub(crate) request: Request,
    pub(crate) pair: Option<Spi>,
    pub(crate) counters: Counters,
    /// The current lifetime: bytes, time of addition, time of first use.
    pub(crate) used: Lifetime,
    /// Packets protected, which Linux has a lifetime for.
    pub(crate) packets: u64,
    pub(crate) backend: Backend,
    /// In a state that can protect packets: neither larval nor dead.
    pub(crate) is_alive: bool,
    /// It has an algorithm that this program does not know.
    pub(crate) has_unknown_algorithm: bool,
}

impl ActualSa {
    /// Whether illumos may keep the SA in both of its tables. Such an SA has both direction flags; one between two addresses of the
    /// node has only the flag INBOUND (`esp_add_sa_finish` in ipsecesp.c). A paired SA is in one table.
    pub(super) fn may_have_copy(&self) -> bool {
        self.backend == Backend::PfKey && self.pair.is_none() && self.request.flags.has(Flags::INBOUND)
    }

    /// The SA that `message` describes; `None` if its identity is incomplete.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let id = message.id()?;
        let sa = message.association()?;
        let linux = message.linux();
        let is_alive = sa.state != SaState::LARVAL && sa.state != SaState::DEAD;
        Some(Self {
            id,
            request: request(message)?,
            // SPI 0 stands for no pair.
            pair: message.extensions.iter().find_map(|extension| match extension {
                Extension::Pair(spi) if spi.0 != 0 => Some(*spi),
                _ => None,
            }),
            counters: Counters::of(message),
            used: message.lifetime(LifetimeKind::Current).copied().unwrap_or_default(),
            packets: linux.map_or(0, |linux| linux.packets),
            backend: backend(message),
            is_alive,
            has_unknown_algorithm: linux.is_some_and(|linux| linux.foreign_auth.is_some() || linux.foreign_encr.is_some()),
        })
    }
}

fn backend(message: &Message) -> Backend {
    // Linux adds X_SA2 to every description of an SA, illumos has no such extension.
    let second = |extension: &Extension| matches!(extension, Extension::SecondAssociation { .. });
    match message.linux() {
        Some(_) => Backend::Xfrm,
        None if message.extensions.iter().any(second) => Backend::LinuxPfKey,
        None => Backend::PfKey,
    }
}

fn request(message: &Message) -> Option<Request> {
    let sa = message.association()?;
    let window = message.linux().map_or(0, |linux| linux.replay_window);
    let mut request = Request {
        sa_type: message.sa_type,
        spi: sa.spi,
        // The field of PF_KEY has 8 bits: XFRM reports a larger window apart.
        replay: window.max(sa.replay.into()),
        state: state_of_add(sa.state),
        auth_alg: sa.auth,
        // ESP that only authenticates has NULL in a request and may have NONE in a description.
        encr_alg: if sa.encr == EncrAlg::NONE && message.sa_type == SaType::ESP { EncrAlg::NULL } else { sa.encr },
        // Without the flags that only the kernel sets, such as PAIRED and USED.
        flags: sa.flags & Flags(REQUEST_FLAGS),
        linux: extras(message).into(),
        ..Request::default()
    };
    message.extensions.iter().for_each(|extension| apply_extension(&mut request, extension));
    if message.linux().is_some() && !sa.flags.has(Flags::NATT_REM) {
        // XFRM stores no remote NAT-T address; the decoder reports the outer one.
        request.natt_remote =
            request.natt_remote.map(|end| Endpoint { addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..end }).into();
    }
    Some(request)
}

/// The state as an `add` command has it.
fn state_of_add(state: SaState) -> SaState {
    match state {
        SaState::ACTIVE_ELSEWHERE | SaState::IDLE => SaState::ACTIVE_ELSEWHERE,
        _ => SaState::MATURE,
    }
}

fn extras(message: &Message) -> LinuxExtras {
    message
        .extensions
        .iter()
        .find_map(|extension| match extension {
            Extension::Linux(info) => Some(info.extras.clone()),
            Extension::SecondAssociation { mode, reqid, .. } => {
                Some(LinuxExtras { mode: XfrmMode::from_pf_key(*mode), reqid: *reqid, ..LinuxExtras::default() })
            }
            _ => None,
        })
        .unwrap_or_default()
}

fn apply_extension(request: &mut Request, extension: &Extension) {
    match extension {
        Extension::Lifetime(LifetimeKind::Hard, lifetime) => request.hard = Some(*lifetime).into(),
        Extension::Lifetime(LifetimeKind::Soft, lifetime) => request.soft = Some(*lifetime).into(),
        Extension::Lifetime(LifetimeKind::Idle, lifetime) => request.idle = Some(*lifetime).into(),
        Extension::Address(role, info) => apply_address(request, *role, info),
        Extension::Key(KeyRole::Auth, key) => request.auth_key = Some(key.duplicate()),
        Extension::Key(KeyRole::Encr, key) => request.encr_key = Some(key_with_salt(key)),
        Extension::Identity(Side::Source, identity) => request.src_identity = Some(identity.clone()).into(),
        Extension::Identity(Side::Destination, identity) => request.dst_identity = Some(identity.clone()).into(),
        _ => {}
    }
}

/// The key as an `add` command has it: with the salt at the end.
fn key_with_salt(key: &Key) -> Key {
    key.duplicate().with_bits(key.bits().saturating_add(key.reserved()), 0)
}

fn apply_address(request: &mut Request, role: AddressRole, info: &AddressInfo) {
    let Some(addr) = info.addr.map(|addr| addr.to_canonical()) else { return };
    let outer = Some(Endpoint { addr, port: info.port, proto: info.proto });
    let natt = Some(Endpoint { addr, port: info.port, proto: 0 });
    let inner = Some(InnerEndpoint { addr, prefix_len: info.prefix_len, port: info.port, proto: info.proto });
    match role {
        AddressRole::Source => request.src = outer,
        AddressRole::Destination => request.dst = outer,
        AddressRole::InnerSource => request.inner_src = inner.into(),
        AddressRole::InnerDestination => request.inner_dst = inner.into(),
        AddressRole::NattLocal => request.natt_local = natt.into(),
        AddressRole::NattRemote => request.natt_remote = natt.into(),
    }
}
