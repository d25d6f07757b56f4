//! An SADB that counts its requests, and fails where a test says so.
#![cfg_attr(not(test), allow(dead_code, reason = "most of it is for the tests of this crate"))]

use crate::sa::{DiagnosticCode, Message, Request, SaType};
use crate::sadb::{MonitorMode, PairScope, Sadb, SadbError, Supported, Trace, Visitor};

/// How often it was asked for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds {
    pub(crate) adds: usize,
    pub(crate) updates: usize,
    pub(crate) deletes: usize,
    pub(crate) dumps: usize,
}

/// What it does to requests that change something.
#[derive(Clone, Copy)]
enum Mood {
    Obeys,
    /// Refuses the one after so many others, and obeys from then on.
    Refuses(usize),
    /// Does nothing any more after so many.
    Dies(usize),
    /// Acknowledges additions and forgets their lifetimes, or all of them.
    Lies,
}

/// An SADB in front of another one.
pub(crate) struct Reluctant {
    inner: Box<dyn Sadb>,
    deeds: Deeds,
    mood: Mood,
}

impl Reluctant {
    pub(crate) fn new(inner: Box<dyn Sadb>) -> Self {
        Self { inner, deeds: Deeds::default(), mood: Mood::Obeys }
    }

    pub(crate) fn deeds(&self) -> Deeds {
        self.deeds
    }

    pub(crate) fn forget(&mut self) {
        self.deeds = Deeds::default();
    }

    /// Refuses the `nth` request from here on that changes something.
    pub(crate) fn refuse(&mut self, nth: usize) {
        self.mood = Mood::Refuses(nth - 1);
    }

    /// Whether the request that was to be refused has not come.
    pub(crate) fn was_not_asked_so_often(&self) -> bool {
        matches!(self.mood, Mood::Refuses(_))
    }

    /// Answers nothing after the `nth` request from here on.
    pub(crate) fn die_after(&mut self, nth: usize) {
        self.mood = Mood::Dies(nth - 1);
    }

    /// Acknowledges from here on what it does not do.
    pub(crate) fn lie(&mut self) {
        self.mood = Mood::Lies;
    }

    pub(crate) fn revive(&mut self) {
        self.mood = Mood::Obeys;
    }

    fn judge(&mut self) -> Result<(), SadbError> {
        self.mood = match self.mood {
            Mood::Refuses(0) => {
                self.mood = Mood::Obeys;
                return Err(SadbError::Refused { errno: 22, diagnostic: DiagnosticCode::default(), text: "no".to_owned() });
            }
            Mood::Dies(0) => return Err(SadbError::Timeout { seconds: 10 }),
            Mood::Refuses(left) => Mood::Refuses(left - 1),
            Mood::Dies(left) => Mood::Dies(left - 1),
            honest_or_not => honest_or_not,
        };
        Ok(())
    }
}

impl Sadb for Reluctant {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        self.deeds.adds += 1;
        self.judge()?;
        match self.mood {
            Mood::Lies if request.hard.is_none() => Ok(()),
            Mood::Lies => self.inner.add(&Request { hard: None.into(), ..request.duplicate() }),
            _ => self.inner.add(request),
        }
    }

    fn update(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        self.deeds.updates += 1;
        self.judge()?;
        self.inner.update(request, reach)
    }

    fn delete(&mut self, request: &Request, reach: PairScope) -> Result<(), SadbError> {
        self.deeds.deletes += 1;
        self.judge()?;
        self.inner.delete(request, reach)
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        self.inner.get(request)
    }

    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        self.inner.flush(sa_type)
    }

    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        self.deeds.dumps += 1;
        self.inner.dump(sa_type, each)
    }

    fn monitor(&mut self, hearing: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError> {
        self.inner.monitor(hearing, each)
    }

    fn supported(&mut self) -> Result<Supported, SadbError> {
        self.inner.supported()
    }

    fn set_trace(&mut self, trace: Trace) {
        self.inner.set_trace(trace);
    }
}
