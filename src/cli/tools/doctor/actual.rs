//! The SAs of the SADB.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::finding::{Findings, counted};
use crate::cli::ownership::Ownership;
use crate::cli::session::Session;
use crate::names::algorithms::auth_by_number;
use crate::policy::PolicySa;
use crate::sa::{AuthAlg, EncrAlg, LifetimeKind, LinuxInfo, Message, SaId, SaState, SaType, XfrmFlags};
use crate::sadb::SadbError;

/// The SAs of the SADB, without larval ones: a key manager has reserved their SPIs, and they protect nothing yet.
#[derive(Default)]
pub(super) struct ActualSas {
    pub(super) ids: HashSet<SaId>,
    /// Those that this program or the service has added.
    pub(super) own: HashSet<SaId>,
    pub(super) policy_sas: Vec<PolicySa>,
    /// More about them, in the same order.
    pub(super) details: Vec<Details>,
    pub(super) larval: usize,
}

/// What the SADB reports about an SA beyond its addresses. No key.
#[derive(Clone, Debug, Default)]
pub(super) struct Details {
    pub(super) auth: AuthAlg,
    pub(super) encr: EncrAlg,
    /// The length of the ICV of `auth` in bits.
    pub(super) icv_bits: u16,
    /// In seconds since 1970; 0 if unknown.
    pub(super) added: u64,
    /// When the hard lifetime in seconds is over, in seconds since 1970.
    pub(super) expires: Option<u64>,
    /// The last sequence number sent.
    pub(super) sent: u64,
    pub(super) has_esn: bool,
}

impl Details {
    fn of(sa: &Message) -> Self {
        let (auth, encr) = sa.association().map(|sa| (sa.auth, sa.encr)).unwrap_or_default();
        let default = LinuxInfo::default();
        let linux = sa.linux().unwrap_or(&default);
        Self {
            auth,
            encr,
            icv_bits: linux.extras.icv_bits.or(auth_by_number(auth).map(|row| row.icv_bits)).unwrap_or(0),
            added: sa.add_time(),
            expires: sa.expiry(LifetimeKind::Hard),
            sent: linux.sent_seq,
            has_esn: linux.extras.flags.has(XfrmFlags::ESN),
        }
    }
}

impl ActualSas {
    fn visit(&mut self, sa: &Message, ownership: &Ownership) {
        let Some(id) = sa.id() else { return };
        if sa.association().is_some_and(|association| association.state == SaState::LARVAL) {
            self.larval += 1;
            return;
        }
        self.ids.insert(id);
        if ownership.has_message(sa) {
            self.own.insert(id);
        }
        if let Some(policy_sa) = PolicySa::of_message(sa) {
            self.policy_sas.push(policy_sa);
            self.details.push(Details::of(sa));
        }
    }

    /// Each SA with its details.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PolicySa, &Details)> {
        self.policy_sas.iter().zip(&self.details)
    }
}

/// The SAs of the SADB; `None` if they cannot be listed.
pub(super) fn list(session: &Session<'_>, findings: &mut Findings) -> Option<ActualSas> {
    let mut actual = ActualSas::default();
    let ownership = Ownership::read(session.target());
    let listed = session.open().and_then(|mut sadb| {
        sadb.dump(SaType::UNSPEC, &mut |sa| {
            actual.visit(sa, &ownership);
            ControlFlow::Continue(())
        })
    });
    match listed {
        Ok(()) => {
            let larval = if actual.larval == 0 { String::new() } else { format!(", {} larval", actual.larval) };
            findings.ok("SADB", format!("holds {}{larval}", counted(actual.ids.len(), "SA")));
            Some(actual)
        }
        Err(error) => {
            // A refusal is usually EPERM; any other error means that the SADB cannot be reached at all.
            let fix = match &error {
                SadbError::Refused { .. } => "run `sudo ipseckey doctor`",
                _ => "to check only the file, run `ipseckey --sadb model doctor`",
            };
            findings.problem("SADB", error.to_string(), fix);
            None
        }
    }
}
