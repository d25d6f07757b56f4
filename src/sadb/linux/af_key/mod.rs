//! The PF_KEY of Linux (`net/key/af_key.c`). It silently drops extensions that it does not support, and describes SAs
//! differently from illumos. `check` refuses requests that would lose something; `shape` normalizes the descriptions.

mod check;
mod shape;

pub(in crate::sadb) use check::check_add;

use std::ops::ControlFlow;

use nix::errno::Errno;

use crate::sa::{AuthAlg, Extension, Message, MessageType, Request, SaType};
use crate::sadb::linux::errors::{RequestContext, algorithms_of, explained};
use crate::sadb::linux::xfrm::{LISTED, Xfrm};
use crate::sadb::retry::{LOADING, RetryBudget};
use crate::sadb::warnings::WarningLog;
use crate::sadb::{MonitorMode, PairScope, PfKey, Sadb, SadbError, Spd, Supported, Trace, Transport, Visitor};
use crate::sys::net::interfaces::clear_address_cache;
use crate::wire::pfkey::Dialect;

/// HMAC-SHA-256: af_key truncates its ICV to 96 bits, RFC 4868 to 128.
const SHA256: AuthAlg = AuthAlg(5);

/// A client of Linux PF_KEY.
pub(crate) struct AfKey<T> {
    kernel: PfKey<T>,
    is_traced: bool,
    warnings: WarningLog,
    retry_budget: RetryBudget,
    /// For the policies, which are the same for both interfaces. Opened when they are asked for.
    xfrm: Option<Xfrm>,
}

impl<T: Transport> AfKey<T> {
    pub(crate) fn new(transport: T) -> Self {
        let (kernel, retry_budget) = (PfKey::new(transport, &Dialect::LINUX), RetryBudget::new(LOADING));
        Self { kernel, is_traced: false, warnings: WarningLog::default(), retry_budget, xfrm: None }
    }

    /// Warns about differences between a request and its SA.
    fn warn(&mut self, request: &Request) {
        warnings_about(request).for_each(|text| self.warnings.warn(text));
    }
}

/// Differences between a request and its SA.
fn warnings_about(request: &Request) -> impl Iterator<Item = &'static str> {
    let sha256 = (request.auth_alg == SHA256).then_some(
        "sha256: Linux PF_KEY truncates the ICV to 96 bits instead of 128 (RFC 4868), so most peers reject the packets: use \
         --sadb xfrm",
    );
    let has_direction = check::has_direction(request) && !check::has_natt(request);
    let direction = has_direction.then_some("inbound, outbound: Linux PF_KEY does not store the direction");
    sha256.into_iter().chain(direction)
}

/// Adds a remedy to a refusal.
fn refused(error: SadbError, request: &Request) -> SadbError {
    let is_ipv6 = request.dst.is_some_and(|dst| dst.addr.is_ipv6());
    explained(
        error,
        &RequestContext {
            sa_type: request.sa_type,
            is_ipv6,
            algorithms: algorithms_of(request),
            ..RequestContext::default()
        },
    )
}

impl<T: Transport> Sadb for AfKey<T> {
    fn add(&mut self, request: &Request) -> Result<(), SadbError> {
        check::check_add(request)?;
        let mut added = self.kernel.add(request);
        while added.as_ref().is_err_and(|error| self.retry_budget.should_retry(error)) {
            added = self.kernel.add(request);
        }
        added.map_err(|error| refused(error, request))?;
        self.warn(request);
        Ok(())
    }

    /// Requests without a new warning, which is reported at its own line. Traced requests are sent one by one, so that each is
    /// shown before its error.
    fn batches(&self, request: &Request) -> bool {
        !self.is_traced && warnings_about(request).all(|text| self.warnings.has_issued(text))
    }

    fn add_all(&mut self, requests: &[&Request]) -> Vec<Result<(), SadbError>> {
        let checked: Vec<_> = requests.iter().map(|request| check::check_add(request)).collect();
        let good = requests.iter().zip(&checked).filter(|(_, checked)| checked.is_ok()).map(|(request, _)| *request);
        let mut added = self.kernel.add_all(&good.collect::<Vec<_>>()).into_iter();
        let mut outcome = |request, checked: Result<(), SadbError>| {
            checked?;
            match added.next().unwrap_or(Err(SadbError::OutcomeUnknown)) {
                Ok(()) => self.warn(request),
                Err(error) if self.retry_budget.should_retry(&error) => return self.add(request),
                Err(error) => return Err(refused(error, request)),
            }
            Ok(())
        };
        requests.iter().zip(checked).map(|(request, checked)| outcome(request, checked)).collect()
    }

    fn update(&mut self, request: &Request, scope: PairScope) -> Result<(), SadbError> {
        check::check_update(request, scope)?;
        // SADB_UPDATE replaces all lifetimes and validates a whole SA, so the present one is read first.
        let live = self.kernel.get(request).map_err(|error| refused(error, request))?;
        let whole = shape::with_lifetimes(request, live);
        self.kernel.update(&whole, scope).map_err(|error| refused(error, request))
    }

    fn delete(&mut self, request: &Request, scope: PairScope) -> Result<(), SadbError> {
        check::refuse_pair(scope)?;
        self.kernel.delete(request, scope).map_err(|error| refused(error, request))
    }

    fn get(&mut self, request: &Request) -> Result<Message, SadbError> {
        let message = self.kernel.get(request).map_err(|error| refused(error, request))?;
        Ok(shape::normalize(message))
    }

    /// One request for each type: SADB_SATYPE_UNSPEC would remove IPComp as well (`pfkey_satype2proto`).
    fn flush(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        let mut types = LISTED.into_iter().filter(|listed| [SaType::UNSPEC, *listed].contains(&sa_type));
        types.try_for_each(|listed| self.kernel.flush(listed))
    }

    fn dump(&mut self, sa_type: SaType, each: Visitor<'_>) -> Result<(), SadbError> {
        clear_address_cache();
        match self.kernel.visit_dump(sa_type, &mut |message| {
            // As for XFRM: IPComp is not listed.
            if LISTED.contains(&message.sa_type) { each(&shape::normalize(message)) } else { ControlFlow::Continue(()) }
        }) {
            // The reply of an empty SAD (pfkey_dump).
            Err(SadbError::Refused { errno, .. }) if errno == Errno::ENOENT as i32 => Ok(()),
            done => done,
        }
    }

    fn spd(&mut self) -> Option<&mut dyn Spd> {
        // A kernel without NETLINK_XFRM has no interface for policies that this program uses.
        self.xfrm = self.xfrm.take().or_else(|| Xfrm::open().ok());
        self.xfrm.as_mut().map(|xfrm| xfrm as &mut dyn Spd)
    }

    /// Uses the broadcasts to all sockets. Promiscuous mode would add requests with keys, and every broadcast twice. EXPIRE goes to
    /// registered sockets only, so this one registers, for which the kernel may load modules for some seconds.
    fn monitor(&mut self, _mode: MonitorMode, each: Visitor<'_>) -> Result<(), SadbError> {
        self.kernel.supported()?;
        self.kernel.visit_messages(&mut |message| {
            // Replies to REGISTER go to all registered sockets.
            if message.kind == MessageType::REGISTER {
                return ControlFlow::Continue(());
            }
            let mut message = shape::normalize(message);
            message.extensions.retain(|extension| !matches!(extension, Extension::Key(..)));
            each(&message)
        })
    }

    fn supported(&mut self) -> Result<Supported, SadbError> {
        self.kernel.supported()
    }

    fn new_sequence(&mut self) {
        clear_address_cache();
        self.kernel.new_sequence();
    }

    fn set_trace(&mut self, trace: Trace) {
        self.is_traced = true;
        self.kernel.set_trace(trace);
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use super::*;
    use crate::sa::{Flags, SaState, Spi};
    use crate::secret::{Buffer, Key};
    use crate::sys::time::Deadline;
    use crate::wire::pfkey;

    /// A kernel with these SAs that grants every request. It refuses, or does not reply to, those with the listed SPIs.
    #[derive(Default)]
    struct Kernel {
        sas: Vec<Request>,
        refused: Vec<u32>,
        silent: Vec<u32>,
        answers: VecDeque<Vec<u8>>,
    }

    impl Kernel {
        /// A dump message with that sequence number.
        fn listed(sa: &Request, seq: u32) -> Vec<u8> {
            let message = pfkey::request(&Dialect::LINUX, MessageType::ADD, sa, seq, std::process::id()).expect("encodes");
            let mut bytes = message.to_vec();
            bytes[1] = MessageType::DUMP.0;
            bytes
        }
    }

    impl Transport for Kernel {
        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            if message[1] != MessageType::DUMP.0 {
                let spi = u32::from_be_bytes(message[20..24].try_into().expect("an SA extension"));
                let mut answer = message.to_vec();
                answer[2] = if self.refused.contains(&spi) { Errno::EEXIST as u8 } else { 0 };
                self.answers.extend((!self.silent.contains(&spi)).then_some(answer));
                return Ok(());
            }
            let count = self.sas.len();
            self.answers = (1..).zip(&self.sas).map(|(at, sa)| Self::listed(sa, at % count as u32)).collect();
            Ok(())
        }

        fn receive(&mut self, _deadline: &mut Deadline) -> io::Result<Option<Buffer>> {
            Ok(self.answers.pop_front().map(|bytes| Buffer::from_slice(&bytes)))
        }
    }

    fn ah(spi: u32, auth_alg: u16, key_len: usize) -> Request {
        let key = vec![7; key_len];
        Request {
            sa_type: SaType::AH,
            spi: Spi(spi),
            state: SaState::MATURE,
            auth_alg: AuthAlg(auth_alg),
            auth_key: Some(Key::from_slice(&key, (key_len * 8) as u16, 0)),
            dst: Some(crate::sa::Endpoint { addr: [10, 0, 0, 2].into(), port: 0, proto: 0 }),
            ..Request::default()
        }
    }

    #[test]
    fn add_warns_once_of_each_difference() {
        let mut sadb = AfKey::new(Kernel::default());
        sadb.add(&ah(0x100, 3, 20)).unwrap();
        assert!(sadb.take_warnings().is_empty());
        sadb.add(&Request { flags: Flags::INBOUND, ..ah(0x101, 5, 32) }).unwrap();
        sadb.add(&ah(0x102, 5, 32)).unwrap();
        let notes = sadb.take_warnings();
        assert!(matches!(&notes[..], [cut, way] if cut.contains("96 bits") && way.contains("direction")), "{notes:?}");
    }

    #[test]
    fn add_all_returns_each_outcome() {
        let mut sadb = AfKey::new(Kernel { refused: vec![0x141, 0x180], ..Kernel::default() });
        let mut requests: Vec<Request> = (0x100..0x1c8).map(|spi| ah(spi, 5, 32)).collect();
        requests.insert(7, Request { pair_spi: Some(Spi(9)), ..ah(0x99, 5, 32) });
        assert!(!sadb.batches(&requests[0]));
        let outcomes = sadb.add_all(&requests.iter().collect::<Vec<_>>());
        let refused: Vec<u32> = requests
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_err())
            .map(|(request, _)| request.spi.0)
            .collect();
        assert_eq!((outcomes.len(), refused), (201, vec![0x99, 0x141, 0x180]));
        assert!(matches!(&outcomes[0x41 + 1], Err(SadbError::Refused { errno: 17, .. })));
        assert_eq!(sadb.take_warnings().len(), 1);
        assert!(sadb.batches(&requests[0]));
    }

    #[test]
    fn add_all_times_out_for_a_lost_reply() {
        let mut sadb = AfKey::new(Kernel { silent: vec![0x102], ..Kernel::default() });
        let requests: Vec<Request> = (0x100..0x105).map(|spi| ah(spi, 3, 20)).collect();
        let outcomes = sadb.add_all(&requests.iter().collect::<Vec<_>>());
        assert!(matches!(&outcomes[..], [Ok(()), Ok(()), Err(SadbError::Timeout { .. }), Ok(()), Ok(())]));
    }

    #[test]
    fn batches_is_false_with_a_trace() {
        let mut sadb = AfKey::new(Kernel::default());
        sadb.set_trace(Box::new(|_| {}));
        assert!(!sadb.batches(&ah(0x100, 3, 20)));
    }

    #[test]
    fn dump_includes_the_last_message() {
        let sas = vec![ah(0x100, 3, 20), ah(0x101, 3, 20), ah(0x102, 3, 20)];
        let mut sadb = AfKey::new(Kernel { sas, ..Kernel::default() });
        let mut spis = Vec::new();
        sadb.dump(SaType::UNSPEC, &mut |message| {
            spis.extend(message.association().map(|sa| sa.spi.0));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(spis, [0x100, 0x101, 0x102]);
    }
}
