//! What the daemon does about SAs and policies that another program removes.

use super::Daemon;
use super::repair_timer::names;
use crate::sadb::SadbError;
use crate::sadb::changes::Change;
use crate::service::exit::Reason;
use crate::service::load::Loader;
use crate::service::log::Log;
use crate::service::log::event;
use crate::service::log::event::daemon::Repaired;
use crate::sys::process::hardening;

impl Daemon<'_> {
    pub(super) fn handle_change(&mut self, change: Result<Change, SadbError>) -> Result<(), Reason> {
        match change {
            Ok(change) => self.repair.note(change, |id| self.outcome.loaded.contains(id)),
            Err(error) => return self.exit_without_sadb(&error),
        }
        Ok(())
    }

    /// Restores what other programs have removed; with `repair = false` only reports it.
    pub(super) fn repair_damage(&mut self) -> Result<(), Reason> {
        let (damage, ports) = self.repair.take();
        let Some(config) = &self.config else { return Ok(()) };
        let is_dry = !config.repair;
        let mut loader = Loader::new(config, self.supervisor, &mut self.log).for_daemon();
        let repaired = loader.repair(&mut self.outcome, &damage, is_dry);
        // Both had keys.
        drop(damage);
        hardening::wipe_stack();
        match repaired {
            Ok(repaired) if repaired == Repaired::default() => self.take_places(),
            Ok(repaired) => {
                self.report_repair(&repaired, &names(&ports), is_dry)?;
                self.take_places()
            }
            Err(failure) => {
                self.outcome.fail_after_load(failure);
                self.report()
            }
        }
    }

    /// Installs the service's policies in the places that other programs have left.
    fn take_places(&mut self) -> Result<(), Reason> {
        let Some(config) = &self.config else { return Ok(()) };
        let mut loader = Loader::new(config, self.supervisor, &mut self.log).for_daemon();
        match loader.take_places(&mut self.outcome) {
            Ok(false) => Ok(()),
            Ok(true) => self.report(),
            Err(failure) => {
                self.outcome.fail_after_load(failure);
                self.report()
            }
        }
    }

    fn report_repair(&mut self, repaired: &Repaired, by: &str, is_dry: bool) -> Result<(), Reason> {
        self.repair.repaired();
        let event = event::daemon::removed_by_others(repaired, by, is_dry);
        self.log.event(&event);
        if is_dry || repaired.obstacle.is_some() {
            self.outcome.degrade(&event);
        } else if let Some(config) = &self.config {
            Loader::new(config, self.supervisor, &mut self.log).report_state(&mut self.outcome);
        }
        self.report()
    }
}
