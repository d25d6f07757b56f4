//! An SA as the kernel holds it, and reports it (`xfrm_state_construct` and `copy_to_user_state_extra` in net/xfrm/xfrm_user.c).

use std::net::IpAddr;

use crate::sa::{Masked, XfrmFlags};
use crate::wire::xfrm::attribute::{Algorithm, ReplayState};
use crate::wire::xfrm::fixed::CurrentLifetime;
use crate::wire::xfrm::number::attr;
use crate::wire::xfrm::{Attribute, Body, SaInfo, UserSaId};

/// The largest anti-replay window in the fixed part.
const MAX_LEGACY_WINDOW: u8 = 32;

/// The identity of an SA without its mark.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name {
    dst: IpAddr,
    spi: u32,
    proto: u8,
}

impl Name {
    /// `None` for an unknown address family.
    pub(super) fn of(id: &UserSaId) -> Option<Self> {
        Some(Self { dst: id.dst.ip(id.family)?, spi: id.spi, proto: id.proto })
    }
}

/// An SA. It holds keys, so it has no `Debug`.
pub(super) struct StoredSa {
    pub(super) info: SaInfo,
    /// In the order in which the kernel reports them.
    pub(super) attributes: Vec<Attribute>,
    /// Whether its soft lifetime has expired.
    pub(super) is_dying: bool,
}

/// The attributes that the kernel reports, in its order, and those that it sets itself.
const REPORTED: &[u16] = &[
    attr::SA_EXTRA_FLAGS,
    attr::ALG_AEAD,
    attr::ALG_AUTH,
    attr::ALG_AUTH_TRUNC,
    attr::ALG_CRYPT,
    attr::ENCAP,
    attr::TFCPAD,
    attr::MARK,
    attr::SET_MARK,
    attr::SET_MARK_MASK,
    attr::REPLAY_ESN_VAL,
    attr::REPLAY_VAL,
    attr::OFFLOAD_DEV,
    attr::IF_ID,
    attr::SA_DIR,
];

impl StoredSa {
    /// The SA of a request that was verified, added at `now`.
    pub(super) fn new(info: &SaInfo, given: &[Attribute], now: u64) -> Self {
        let mut info = SaInfo {
            current: CurrentLifetime { add_time: now, ..CurrentLifetime::default() },
            drops: [0; 3],
            replay_window: info.replay_window.min(MAX_LEGACY_WINDOW),
            ..*info
        };
        if info.selector.family == 0 && !XfrmFlags(u32::from(info.flags)).has(XfrmFlags::AF_UNSPEC) {
            info.selector.family = info.family;
        }
        let mut attributes: Vec<Attribute> = given.iter().filter_map(reported).collect();
        let has = |kind: u16| given.iter().any(|attribute| attribute.kind() == kind);
        attributes.extend(given.iter().filter_map(plain_auth));
        if !has(attr::REPLAY_ESN_VAL) && !has(attr::REPLAY_VAL) {
            attributes.push(Attribute::Replay(ReplayState::default()));
        }
        if has(attr::SET_MARK) && !has(attr::SET_MARK_MASK) {
            attributes.push(Attribute::Word(attr::SET_MARK_MASK, u32::MAX));
        }
        let mut stored = Self { info, attributes, is_dying: false };
        stored.sort();
        stored
    }

    fn sort(&mut self) {
        self.attributes.sort_by_key(|attribute| REPORTED.iter().position(|kind| *kind == attribute.kind()));
    }

    pub(super) fn id(&self) -> UserSaId {
        UserSaId { dst: self.info.dst, spi: self.info.spi, family: self.info.family, proto: self.info.proto }
    }

    pub(super) fn mark(&self) -> Masked {
        mark_of(&self.attributes)
    }

    pub(super) fn body(&self) -> Body {
        Body::Sa(Box::new(self.info), self.duplicated_attributes())
    }

    pub(super) fn duplicated_attributes(&self) -> Vec<Attribute> {
        self.attributes.iter().map(Attribute::duplicate).collect()
    }

    /// The attributes that accompany an expiry.
    pub(super) fn attributes_of_expiry(&self) -> Vec<Attribute> {
        let kinds = [attr::MARK, attr::IF_ID, attr::SA_DIR];
        self.attributes.iter().filter(|attribute| kinds.contains(&attribute.kind())).map(Attribute::duplicate).collect()
    }

    /// Takes the values that UPDSA changes from `new` (`xfrm_state_update`); `false` if the kernel refuses them.
    pub(super) fn update(&mut self, new: &Self) -> bool {
        let encap_kind = |sa: &Self| {
            sa.attributes.iter().find_map(|attribute| match attribute {
                Attribute::Encap(encap) => Some(encap.kind),
                _ => None,
            })
        };
        if encap_kind(self) != encap_kind(new) {
            return false;
        }
        self.info.limits = new.info.limits;
        self.is_dying = false;
        let changes = [attr::ENCAP, attr::SET_MARK, attr::SET_MARK_MASK, attr::IF_ID];
        for change in new.attributes.iter().filter(|attribute| changes.contains(&attribute.kind())) {
            self.set(change.duplicate());
        }
        true
    }

    /// Sets the replay counters (`xfrm_new_ae`); `false` if they are of another form or size.
    pub(super) fn set_counters(&mut self, given: &Attribute) -> bool {
        let fits = self.attributes.iter().any(|old| match (old, given) {
            (Attribute::Replay(_), Attribute::Replay(_)) => true,
            (Attribute::ReplayEsn(old), Attribute::ReplayEsn(new)) => {
                old.bitmap.len() == new.bitmap.len() && new.window as usize <= new.bitmap.len() * 32
            }
            _ => false,
        });
        if fits {
            self.set(given.duplicate());
        }
        fits
    }

    fn set(&mut self, attribute: Attribute) {
        self.attributes.retain(|old| old.kind() != attribute.kind());
        self.attributes.push(attribute);
        self.sort();
    }

    /// When the next lifetime expires, in seconds since 1970. That of the use of an SA without use never does.
    pub(super) fn due(&self) -> Option<u64> {
        let at = |limit: u64| (limit != 0).then(|| self.info.current.add_time.saturating_add(limit));
        let (soft, hard) = self.info.limits.add;
        let soft = at(soft).filter(|_| !self.is_dying);
        soft.into_iter().chain(at(hard)).min()
    }

    /// Whether the hard lifetime has expired at `now`.
    pub(super) fn is_expired(&self, now: u64) -> bool {
        let hard = self.info.limits.add.1;
        hard != 0 && now >= self.info.current.add_time.saturating_add(hard)
    }
}

/// The mark among attributes; 0/0 without one.
pub(super) fn mark_of(attributes: &[Attribute]) -> Masked {
    let mark = attributes.iter().find_map(|attribute| match attribute {
        Attribute::Mark(mark) => Some(*mark),
        _ => None,
    });
    mark.unwrap_or_default()
}

/// The attribute as the kernel reports it; `None` for one that it does not keep, or whose value is that of its absence.
fn reported(given: &Attribute) -> Option<Attribute> {
    let is_absent = match given {
        Attribute::Word(attr::IF_ID | attr::TFCPAD | attr::SA_EXTRA_FLAGS, value) => *value == 0,
        Attribute::Mark(mark) => *mark == Masked::default(),
        Attribute::Auth(_) => true,
        other => !REPORTED.contains(&other.kind()),
    };
    (!is_absent).then(|| given.duplicate())
}

/// `ALG_AUTH`, which the kernel reports with `ALG_AUTH_TRUNC` (`copy_to_user_auth`).
fn plain_auth(given: &Attribute) -> Option<Attribute> {
    let Attribute::AuthTrunc(algorithm) = given else { return None };
    Some(Attribute::Auth(Algorithm { name: algorithm.name.clone(), icv_bits: 0, key: algorithm.key.duplicate() }))
}
