//! An entry of the side store.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::sa::{Identity, IdentityType, Lifetime, Request, Spi};
use crate::sadb::linux::direction::SaDirection;

/// An identity in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredIdentity {
    kind: u16,
    id: u64,
    value: Vec<u8>,
}

/// An idle lifetime in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredIdle {
    addtime: u64,
    usetime: u64,
}

/// The entry of one SA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sadb::linux) struct SideEntry {
    /// Time when the kernel added the SA, in seconds since 1970.
    pub(in crate::sadb::linux) added: u64,
    /// SPI of the paired SA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sadb::linux) pair: Option<Spi>,
    /// The local address outside the NAT (`nat_loc`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sadb::linux) natt_local: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<u8>,
    /// The anti-replay window of the request, if the kernel requires another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sadb::linux) window: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    src_identity: Option<StoredIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dst_identity: Option<StoredIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle: Option<StoredIdle>,
}

impl SideEntry {
    /// An empty entry of an SA that the kernel added at `added`.
    pub(in crate::sadb::linux) fn new(added: u64) -> Self {
        Self { added, ..Self::default() }
    }

    /// The entry without its pair.
    pub(in crate::sadb::linux) fn without_pair(self) -> Self {
        Self { pair: None, ..self }
    }

    /// Replaces the values that `request` specifies.
    pub(in crate::sadb::linux) fn merge_request(&mut self, request: &Request) {
        self.src_identity = request.src_identity.as_ref().map(store_identity).or(self.src_identity.take());
        self.dst_identity = request.dst_identity.as_ref().map(store_identity).or(self.dst_identity.take());
        if let Some(idle) = request.idle.filter(|idle| !idle.is_unlimited()) {
            let old = self.idle.unwrap_or(StoredIdle { addtime: 0, usetime: 0 });
            let newer = |new, old| if new == 0 { old } else { new };
            self.idle =
                Some(StoredIdle { addtime: newer(idle.addtime, old.addtime), usetime: newer(idle.usetime, old.usetime) });
        }
        let shown = request.natt_local.map(|end| end.addr.to_canonical()).filter(|addr| !addr.is_unspecified());
        self.natt_local = shown.filter(|addr| request.src.is_none_or(|src| src.addr != *addr)).or(self.natt_local);
    }

    /// Stores a direction that the kernel does not hold.
    pub(in crate::sadb::linux) fn set_direction(&mut self, direction: SaDirection) {
        self.direction = Some(direction.number());
    }

    pub(in crate::sadb::linux) fn direction(&self) -> Option<u8> {
        self.direction
    }

    /// Whether the entry has no value besides the add time.
    pub(in crate::sadb::linux) fn is_empty(&self) -> bool {
        *self == Self { added: self.added, ..Self::default() }
    }

    pub(in crate::sadb::linux) fn idle(&self) -> Option<Lifetime> {
        self.idle.map(|idle| Lifetime { addtime: idle.addtime, usetime: idle.usetime, ..Lifetime::default() })
    }

    pub(in crate::sadb::linux) fn src_identity(&self) -> Option<Identity> {
        self.src_identity.as_ref().map(load_identity)
    }

    pub(in crate::sadb::linux) fn dst_identity(&self) -> Option<Identity> {
        self.dst_identity.as_ref().map(load_identity)
    }
}

fn store_identity(identity: &Identity) -> StoredIdentity {
    StoredIdentity { kind: identity.kind.0, id: identity.id, value: identity.value.clone() }
}

fn load_identity(stored: &StoredIdentity) -> Identity {
    Identity { kind: IdentityType(stored.kind), id: stored.id, value: stored.value.clone() }
}
