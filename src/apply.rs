//! Applies commands to an SADB, for the command line and the service.
//!
//! [`apply`] executes one command, for each of its targets. A [`Queue`] collects additions for a batch: Linux executes a batch of 64
//! in a quarter of the time of 64 single requests.
#![forbid(unsafe_code)]

use crate::keyfile::{SaCommand, Target, Verb};
use crate::sa::{Message, Request};
use crate::sadb::{MAX_BATCH, PairScope, Sadb, SadbError};

/// The result of a command for one target.
pub(crate) enum Outcome {
    Done,
    /// The reply to a `get` command.
    Described(Message),
    Failed(SadbError),
}

/// Executes `command` for each of its targets, and passes each outcome to `each` with the request that was sent.
///
/// Returns whether all targets succeeded. After a failure the other targets are still tried, unless the SADB cannot be reached.
pub(crate) fn apply(mut command: SaCommand, sadb: &mut dyn Sadb, each: &mut dyn FnMut(&Request, Outcome)) -> bool {
    let mut all_done = true;
    // One sequence number for all targets of a command, as ipseckey(1M) has it.
    sadb.new_sequence();
    for target in std::mem::take(&mut command.targets) {
        aim_at(&mut command.request, target);
        let outcome = execute(command.verb, &command.request, sadb);
        // Every further request would fail in the same way, each after its timeout.
        let lost = matches!(&outcome, Outcome::Failed(SadbError::Io(_) | SadbError::Timeout { .. }));
        all_done &= !matches!(outcome, Outcome::Failed(_));
        each(&command.request, outcome);
        if lost {
            break;
        }
    }
    all_done
}

/// Additions that are collected for a batch. `T` identifies each one for the caller, such as by its line.
pub(crate) struct Queue<T> {
    waiting: Vec<(T, SaCommand)>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Vec::new() }
    }
}

impl<T> Queue<T> {
    /// Whether no command is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether [`Self::flush`] must be called before the next [`Self::offer`].
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_BATCH
    }

    /// Queues `command` if `sadb` can execute it in a batch; returns it otherwise.
    pub(crate) fn offer(&mut self, place: T, command: SaCommand, sadb: &dyn Sadb) -> Option<SaCommand> {
        // A command with several targets counts as one: its outcome depends on all of them.
        if command.verb != Verb::Add || command.targets.len() != 1 || !sadb.batches(&command.request) {
            return Some(command);
        }
        self.waiting.push((place, command));
        None
    }

    /// Executes the queued additions, and passes each outcome to `each` in order.
    pub(crate) fn flush(&mut self, sadb: &mut dyn Sadb, each: &mut dyn FnMut(T, &Request, Outcome)) {
        let requests: Vec<&Request> = self.waiting.iter().map(|(_, command)| &*command.request).collect();
        let outcomes = if requests.is_empty() { Vec::new() } else { sadb.add_all(&requests) };
        for ((place, command), outcome) in self.waiting.drain(..).zip(outcomes) {
            each(place, &command.request, outcome.map_or_else(Outcome::Failed, |()| Outcome::Done));
        }
    }
}

/// Sets the addresses of `target` in `request`.
pub(crate) fn aim_at(request: &mut Request, target: Target) {
    if let (Some(src), Some(addr)) = (&mut request.src, target.src) {
        src.addr = addr;
    }
    if let (Some(dst), Some(addr)) = (&mut request.dst, target.dst) {
        dst.addr = addr;
    }
}

fn execute(verb: Verb, request: &Request, sadb: &mut dyn Sadb) -> Outcome {
    let done = match verb {
        Verb::Add => sadb.add(request),
        Verb::Update => sadb.update(request, PairScope::One),
        Verb::UpdatePair => sadb.update(request, PairScope::Pair),
        Verb::Delete => sadb.delete(request, PairScope::One),
        Verb::DeletePair => sadb.delete(request, PairScope::Pair),
        Verb::Get => return sadb.get(request).map_or_else(Outcome::Failed, Outcome::Described),
    };
    done.map_or_else(Outcome::Failed, |()| Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile;
    use crate::keyfile::{Command, HostsFile, Options, Setting};
    use crate::names::Vocabulary;
    use crate::sa::{Message, SaType, Spi};
    use crate::sadb::{MonitorMode, Supported, Trace, Visitor};

    /// Takes additions several at a time, but for those with a pair, and refuses SPI 300. It can do nothing else.
    #[derive(Default)]
    struct Batching {
        sizes: Vec<usize>,
    }

    impl Sadb for Batching {
        fn batches(&self, request: &Request) -> bool {
            request.pair_spi.is_none()
        }

        fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
            self.sizes.push(requests.len());
            let refused = |request: &&Request| request.spi == Spi(300);
            let answer = |request| if refused(request) { Err(SadbError::OutcomeUnknown) } else { Ok(()) };
            requests.iter().map(answer).collect()
        }

        fn add(&mut self, _: &Request) -> Result<(), SadbError> {
            unreachable!()
        }
        fn update(&mut self, _: &Request, _: PairScope) -> Result<(), SadbError> {
            unreachable!()
        }
        fn delete(&mut self, _: &Request, _: PairScope) -> Result<(), SadbError> {
            unreachable!()
        }
        fn get(&mut self, _: &Request) -> Result<Message, SadbError> {
            unreachable!()
        }
        fn flush(&mut self, _: SaType) -> Result<(), SadbError> {
            unreachable!()
        }
        fn dump(&mut self, _: SaType, _: Visitor<'_>) -> Result<(), SadbError> {
            unreachable!()
        }
        fn monitor(&mut self, _: MonitorMode, _: Visitor<'_>) -> Result<(), SadbError> {
            unreachable!()
        }
        fn supported(&mut self) -> Result<Supported, SadbError> {
            unreachable!()
        }
        fn set_trace(&mut self, _: Trace) {}
    }

    fn command(text: &str) -> SaCommand {
        let resolver = HostsFile::parse("192.0.2.7 two\n192.0.2.8 two\n");
        let options = Options { vocabulary: Vocabulary::Linux, numeric: false, setting: Setting::File, resolver: &resolver };
        match keyfile::commands(text.as_bytes(), &options).next().map(|item| item.outcome) {
            Some(Ok(Command::Sa(command))) => command,
            _ => panic!("{text}"),
        }
    }

    fn add(spi: u32) -> SaCommand {
        command(&format!("add esp spi {spi} dst 192.0.2.1 encr_alg null auth_alg sha1 authkey 00"))
    }

    #[test]
    fn queue_takes_only_additions_of_one_sa() {
        let sadb = Batching::default();
        let mut queue = Queue::default();
        for text in [
            "delete esp spi 300 dst 192.0.2.1",
            "update esp spi 300 dst 192.0.2.1 hard_bytes 5",
            "add esp spi 300 dst two auth_alg sha1 authkey 00",
            "add esp spi 300 dst 192.0.2.1 auth_alg sha1 authkey 00 pair-spi 301",
        ] {
            assert!(queue.offer(1, command(text), &sadb).is_some(), "{text}");
        }
        assert!(queue.offer(1, add(300), &sadb).is_none());
    }

    #[test]
    fn flush_reports_outcomes_in_order() {
        let mut sadb = Batching::default();
        let mut queue = Queue::default();
        for spi in 299..302 {
            assert!(queue.offer(spi + 1000, add(spi), &sadb).is_none());
        }
        let mut heard = Vec::new();
        let mut each =
            |place, request: &Request, outcome| heard.push((place, request.spi.0, matches!(outcome, Outcome::Done)));
        queue.flush(&mut sadb, &mut each);
        queue.flush(&mut sadb, &mut each);
        assert_eq!(heard, [(1299, 299, true), (1300, 300, false), (1301, 301, true)]);
        assert_eq!(sadb.sizes, [3]);
    }

    #[test]
    fn queue_is_full_at_the_maximum_batch() {
        let sadb = Batching::default();
        let mut queue = Queue::default();
        let taken = (1000..2000).take_while(|spi| !queue.is_full() && queue.offer(*spi, add(*spi), &sadb).is_none());
        assert_eq!(taken.count(), 128);
    }
}
