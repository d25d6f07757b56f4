//! An SADB that counts requests, and fails at the one that a test names.
#![cfg_attr(not(test), allow(dead_code, reason = "most of it is for the tests of this crate"))]

use crate::names::errnos;
use crate::sa::{DiagnosticCode, Message, Request, SaType};
use crate::sadb::{MonitorMode, PairScope, Sadb, SadbError, Supported, Trace, Visitor};

/// Requests received, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestCounts {
    pub(crate) adds: usize,
    pub(crate) updates: usize,
    pub(crate) deletes: usize,
    pub(crate) dumps: usize,
}

/// The fault that requests for changes run into.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Refuses the request after this many others, and none after that.
    Refuse(usize),
    /// No reply after this many requests.
    Timeout(usize),
    /// Acknowledges additions, but drops their hard lifetimes; without one, drops the addition.
    IgnoreAdditions,
}

/// A decorator of another SADB.
pub(crate) struct FaultySadb {
    inner: Box<dyn Sadb>,
    counts: RequestCounts,
    fault: Fault,
}

impl FaultySadb {
    pub(crate) fn new(inner: Box<dyn Sadb>) -> Self {
        Self { inner, counts: RequestCounts::default(), fault: Fault::None }
    }

    pub(crate) fn counts(&self) -> RequestCounts {
        self.counts
    }

    pub(crate) fn reset_counts(&mut self) {
        self.counts = RequestCounts::default();
    }

    /// Refuses the `nth` of the next requests for a change.
    pub(crate) fn refuse(&mut self, nth: usize) {
        self.fault = Fault::Refuse(nth - 1);
    }

    /// Whether the request to refuse has not been received yet.
    pub(crate) fn refusal_is_pending(&self) -> bool {
        matches!(self.fault, Fault::Refuse(_))
    }

    /// Times out at the `nth` of the next requests for a change, and at all after it.
    pub(crate) fn stop_replying_at(&mut self, nth: usize) {
        self.fault = Fault::Timeout(nth - 1);
    }

    /// Acknowledges additions without carrying them out.
    pub(crate) fn ignore_additions(&mut self) {
        self.fault = Fault::IgnoreAdditions;
    }

    pub(crate) fn recover(&mut self) {
        self.fault = Fault::None;
    }

    fn run_into_fault(&mut self) -> Result<(), SadbError> {
        self.fault = match self.fault {
            Fault::Refuse(0) => {
                self.fault = Fault::None;
                return Err(SadbError::Refused {
                    errno: i32::from(errnos::EINVAL),
                    diagnostic: DiagnosticCode::default(),
                    text: "no".to_owned(),
                });
            }
            Fault::Timeout(0) => return Err(SadbError::Timeout { seconds: 10 }),
            Fault::Refuse(left) => Fault::Refuse(left - 1),
            Fault::Timeout(left) => Fault::Timeout(left - 1),
            other => other,
        };
        Ok(())
    }
}

impl Sadb for FaultySadb {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        self.counts.adds += 1;
        self.run_into_fault()?;
        match self.fault {
            Fault::IgnoreAdditions if request.hard.is_none() => Ok(()),
            Fault::IgnoreAdditions => self.inner.add(&Request { hard: None.into(), ..request.duplicate() }),
            _ => self.inner.add(request),
        }
    }

    fn update(&mut self, request: &Request, scope: PairScope) -> Result<(), SadbError> {
        self.counts.updates += 1;
        self.run_into_fault()?;
        self.inner.update(request, scope)
    }

    fn delete(&mut self, request: &Request, scope: PairScope) -> Result<(), SadbError> {
        self.counts.deletes += 1;
        self.run_into_fault()?;
        self.inner.delete(request, scope)
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        self.inner.get(request)
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        self.inner.flush(sa_type)
    }

    fn dump(&mut self, sa_type: SaType, visitor: Visitor<'_>) -> Result<(), SadbError> {
        self.counts.dumps += 1;
        self.inner.dump(sa_type, visitor)
    }

    fn monitor(&mut self, mode: MonitorMode, visitor: Visitor<'_>) -> Result<(), SadbError> {
        self.inner.monitor(mode, visitor)
    }

    fn supported(&mut self) -> Result<Supported, SadbError> {
        self.inner.supported()
    }

    fn set_trace(&mut self, trace: Trace) {
        self.inner.set_trace(trace);
    }
}
