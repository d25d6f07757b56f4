//! The SADB of illumos, and `sadb-model`, which answers as it does.
//!
//! The kernel's own answers are not those that ipseckey(1M) promises: a pairing that it does not make is reported as a success,
//! and a failed one leaves a dead SA. This backend sends PF_KEY messages, looks at the replies and keeps the promises.
//!
//! | module | contents |
//! | --- | --- |
//! | `pairing` | requests with a `pair-spi` |
//! | `tables` | combined ciphers, which must be in one table of the kernel only: their addition and removal |

mod pairing;
mod tables;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;

use crate::names::diagnostics;
use crate::sa::{AddressRole, DiagnosticCode, Extension, Message, Request, SaType};
use crate::sadb::retry::{OTHER_DUMP, RetryBudget};
use crate::sadb::warnings::WarningLog;
use crate::sadb::{MonitorMode, PairScope, PfKey, Sadb, SadbError, Selected, Supported, Trace, Transport, Visitor};
use crate::wire::pfkey::Dialect;

/// A client of illumos' PF_KEY.
pub(crate) struct Illumos<T> {
    kernel: PfKey<T>,
    warnings: WarningLog,
}

impl<T: Transport> Illumos<T> {
    /// A client over `transport`.
    #[must_use]
    pub(crate) fn new(transport: T) -> Self {
        Self { kernel: PfKey::new(transport, &Dialect::ILLUMOS), warnings: WarningLog::default() }
    }

    /// The client below the promises, as another program uses it.
    #[cfg(test)]
    pub(crate) fn other_program(&mut self) -> &mut PfKey<T> {
        &mut self.kernel
    }

    /// Removes SAs with a salt, except those that the kernel would corrupt its memory with. Returns whether it has removed all.
    fn remove_salted(&mut self, sas: &[Request]) -> Result<bool, SadbError> {
        let mut are_removed = true;
        for sa in sas {
            match tables::check_removal(&mut self.kernel, sa) {
                Ok(()) => drop(self.delete_if_present(&tables::named(sa))?),
                Err(SadbError::Unsupported(reason)) => {
                    self.warnings.warn(&reason);
                    are_removed = false;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(are_removed)
    }
}

impl<T: Transport> Sadb for Illumos<T> {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        tables::check(&mut self.kernel, request)?;
        match request.pair_spi {
            Some(spi) => pairing::add(&mut self.kernel, request, spi),
            None => self.kernel.add(request),
        }
    }

    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        tables::check(&mut self.kernel, request)?;
        match request.pair_spi {
            Some(spi) => pairing::update(&mut self.kernel, request, spi, reach),
            None => done_without_peer(self.kernel.update(request, reach)),
        }
    }

    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        done_without_peer(self.kernel.delete(request, reach))
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        self.kernel.get(request).map(with_ipv4_natt)
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        let mut budget = RetryBudget::new(OTHER_DUMP);
        loop {
            match self.kernel.flush(sa_type) {
                Err(error) if budget.should_retry(&error) => {}
                outcome => return outcome,
            }
        }
    }

    fn flush_except(&mut self, sa_type: SaType, keep: &mut dyn FnMut(&Message) -> bool) -> Result<(), SadbError> {
        let mut selected = Selected::default();
        let mut salted = Vec::new();
        self.dump(sa_type, &mut |message| {
            if !message.association().is_some_and(|sa| tables::has_salt(sa.encr)) {
                selected.visit(message, keep);
            } else if keep(message) {
                selected.is_any_kept = true;
            } else {
                salted.push(tables::described(message));
            }
            ControlFlow::Continue(())
        })?;
        // After the dump: its messages and the replies to other requests come through the same socket.
        if !self.remove_salted(&salted)? || selected.is_any_kept {
            return selected.remove.iter().try_for_each(|request| self.delete_if_present(request).map(drop));
        }
        self.flush(sa_type)
    }

    fn delete_each(&mut self, sa_type: SaType, is_meant: &mut dyn FnMut(&Message) -> bool) -> Result<(), SadbError> {
        let (mut salted, mut others) = (Vec::new(), Vec::new());
        self.dump(sa_type, &mut |message| {
            if is_meant(message) {
                let is_salted = message.association().is_some_and(|sa| tables::has_salt(sa.encr));
                if is_salted { &mut salted } else { &mut others }.push(tables::described(message));
            }
            ControlFlow::Continue(())
        })?;
        self.remove_salted(&salted)?;
        others.iter().try_for_each(|sa| self.delete_if_present(&tables::named(sa)).map(drop))
    }

    fn check_removal(&mut self, sa: &Request) -> Result<(), SadbError> {
        tables::check_removal(&mut self.kernel, sa)
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }

    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        let mut budget = RetryBudget::new(OTHER_DUMP);
        loop {
            let mut has_begun = false;
            let mut visit = |message: Message| -> ControlFlow<()> {
                has_begun = true;
                each(&with_ipv4_natt(message))
            };
            match self.kernel.visit_dump(sa_type, &mut visit) {
                // ENOMEM after the first SA is a lack of memory, and a second dump would give these SAs again.
                Err(error) if !has_begun && budget.should_retry(&error) => {}
                outcome => return outcome,
            }
        }
    }

    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError> {
        self.kernel.start_monitor(hearing)?;
        self.kernel.visit_messages(&mut |message| each(&with_ipv4_natt(message)))
    }

    fn supported(&mut self) -> Result<Supported, SadbError> {
        self.kernel.supported()
    }

    fn new_sequence(&mut self) {
        self.kernel.new_sequence();
    }

    fn set_trace(&mut self, trace: Trace) {
        self.kernel.set_trace(trace);
    }
}

/// Success for `update-pair` and `delete-pair` of an SA without a paired SA: ipseckey(1M) has them act on that "if there is one".
/// The kernel has updated or removed the named SA when it refuses the rest (`sadb_update_sa`, `sadb_delget_sa` in sadb.c).
fn done_without_peer(outcome: Result<(), SadbError>) -> Result<(), SadbError> {
    match outcome {
        Err(error) if has_diagnostic(&error, diagnostics::PAIR_SA_NOTFOUND) => Ok(()),
        outcome => outcome,
    }
}

/// The description of an SA with its NAT-T addresses as IPv4, which they always are (D-68, D-69). The kernel describes those of an
/// IPv6 SA as `AF_INET6`, with the IPv4 address in the first word (`sadb_sa2msg` in sadb.c).
fn with_ipv4_natt(mut message: Message) -> Message {
    for extension in &mut message.extensions {
        let Extension::Address(AddressRole::NattLocal | AddressRole::NattRemote, info) = extension else { continue };
        if let Some(IpAddr::V6(addr)) = info.addr.filter(|addr| addr.to_canonical().is_ipv6()) {
            let [a, b, c, d, ..] = addr.octets();
            info.addr = Some(Ipv4Addr::new(a, b, c, d).into());
        }
    }
    message
}

fn has_diagnostic(error: &SadbError, expected: DiagnosticCode) -> bool {
    matches!(error, SadbError::Refused { diagnostic, .. } if *diagnostic == expected)
}
