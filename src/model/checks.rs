//! Checks of an ADD, in the kernel's order (illumos `ipsecesp.c`, `esp_add_sa`; `ipsecah.c`, `ah_add_sa`).

use crate::model::address::MessageAddresses;
use crate::model::frame::{Frame, ext};
use crate::model::keys;
use crate::model::refusal::{Checked, Refusal, diagnostic as d, refuse_if};
use crate::sa::{Association, AuthAlg, DiagnosticCode, EncrAlg, Flags, Lifetime, SaState, SaType};
use crate::secret::Key;

/// SA type, flags allowed in ADD, flags allowed in UPDATE (illumos `sadb.c`, `sadbp_init`).
const FLAGS: &[(SaType, u32, u32)] = &[(SaType::AH, 0x33c3_c002, 0x03c1_c002), (SaType::ESP, 0x3fdb_d002, 0x03d9_d002)];

/// The message that carries the flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Add,
    Update,
}

/// The checked contents of an ADD. No `Debug`: it holds keys.
pub(crate) struct CheckedAdd {
    pub(crate) association: Association,
    pub(crate) limits: Lifetimes,
    pub(crate) auth_key: Option<Key>,
    /// Key, then salt, as a stored SA has it.
    pub(crate) encr_key: Option<Key>,
}

/// The lifetime extensions of a message.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lifetimes {
    pub(crate) hard: Option<Lifetime>,
    pub(crate) soft: Option<Lifetime>,
    pub(crate) idle: Option<Lifetime>,
}

impl Lifetimes {
    pub(crate) fn of(frame: &Frame) -> Self {
        Self {
            hard: frame.lifetime(ext::LIFETIME_HARD),
            soft: frame.lifetime(ext::LIFETIME_SOFT),
            idle: frame.lifetime(ext::LIFETIME_IDLE),
        }
    }

    /// Refuses hard below soft, and either below idle. Compares only if both hard and soft are present
    /// (`sadb_hardsoftchk`).
    pub(crate) fn check(&self) -> Checked {
        let (Some(hard), Some(soft)) = (self.hard, self.soft) else { return Ok(()) };
        // Equal values are allowed, and 0 is no limit.
        let below = |limit: u64, other: u64| limit != 0 && other != 0 && limit < other;
        refuse_if(below(hard.allocations.into(), soft.allocations.into()), d::ALLOC_HSERR)?;
        refuse_if(below(hard.bytes, soft.bytes), d::BYTES_HSERR)?;
        refuse_if(below(hard.addtime, soft.addtime), d::ADDTIME_HSERR)?;
        refuse_if(below(hard.usetime, soft.usetime), d::USETIME_HSERR)?;
        // Not reached without HARD and SOFT: an idle lifetime above a lone hard one is accepted.
        let Some(idle) = self.idle else { return Ok(()) };
        refuse_if(below(hard.addtime, idle.addtime) || below(soft.addtime, idle.addtime), d::ADDTIME_HSERR)?;
        refuse_if(below(hard.usetime, idle.usetime) || below(soft.usetime, idle.usetime), d::USETIME_HSERR)
    }
}

/// Refuses extensions that no message to a database may have.
pub(crate) fn refuse_misplaced_extensions(sa_type: SaType, frame: &Frame) -> Checked {
    refuse_if(sa_type == SaType::AH && frame.has(ext::KEY_ENCRYPT), d::EKEY_PRESENT)?;
    refuse_if(frame.has(ext::PROPOSAL), d::PROP_PRESENT)?;
    refuse_if(frame.has(ext::SUPPORTED_AUTH) || frame.has(ext::SUPPORTED_ENCRYPT), d::SUPP_PRESENT)
}

/// Refuses flags that a client may not set.
pub(crate) fn check_flags(sa_type: SaType, flags: Flags, purpose: Purpose) -> Checked {
    let allowed = FLAGS.iter().find(|row| row.0 == sa_type).map_or(0, |row| match purpose {
        Purpose::Add => row.1,
        Purpose::Update => row.2,
    });
    refuse_if(flags.0 & !allowed != 0, d::BAD_SAFLAGS)
}

/// Refuses security labels: the model is a node without Trusted Extensions.
pub(crate) fn refuse_labels(frame: &Frame) -> Checked {
    refuse_if(frame.has(ext::SENSITIVITY) || frame.has(ext::OUTER_SENS), d::BAD_LABEL)
}

/// Checks an ADD, or the UPDATE of a larval SA.
pub(crate) fn check_add(sa_type: SaType, frame: &Frame, addresses: &MessageAddresses) -> Checked<CheckedAdd> {
    required(addresses.source.is_some(), d::MISSING_SRC)?;
    required(addresses.destination.is_some(), d::MISSING_DST)?;
    let association = frame.association().ok_or(Refusal::invalid(d::MISSING_SA))?;
    match sa_type {
        SaType::AH => check_ah(frame, &association),
        _ => check_esp(frame, &association),
    }
}

pub(crate) fn required(is_there: bool, diagnostic: DiagnosticCode) -> Checked {
    refuse_if(!is_there, diagnostic)
}

fn check_state(association: &Association) -> Checked {
    refuse_if(!matches!(association.state, SaState::MATURE | SaState::ACTIVE_ELSEWHERE), d::BAD_SASTATE)
}

fn check_esp(frame: &Frame, association: &Association) -> Checked<CheckedAdd> {
    let is_null = association.encr == EncrAlg::NULL;
    required(is_null || frame.has(ext::KEY_ENCRYPT), d::MISSING_EKEY)?;
    check_state(association)?;
    refuse_if(association.encr == EncrAlg::NONE, d::BAD_EALG)?;
    refuse_if(is_null && association.auth == AuthAlg::NONE, d::BAD_AALG)?;
    check_flags(SaType::ESP, association.flags, Purpose::Add)?;
    let limits = Lifetimes::of(frame);
    limits.check()?;
    refuse_if(association.flags.has(Flags::NATT_LOC) && !frame.has(ext::NATT_LOC), d::MISSING_NATT_LOC)?;
    refuse_if(association.flags.has(Flags::NATT_REM) && !frame.has(ext::NATT_REM), d::MISSING_NATT_REM)?;
    refuse_labels(frame)?;
    not_supported(frame.has(ext::LIFETIME_CURRENT))?;
    // An algorithm without a key is accepted; only a key needs an algorithm.
    let auth_key = frame.key(ext::KEY_AUTH);
    if let Some(key) = &auth_key {
        keys::check_auth(association.auth, key)?;
    }
    let given = frame.key(ext::KEY_ENCRYPT);
    let encr_key = given.map(|key| keys::check_encr(association.encr, &key)).transpose()?;
    Ok(CheckedAdd { association: *association, limits, auth_key, encr_key })
}

fn check_ah(frame: &Frame, association: &Association) -> Checked<CheckedAdd> {
    let auth_key = frame.key(ext::KEY_AUTH).ok_or(Refusal::invalid(d::MISSING_AKEY))?;
    check_state(association)?;
    refuse_if(association.encr != EncrAlg::NONE, d::ENCR_NOTSUPP)?;
    check_flags(SaType::AH, association.flags, Purpose::Add)?;
    let limits = Lifetimes::of(frame);
    limits.check()?;
    // AH refuses labels with EOPNOTSUPP, ESP with D-83.
    not_supported(frame.has(ext::LIFETIME_CURRENT) || frame.has(ext::SENSITIVITY) || frame.has(ext::OUTER_SENS))?;
    keys::check_auth(association.auth, &auth_key)?;
    Ok(CheckedAdd { association: *association, limits, auth_key: Some(auth_key), encr_key: None })
}

fn not_supported(is_there: bool) -> Checked {
    if is_there { Err(Refusal::not_supported(d::NONE)) } else { Ok(()) }
}
