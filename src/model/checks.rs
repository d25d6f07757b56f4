//! What an ADD must say, checked in the kernel's order (illumos `ipsecesp.c`, `esp_add_sa`; `ipsecah.c`, `ah_add_sa`).

use crate::model::address::Addresses;
use crate::model::frame::{Frame, ext};
use crate::model::keys;
use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::model::settings::Settings;
use crate::sa::{Association, AuthAlg, Diagnostic, EncrAlg, Flags, Lifetime, SaState, SaType};
use crate::secret::Key;

/// Flags a client may give: SA type, in ADD, in UPDATE (illumos `sadb.c`, `sadbp_init`).
const FLAGS: &[(SaType, u32, u32)] = &[(SaType::AH, 0x33c3_c002, 0x03c1_c002), (SaType::ESP, 0x3fdb_d002, 0x03d9_d002)];

/// Which message the flags are in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Add,
    Update,
}

/// What an ADD says, checked. No `Debug`: it holds keys.
pub(crate) struct Draft {
    pub(crate) association: Association,
    pub(crate) limits: Limits,
    pub(crate) auth_key: Option<Key>,
    /// As an SA holds it: key, then salt.
    pub(crate) encr_key: Option<Key>,
}

/// The lifetimes of a message.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) hard: Option<Lifetime>,
    pub(crate) soft: Option<Lifetime>,
    pub(crate) idle: Option<Lifetime>,
}

impl Limits {
    pub(crate) fn of(frame: &Frame) -> Self {
        Self {
            hard: frame.lifetime(ext::LIFETIME_HARD),
            soft: frame.lifetime(ext::LIFETIME_SOFT),
            idle: frame.lifetime(ext::LIFETIME_IDLE),
        }
    }

    /// Hard limits are not below soft ones, neither is below idle ones; only looked at if both hard and soft are there.
    pub(crate) fn check(&self) -> Checked {
        let (Some(hard), Some(soft)) = (self.hard, self.soft) else { return Ok(()) };
        let below = |limit: u64, other: u64| limit != 0 && other != 0 && limit < other;
        refuse_if(below(hard.allocations.into(), soft.allocations.into()), d::ALLOC_HSERR)?;
        refuse_if(below(hard.bytes, soft.bytes), d::BYTES_HSERR)?;
        refuse_if(below(hard.addtime, soft.addtime), d::ADDTIME_HSERR)?;
        refuse_if(below(hard.usetime, soft.usetime), d::USETIME_HSERR)?;
        let Some(idle) = self.idle else { return Ok(()) };
        refuse_if(below(hard.addtime, idle.addtime) || below(soft.addtime, idle.addtime), d::ADDTIME_HSERR)?;
        refuse_if(below(hard.usetime, idle.usetime) || below(soft.usetime, idle.usetime), d::USETIME_HSERR)
    }
}

/// Extensions that do not belong into any message to a database.
pub(crate) fn strangers(sa_type: SaType, frame: &Frame) -> Checked {
    refuse_if(sa_type == SaType::AH && frame.has(ext::KEY_ENCRYPT), d::EKEY_PRESENT)?;
    refuse_if(frame.has(ext::PROPOSAL), d::PROP_PRESENT)?;
    refuse_if(frame.has(ext::SUPPORTED_AUTH) || frame.has(ext::SUPPORTED_ENCRYPT), d::SUPP_PRESENT)
}

/// Only flags that a client may give.
pub(crate) fn flags(sa_type: SaType, flags: Flags, purpose: Purpose) -> Checked {
    let allowed = FLAGS.iter().find(|row| row.0 == sa_type).map_or(0, |row| match purpose {
        Purpose::Add => row.1,
        Purpose::Update => row.2,
    });
    refuse_if(flags.0 & !allowed != 0, d::BAD_SAFLAGS)
}

/// Labels on a node that has none.
pub(crate) fn labels(frame: &Frame) -> Checked {
    refuse_if(frame.has(ext::SENSITIVITY) || frame.has(ext::OUTER_SENS), d::BAD_LABEL)
}

/// Checks an ADD, or the UPDATE that completes a larval SA.
pub(crate) fn addition(sa_type: SaType, frame: &Frame, addresses: &Addresses, settings: &Settings) -> Checked<Draft> {
    required(addresses.source.is_some(), d::MISSING_SRC)?;
    required(addresses.destination.is_some(), d::MISSING_DST)?;
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    match sa_type {
        SaType::AH => authentication_header(frame, &association),
        _ => encapsulation(frame, &association, settings),
    }
}

pub(crate) fn required(is_there: bool, diagnostic: Diagnostic) -> Checked {
    refuse_if(!is_there, diagnostic)
}

fn state(association: &Association) -> Checked {
    refuse_if(!matches!(association.state, SaState::MATURE | SaState::ACTIVE_ELSEWHERE), d::BAD_SASTATE)
}

fn encapsulation(frame: &Frame, association: &Association, settings: &Settings) -> Checked<Draft> {
    let is_null = association.encr == EncrAlg::NULL;
    required(is_null || frame.has(ext::KEY_ENCRYPT), d::MISSING_EKEY)?;
    state(association)?;
    refuse_if(association.encr == EncrAlg::NONE, d::BAD_EALG)?;
    refuse_if(is_null && association.auth == AuthAlg::NONE, d::BAD_AALG)?;
    flags(SaType::ESP, association.flags, Purpose::Add)?;
    let limits = Limits::of(frame);
    limits.check()?;
    refuse_if(association.flags.has(Flags::NATT_LOC) && !frame.has(ext::NATT_LOC), d::MISSING_NATT_LOC)?;
    refuse_if(association.flags.has(Flags::NATT_REM) && !frame.has(ext::NATT_REM), d::MISSING_NATT_REM)?;
    labels(frame)?;
    not_supported(frame.has(ext::LIFETIME_CURRENT))?;
    let auth_key = frame.key(ext::KEY_AUTH);
    if let Some(key) = &auth_key {
        keys::check_auth(association.auth, key)?;
    }
    let given = frame.key(ext::KEY_ENCRYPT);
    let encr_key = given.map(|key| keys::check_encr(association.encr, &key, settings)).transpose()?;
    Ok(Draft { association: *association, limits, auth_key, encr_key })
}

fn authentication_header(frame: &Frame, association: &Association) -> Checked<Draft> {
    let auth_key = frame.key(ext::KEY_AUTH).ok_or(Refusal::invalid(d::MISSING_AKEY))?;
    state(association)?;
    refuse_if(association.encr != EncrAlg::NONE, d::ENCR_NOTSUPP)?;
    flags(SaType::AH, association.flags, Purpose::Add)?;
    let limits = Limits::of(frame);
    limits.check()?;
    not_supported(frame.has(ext::LIFETIME_CURRENT) || frame.has(ext::SENSITIVITY) || frame.has(ext::OUTER_SENS))?;
    keys::check_auth(association.auth, &auth_key)?;
    Ok(Draft { association: *association, limits, auth_key: Some(auth_key), encr_key: None })
}

fn not_supported(is_there: bool) -> Checked {
    if is_there { Err(Refusal::not_supported(d::NONE)) } else { Ok(()) }
}
