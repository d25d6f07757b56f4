//! The service's policies around its SAs: up before they are added, down after they are removed.

use super::event::Event;
use super::exit::Reason;
use super::keys::Numbered;
use super::policies::{self, Asked, Policies, Raised};
use super::policy_event::PolicyEvent;
use super::refresh::Service;
use crate::policy::Policy;
use crate::sadb::{Sadb, SadbError};
use crate::sys::interfaces::local_addresses;

/// Why `auto` did not find what `from-sas` needs.
const NO_SPD: &str =
    "policy = \"from-sas\": this SADB has no policies of its own; wanted sadb = \"xfrm\", with modprobe xfrm_user";

/// The service's policies while its SAs are exchanged.
pub(super) struct Raising {
    policies: Policies,
    wanted: Vec<Policy>,
    is_whole: bool,
    /// Whether there are any that nobody asks for any more.
    has_stale: bool,
}

impl Service<'_> {
    /// Installs the policies that the SAs of `commands` ask for. Those that nobody asks for any more stay until
    /// [`Service::lower`]. Nothing is returned if there is nothing to be lowered either.
    pub(super) fn raise(&mut self, commands: &mut [Numbered], sadb: &mut dyn Sadb) -> Result<Option<Raising>, Reason> {
        let asked = self.asked(commands);
        self.raise_for(&asked, sadb)
    }

    /// The SAs whose policies are the service's business.
    pub(super) fn asked(&self, commands: &mut [Numbered]) -> Vec<Asked> {
        if self.config.protection.from_sas { policies::asked(commands) } else { Vec::new() }
    }

    pub(super) fn raise_for(&mut self, asked: &[Asked], sadb: &mut dyn Sadb) -> Result<Option<Raising>, Reason> {
        let from_sas = self.config.protection.from_sas;
        let Some(mut policies) = self.own_policies()? else { return Ok(None) };
        if !from_sas && policies.is_empty() {
            return Ok(None);
        }
        let wanted = if from_sas { self.wanted(asked)? } else { Vec::new() };
        let Some(spd) = sadb.spd() else {
            return if from_sas { Err(self.no_spd()) } else { Ok(None) };
        };
        let raised = policies.raise(&wanted, spd).map_err(|error| self.no_sadb(&error))?;
        self.tell(&raised);
        let has_stale = !raised.steps.remove.is_empty() || wanted.is_empty();
        Ok(Some(Raising { policies, wanted, is_whole: raised.is_whole(), has_stale }))
    }

    /// The record of the service's own policies, where there can be any.
    pub(super) fn own_policies(&mut self) -> Result<Option<Policies>, Reason> {
        self.config.state.as_deref().map(Policies::read).transpose().map_err(|error| self.no_sadb(&error))
    }

    /// The policies that SAs ask for; those that get none are warned about.
    pub(super) fn wanted(&mut self, asked: &[Asked]) -> Result<Vec<Policy>, Reason> {
        let local = local_addresses().map_err(|error| {
            self.log.event(&Event::Policy(PolicyEvent::NoAddresses(&error)));
            Reason::Other
        })?;
        let derived = policies::wanted(asked, &local);
        for (at, why) in derived.without {
            let line = asked.get(at).map_or(0, |(line, _)| *line);
            self.log.event(&Event::Policy(PolicyEvent::Unprotected { line, why }));
        }
        Ok(derived.policies)
    }

    fn tell(&mut self, raised: &Raised) {
        let Raised { steps, refused, missing } = raised;
        let (added, replaced) = (steps.add.len(), steps.replace.len());
        if added + replaced > 0 {
            let added = added - refused.len().min(added);
            self.log.event(&Event::Policy(PolicyEvent::Up { added, replaced, kept: steps.kept }));
        }
        steps.taken.iter().for_each(|name| self.log.event(&Event::Policy(PolicyEvent::Taken(name))));
        refused.iter().for_each(|(name, error)| self.log.event(&Event::Policy(PolicyEvent::Refused { name, error })));
        missing.iter().for_each(|name| self.log.event(&Event::Policy(PolicyEvent::Missing(name))));
    }

    /// Removes the policies that nobody asks for any more, once the SAs that they were for are gone.
    ///
    /// # Errors
    /// [`Reason::Refused`] if not all policies could be raised.
    pub(super) fn lower(&mut self, raised: Option<Raising>, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let Some(mut raised) = raised else { return Ok(()) };
        if raised.has_stale {
            self.lower_to(&mut raised.policies, &raised.wanted, sadb)?;
        }
        if raised.is_whole { Ok(()) } else { Err(Reason::Refused) }
    }

    /// Removes the service's policies, unless they are to stay.
    pub(super) fn lower_all(&mut self, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let Some(mut policies) = self.own_policies()?.filter(|policies| !policies.is_empty()) else { return Ok(()) };
        if self.config.protection.stays {
            self.log.event(&Event::Policy(PolicyEvent::Stay));
            return Ok(());
        }
        self.lower_to(&mut policies, &[], sadb)
    }

    fn lower_to(&mut self, policies: &mut Policies, wanted: &[Policy], sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let Some(spd) = sadb.spd() else { return Ok(()) };
        match policies.lower(wanted, spd) {
            Ok(0) => {}
            Ok(removed) => self.log.event(&Event::Policy(PolicyEvent::Down(removed))),
            Err(error) => return Err(self.no_sadb(&error)),
        }
        Ok(())
    }

    pub(super) fn no_spd(&mut self) -> Reason {
        self.no_sadb(&SadbError::Unsupported(NO_SPD.to_owned()))
    }
}
