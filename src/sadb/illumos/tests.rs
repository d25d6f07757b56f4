//! The programs' promises above a model that answers as the kernel does, silent failures to pair included.

use std::collections::VecDeque;
use std::io;

use super::*;
use crate::model::Settings;
use crate::names::diagnostics::{PAIR_ALREADY, PAIR_INAPPROPRIATE, SA_NOTFOUND};
use crate::names::errnos::{EEXIST, EINVAL, ENOMEM, ESRCH};
use crate::sa::{AddressInfo, EncrAlg, Endpoint, Extension, Flags, Lifetime, LifetimeKind, MessageType, SaState, Spi};
use crate::sadb::pfkey::embedded::Embedded;
use crate::secret::{Buffer, Key};
use crate::sys::time::Deadline;

const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

/// The kernel's model, with the types of the messages that it was sent, and errnos to answer with instead of asking it.
struct Kernel {
    model: Embedded,
    sent: Vec<u8>,
    /// Errno and diagnostic code of the next replies.
    refusals: VecDeque<(u8, u8)>,
    replies: VecDeque<Vec<u8>>,
}

impl Transport for Kernel {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.sent.push(message[1]);
        let Some((errno, diagnostic)) = self.refusals.pop_front() else { return self.model.send(message) };
        // A refusal is the header of the request, with errno and diagnostic code (keysock_error in keysock.c).
        let mut reply = message[..16].to_vec();
        (reply[2], reply[6]) = (errno, diagnostic);
        reply[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        self.replies.push_back(reply);
        Ok(())
    }

    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>> {
        match self.replies.pop_front() {
            Some(reply) => Ok(Some(Buffer::from_slice(&reply))),
            None => self.model.receive(deadline),
        }
    }
}

fn kernel(local: &[&str]) -> Illumos<Kernel> {
    let local = local.iter().map(|addr| addr.parse().unwrap()).collect();
    let model = Embedded::new(Settings { local, ..Settings::default() });
    Illumos::new(Kernel { model, sent: Vec::new(), refusals: VecDeque::new(), replies: VecDeque::new() })
}

fn esp(spi: u32, src: &str, dst: &str, flags: Flags) -> Request {
    let end = |addr: &str| Some(Endpoint { addr: addr.parse().unwrap(), port: 0, proto: 0 });
    Request {
        sa_type: SaType::ESP,
        spi: Spi(spi),
        state: SaState::MATURE,
        src: end(src),
        dst: end(dst),
        flags,
        encr_alg: EncrAlg(12),
        encr_key: Some(Key::from_slice(&[7; 16], 128, 0)),
        ..Request::default()
    }
}

fn inbound(spi: u32) -> Request {
    esp(spi, THERE, HERE, Flags::INBOUND)
}

fn outbound(spi: u32) -> Request {
    esp(spi, HERE, THERE, Flags::OUTBOUND)
}

fn with_pair(request: Request, spi: u32) -> Request {
    Request { pair_spi: Some(Spi(spi)), ..request }
}

/// As an `update` command has it: without keys.
fn update_of(request: Request) -> Request {
    Request { encr_key: None, encr_alg: EncrAlg::NULL, ..request }
}

fn code<T>(result: Result<T, SadbError>) -> (i32, u16) {
    match result {
        Ok(_) => (0, 0),
        Err(SadbError::Refused { errno, diagnostic, .. }) => (errno, diagnostic.0),
        Err(error) => panic!("{error}"),
    }
}

const fn refusal(errno: u8, diagnostic: DiagnosticCode) -> (i32, u16) {
    (errno as i32, diagnostic.0)
}

fn pair_of(sadb: &mut Illumos<Kernel>, request: &Request) -> Option<u32> {
    let message = sadb.get(request).unwrap();
    message.extensions.iter().find_map(|extension| match extension {
        Extension::Pair(spi) => Some(spi.0),
        _ => None,
    })
}

/// Messages that change the SADB, since the last call.
fn changes(sadb: &mut Illumos<Kernel>) -> Vec<u8> {
    const GET: u8 = 5;
    std::mem::take(&mut sadb.kernel.transport.sent).into_iter().filter(|kind| *kind != GET).collect()
}

/// 0x2001 in and 0x2002 out, paired.
fn paired(sadb: &mut Illumos<Kernel>) {
    sadb.add(&inbound(0x2001)).unwrap();
    sadb.add(&with_pair(outbound(0x2002), 0x2001)).unwrap();
    changes(sadb);
}

#[test]
fn add_with_a_pair_that_the_kernel_silently_refused_fails_and_leaves_no_sa() {
    let mut sadb = kernel(&[HERE]);
    paired(&mut sadb);
    let third = with_pair(outbound(0x2003), 0x2001);
    assert_eq!(code(sadb.add(&third)), refusal(EINVAL, PAIR_ALREADY));
    assert_eq!(code(sadb.get(&third)), refusal(ESRCH, SA_NOTFOUND));
    assert_eq!(pair_of(&mut sadb, &inbound(0x2001)), Some(0x2002));
    assert_eq!(pair_of(&mut sadb, &outbound(0x2002)), Some(0x2001));
}

#[test]
fn add_with_a_pair_removes_the_dead_sa_of_a_refused_pairing() {
    let mut sadb = kernel(&[HERE]);
    assert_eq!(code(sadb.add(&with_pair(outbound(0x2002), 0x2001))), refusal(EINVAL, PAIR_INAPPROPRIATE));
    // The corrected file.
    sadb.add(&inbound(0x2001)).unwrap();
    sadb.add(&with_pair(outbound(0x2002), 0x2001)).unwrap();
    assert_eq!(pair_of(&mut sadb, &inbound(0x2001)), Some(0x2002));
}

#[test]
fn add_with_a_pair_does_not_remove_an_sa_that_was_there() {
    let mut sadb = kernel(&[]);
    sadb.add(&outbound(0x2002)).unwrap();
    // Without a direction it would be in both tables, which is refused before the SA with the same identity is noticed.
    let both = with_pair(esp(0x2002, HERE, THERE, Flags::default()), 0x2001);
    assert_eq!(code(sadb.add(&both)), refusal(EINVAL, PAIR_INAPPROPRIATE));
    assert_eq!(code(sadb.add(&outbound(0x2002))), refusal(EEXIST, DiagnosticCode(0)));
}

#[test]
fn update_with_the_pair_that_is_there_sends_nothing() {
    let mut sadb = kernel(&[HERE]);
    paired(&mut sadb);
    for _ in 0..2 {
        sadb.update(&with_pair(update_of(inbound(0x2001)), 0x2002), PairScope::One).unwrap();
    }
    assert!(changes(&mut sadb).is_empty());
    assert_eq!(pair_of(&mut sadb, &inbound(0x2001)), Some(0x2002));
    assert_eq!(pair_of(&mut sadb, &outbound(0x2002)), Some(0x2001));
}

#[test]
fn update_with_the_pair_that_is_there_changes_limits_only() {
    let mut sadb = kernel(&[HERE]);
    paired(&mut sadb);
    let hard = Some(Lifetime { addtime: 3600, ..Lifetime::default() }).into();
    let request = Request { hard, ..with_pair(update_of(inbound(0x2001)), 0x2002) };
    for (reach, both) in [(PairScope::One, None), (PairScope::Pair, Some(3600))] {
        sadb.update(&request, reach).unwrap();
        let limit = |sa: &Message| sa.lifetime(LifetimeKind::Hard).map(|hard| hard.addtime);
        assert_eq!(limit(&sadb.get(&inbound(0x2001)).unwrap()), Some(3600));
        assert_eq!(limit(&sadb.get(&outbound(0x2002)).unwrap()), both);
        assert_eq!(pair_of(&mut sadb, &outbound(0x2002)), Some(0x2001));
        assert_eq!(pair_of(&mut sadb, &inbound(0x2001)), Some(0x2002));
    }
}

#[test]
fn update_repairs_a_pair_that_is_broken_on_one_side() {
    for named in [inbound(0x2001), outbound(0x2002)] {
        let mut sadb = kernel(&[HERE]);
        paired(&mut sadb);
        // What the kernel makes of a pairing that is repeated; sent past this backend.
        let _ = sadb.kernel.update(&with_pair(update_of(inbound(0x2001)), 0x2002), PairScope::One);
        let other = if named.spi == Spi(0x2001) { 0x2002 } else { 0x2001 };
        sadb.update(&with_pair(update_of(named), other), PairScope::One).unwrap();
        assert_eq!(pair_of(&mut sadb, &inbound(0x2001)), Some(0x2002));
        assert_eq!(pair_of(&mut sadb, &outbound(0x2002)), Some(0x2001));
    }
}

#[test]
fn update_refuses_a_pair_of_paired_missing_and_double_sas() {
    let mut sadb = kernel(&[HERE]);
    paired(&mut sadb);
    sadb.add(&inbound(0x2005)).unwrap();
    sadb.add(&outbound(0x2006)).unwrap();
    sadb.add(&esp(0x2007, HERE, THERE, Flags::INBOUND | Flags::OUTBOUND)).unwrap();
    changes(&mut sadb);
    for (request, expected) in [
        // The peer is already paired, or the SA itself.
        (with_pair(inbound(0x2005), 0x2002), refusal(EINVAL, PAIR_ALREADY)),
        (with_pair(inbound(0x2001), 0x2006), refusal(EINVAL, PAIR_ALREADY)),
        // No such peer, the SA itself, and one in both tables.
        (with_pair(inbound(0x2005), 0x2999), refusal(EINVAL, PAIR_INAPPROPRIATE)),
        (with_pair(inbound(0x2005), 0x2005), refusal(EINVAL, PAIR_INAPPROPRIATE)),
        (with_pair(inbound(0x2005), 0x2007), refusal(EINVAL, PAIR_INAPPROPRIATE)),
        // No such SA.
        (with_pair(inbound(0x2998), 0x2006), refusal(ESRCH, SA_NOTFOUND)),
    ] {
        assert_eq!(code(sadb.update(&update_of(request), PairScope::One)), expected);
    }
    assert!(changes(&mut sadb).is_empty());
    sadb.update(&with_pair(update_of(inbound(0x2005)), 0x2006), PairScope::Pair).unwrap();
    assert_eq!(pair_of(&mut sadb, &outbound(0x2006)), Some(0x2005));
}

#[test]
fn update_pair_and_delete_pair_of_an_sa_without_a_pair_are_done() {
    let mut sadb = kernel(&[HERE]);
    sadb.add(&inbound(0x2001)).unwrap();
    let hard = Some(Lifetime { addtime: 3600, ..Lifetime::default() }).into();
    sadb.update(&Request { hard, ..update_of(inbound(0x2001)) }, PairScope::Pair).unwrap();
    assert_eq!(sadb.get(&inbound(0x2001)).unwrap().lifetime(LifetimeKind::Hard).unwrap().addtime, 3600);
    sadb.delete(&inbound(0x2001), PairScope::Pair).unwrap();
    assert_eq!(code(sadb.get(&inbound(0x2001))), refusal(ESRCH, SA_NOTFOUND));
    // A missing SA is still an error.
    assert_eq!(code(sadb.delete(&inbound(0x2001), PairScope::Pair)), refusal(ESRCH, SA_NOTFOUND));
    assert_eq!(code(sadb.update(&update_of(inbound(0x2001)), PairScope::Pair)), refusal(ESRCH, SA_NOTFOUND));
}

#[test]
fn add_refuses_a_combined_cipher_in_both_tables() {
    let gcm = |src, dst, flags| Request {
        encr_alg: EncrAlg(20),
        encr_key: Some(Key::from_slice(&[7; 20], 160, 0)),
        ..esp(0x800, src, dst, flags)
    };
    let both = Flags::INBOUND | Flags::OUTBOUND;
    let refused = [
        (&[][..], gcm(HERE, THERE, Flags::default())),
        (&[], gcm(HERE, THERE, both)),
        (&[HERE], gcm(HERE, THERE, both)),
        (&[HERE, THERE], gcm(HERE, THERE, Flags::default())),
        (&[HERE], gcm(HERE, "224.0.0.5", Flags::default())),
        (&[HERE], gcm("0.0.0.0", HERE, Flags::default())),
    ];
    for (local, request) in refused {
        let mut sadb = kernel(local);
        let error = sadb.add(&request).unwrap_err();
        assert!(matches!(&error, SadbError::Unsupported(text) if text.contains("`inbound` or `outbound`")), "{error}");
        assert!(changes(&mut sadb).is_empty());
    }
    let accepted = [
        (&[][..], gcm(HERE, THERE, Flags::OUTBOUND)),
        (&[], gcm(HERE, "224.0.0.5", Flags::INBOUND)),
        (&[HERE], gcm(HERE, THERE, Flags::default())),
        (&[HERE], gcm(THERE, HERE, Flags::default())),
    ];
    for (local, request) in accepted {
        kernel(local).add(&request).unwrap();
    }
}

/// As another program may have added it, past this backend.
fn add_by_another_program(sadb: &mut Illumos<Kernel>, request: &Request) {
    sadb.other_program().add(request).unwrap();
    changes(sadb);
}

fn gcm(spi: u32, src: &str, dst: &str, flags: Flags) -> Request {
    let encr_key = Some(Key::from_slice(&[7; 20], 160, 0));
    Request { encr_alg: EncrAlg(20), encr_key, ..esp(spi, src, dst, flags) }
}

fn spis(sadb: &mut Illumos<Kernel>) -> Vec<u32> {
    let mut spis = Vec::new();
    let mut each = |message: &Message| {
        spis.extend(message.association().map(|sa| sa.spi.0));
        ControlFlow::Continue(())
    };
    sadb.dump(SaType::UNSPEC, &mut each).unwrap();
    spis.sort_unstable();
    spis
}

#[test]
fn flush_except_leaves_a_combined_cipher_in_both_tables_and_says_why() {
    let any = "0.0.0.0";
    for (local, both, single) in [
        (&[][..], gcm(0x800, HERE, THERE, Flags::default()), gcm(0x801, HERE, THERE, Flags::OUTBOUND)),
        (&[HERE], gcm(0x800, HERE, "224.0.0.5", Flags::default()), gcm(0x801, THERE, HERE, Flags::INBOUND)),
        // These have the flags of inbound SAs only.
        (&[HERE], gcm(0x800, any, HERE, Flags::default()), gcm(0x801, any, HERE, Flags::INBOUND)),
        (&[HERE], gcm(0x800, HERE, HERE, Flags::default()), gcm(0x801, HERE, HERE, Flags::INBOUND)),
    ] {
        let mut sadb = kernel(local);
        for request in [&both, &single, &outbound(0x2002)] {
            add_by_another_program(&mut sadb, request);
        }
        sadb.flush_except(SaType::UNSPEC, &mut |_| false).unwrap();
        assert_eq!(spis(&mut sadb), [0x800]);
        let warnings = sadb.take_warnings();
        assert!(warnings.len() == 1 && warnings[0].contains("0x800") && warnings[0].contains("salt twice"), "{warnings:?}");
    }
}

#[test]
fn delete_each_leaves_a_combined_cipher_in_both_tables_and_other_sas() {
    let mut sadb = kernel(&[]);
    for request in [gcm(0x800, HERE, THERE, Flags::default()), gcm(0x801, HERE, THERE, Flags::OUTBOUND)] {
        add_by_another_program(&mut sadb, &request);
    }
    (0x2002..0x2005).for_each(|spi| sadb.add(&outbound(spi)).unwrap());
    changes(&mut sadb);
    sadb.delete_each(SaType::UNSPEC, &mut |message| message.association().unwrap().spi != Spi(0x2003)).unwrap();
    assert_eq!(spis(&mut sadb), [0x800, 0x2003]);
    assert!(sadb.take_warnings()[0].contains("0x800"));
    let sent = changes(&mut sadb);
    assert!(!sent.contains(&9), "no FLUSH: {sent:?}");
}

#[test]
fn flush_except_flushes_if_every_sa_can_be_removed() {
    const FLUSH: u8 = 9;
    let mut sadb = kernel(&[HERE]);
    sadb.add(&gcm(0x801, HERE, THERE, Flags::OUTBOUND)).unwrap();
    sadb.add(&outbound(0x2002)).unwrap();
    // An SA of another cipher in both tables has no salt.
    sadb.add(&esp(0x2003, HERE, "224.0.0.5", Flags::default())).unwrap();
    sadb.flush_except(SaType::UNSPEC, &mut |message| message.association().unwrap().spi == Spi(0x2002)).unwrap();
    assert_eq!(spis(&mut sadb), [0x2002]);
    changes(&mut sadb);
    sadb.flush_except(SaType::UNSPEC, &mut |_| false).unwrap();
    assert!(changes(&mut sadb).contains(&FLUSH) && spis(&mut sadb).is_empty() && sadb.take_warnings().is_empty());
}

#[test]
fn flush_and_dump_are_retried_while_another_one_is_carried_out() {
    let mut sadb = kernel(&[HERE]);
    sadb.add(&inbound(0x2001)).unwrap();
    sadb.kernel.transport.refusals = [(ENOMEM, 0), (ENOMEM, 0)].into();
    let mut count = 0;
    let mut each = |_: &Message| {
        count += 1;
        ControlFlow::Continue(())
    };
    sadb.dump(SaType::UNSPEC, &mut each).unwrap();
    assert_eq!(count, 1);
    sadb.kernel.transport.refusals = [(ENOMEM, 0), (ENOMEM, 0)].into();
    sadb.flush(SaType::UNSPEC).unwrap();
    assert_eq!(code(sadb.get(&inbound(0x2001))), refusal(ESRCH, SA_NOTFOUND));
    // Not for ever, and not after another error.
    sadb.kernel.transport.refusals = [(ENOMEM, 0); 9].into();
    assert_eq!(code(sadb.flush(SaType::UNSPEC)), (ENOMEM.into(), 0));
    sadb.kernel.transport.refusals = [(EINVAL, 4)].into();
    assert_eq!(code(sadb.flush(SaType::UNSPEC)), (EINVAL.into(), 4));
}

#[test]
fn natt_addresses_of_ipv6_sas_are_ipv4() {
    let described = |family, addr: &str| {
        let info = AddressInfo { proto: 17, prefix_len: 0, family, addr: Some(addr.parse().unwrap()), port: 4500 };
        let message = Message {
            extensions: vec![
                Extension::Address(AddressRole::Source, info),
                Extension::Address(AddressRole::NattLocal, info),
            ],
            version: 2,
            kind: MessageType::GET,
            errno: 0,
            diagnostic: DiagnosticCode(0),
            sa_type: SaType::ESP,
            byte_len: 0,
            seq: 1,
            pid: 1,
        };
        let message = with_ipv4_natt(message);
        [AddressRole::Source, AddressRole::NattLocal].map(|role| message.address(role).unwrap().addr.unwrap().to_string())
    };
    // As the kernel's own code answered, with the remote address behind the local one.
    assert_eq!(described(26, "c633:6401:c633:6402::"), ["c633:6401:c633:6402::", "198.51.100.1"]);
    assert_eq!(described(2, "198.51.100.1"), ["198.51.100.1", "198.51.100.1"]);
}
