//! The service's policies around its SAs: up before they are added, down after they are removed.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::policy::derive::{Derived, NoPolicy};
use crate::sadb::{Sadb, SadbError};
use crate::service::exit::Reason;
use crate::service::load::Service;
use crate::service::load::keys::Numbered;
use crate::service::load::pending::Waiting;
use crate::service::log::event::Event;
use crate::service::log::policy_event::PolicyEvent;
use crate::service::records::owned_policies::{self, Asked, Policies, Raised};
use crate::sys::net::interfaces::local_addresses;

/// Why `auto` did not find what `from-sas` needs.
const NO_SPD: &str =
    "policy = \"from-sas\": this SADB has no policies of its own; wanted sadb = \"xfrm\", with modprobe xfrm_user";

/// The service's policies while its SAs are exchanged.
pub(crate) struct Raising {
    policies: Policies,
    wanted: Derived,
    /// Whether all of them are there.
    pub(crate) is_whole: bool,
    /// Whether there are any that nobody asks for any more.
    has_stale: bool,
}

impl Service<'_> {
    /// Installs the policies that the SAs of `commands` ask for. Those that nobody asks for any more stay until
    /// [`Service::lower`]. Nothing is returned if there is nothing to be lowered either.
    pub(crate) fn raise(&mut self, commands: &mut [Numbered], sadb: &mut dyn Sadb) -> Result<Option<Raising>, Reason> {
        let asked = self.asked(commands);
        self.raise_for(asked, sadb)
    }

    /// The SAs whose policies are the service's business.
    pub(crate) fn asked(&self, commands: &mut [Numbered]) -> Vec<Asked> {
        if self.config.protection.from_sas { owned_policies::asked(commands) } else { Vec::new() }
    }

    pub(crate) fn raise_for(&mut self, asked: Vec<Asked>, sadb: &mut dyn Sadb) -> Result<Option<Raising>, Reason> {
        let wanted = self.wanted(&asked)?;
        self.waiting = Waiting::of(asked, &wanted);
        self.raise_to(wanted, sadb)
    }

    /// The same for SAs that are there already, some of which have got an address. Who still has none has been told of.
    pub(crate) fn raise_late(
        &mut self,
        asked: Vec<Asked>,
        local: &HashSet<IpAddr>,
        sadb: &mut dyn Sadb,
    ) -> Result<Option<Raising>, Reason> {
        let wanted = owned_policies::wanted(&asked, local);
        self.warn(&asked, wanted.without.iter().filter(|(_, why)| *why != NoPolicy::UnknownDirection));
        self.waiting = Waiting::of(asked, &wanted);
        self.raise_to(wanted, sadb)
    }

    fn raise_to(&mut self, wanted: Derived, sadb: &mut dyn Sadb) -> Result<Option<Raising>, Reason> {
        let from_sas = self.config.protection.from_sas;
        let Some(mut policies) = self.own_policies()? else { return Ok(None) };
        if !from_sas && policies.is_empty() {
            return Ok(None);
        }
        let Some(spd) = sadb.spd() else {
            return if from_sas { Err(self.no_spd()) } else { Ok(None) };
        };
        let raised = policies.raise(&wanted, spd).map_err(|error| self.no_sadb(&error))?;
        self.tell(&raised);
        let has_stale = !raised.steps.remove.is_empty() || wanted.policies.is_empty();
        Ok(Some(Raising { policies, wanted, is_whole: raised.is_whole(), has_stale }))
    }

    /// The record of the service's own policies, where there can be any.
    pub(crate) fn own_policies(&mut self) -> Result<Option<Policies>, Reason> {
        self.config.state.as_deref().map(Policies::read).transpose().map_err(|error| self.no_sadb(&error))
    }

    /// The policies that SAs ask for; those that get none are warned about.
    pub(crate) fn wanted(&mut self, asked: &[Asked]) -> Result<Derived, Reason> {
        if asked.is_empty() {
            return Ok(Derived::default());
        }
        let local = self.local_addresses()?;
        let derived = owned_policies::wanted(asked, &local);
        self.warn(asked, derived.without.iter());
        Ok(derived)
    }

    pub(crate) fn local_addresses(&mut self) -> Result<HashSet<IpAddr>, Reason> {
        local_addresses().map_err(|error| {
            self.log.event(&Event::Policy(PolicyEvent::NoAddresses(&error)));
            Reason::Other
        })
    }

    /// One warning for each reason: a file may have thousands of SAs.
    fn warn<'s>(&mut self, asked: &[Asked], without: impl Iterator<Item = &'s (usize, NoPolicy)>) {
        let mut told: Vec<(NoPolicy, Vec<u32>)> = Vec::new();
        for (at, why) in without {
            let line = asked.get(*at).map_or(0, |(line, _)| *line);
            match told.iter_mut().find(|(other, _)| other.has_same_text(*why)) {
                Some((_, lines)) => lines.push(line),
                None => told.push((*why, vec![line])),
            }
        }
        for (why, mut lines) in told {
            lines.dedup();
            self.log.event(&Event::Policy(PolicyEvent::Unprotected { lines: &lines, why, waits: self.stays }));
        }
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
    pub(crate) fn lower(&mut self, raised: Option<Raising>, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let Some(mut raised) = raised else { return Ok(()) };
        if raised.has_stale {
            self.lower_to(&mut raised.policies, &raised.wanted, sadb)?;
        }
        if raised.is_whole { Ok(()) } else { Err(Reason::Refused) }
    }

    /// Removes the service's policies, unless they are to stay.
    pub(crate) fn lower_all(&mut self, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let Some(mut policies) = self.own_policies()?.filter(|policies| !policies.is_empty()) else { return Ok(()) };
        if self.config.protection.stays {
            self.log.event(&Event::Policy(PolicyEvent::Stay));
            return Ok(());
        }
        self.lower_to(&mut policies, &Derived::default(), sadb)
    }

    fn lower_to(&mut self, policies: &mut Policies, wanted: &Derived, sadb: &mut dyn Sadb) -> Result<(), Reason> {
        let Some(spd) = sadb.spd() else { return Ok(()) };
        match policies.lower(wanted, spd) {
            Ok(0) => {}
            Ok(removed) => self.log.event(&Event::Policy(PolicyEvent::Down(removed))),
            Err(error) => return Err(self.no_sadb(&error)),
        }
        Ok(())
    }

    pub(crate) fn no_spd(&mut self) -> Reason {
        self.no_sadb(&SadbError::Unsupported(NO_SPD.to_owned()))
    }
}
