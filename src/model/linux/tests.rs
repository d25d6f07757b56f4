use super::LinuxModel;
use super::kernel::Kernel;
use crate::sa::{Masked, XfrmFlags};
use crate::secret::Key;
use crate::wire::xfrm::attribute::{Algorithm, Encap, ReplayState, ReplayStateEsn};
use crate::wire::xfrm::number::{GROUP_EXPIRE, GROUP_SA, attr, flag, kind};
use crate::wire::xfrm::{Attribute, Body, EventId, NetlinkHeader, NetlinkMessage, SaInfo, UserSaId, encode, messages};

const IPV4: u16 = 2;
const IPV6: u16 = 10;

fn esp(spi: u32) -> SaInfo {
    SaInfo { spi, proto: 50, family: IPV4, dst: [10, 0, 0, 2].into_ip(), ..SaInfo::default() }
}

trait IntoRaw {
    fn into_ip(self) -> crate::wire::xfrm::fixed::RawAddress;
}

impl IntoRaw for [u8; 4] {
    fn into_ip(self) -> crate::wire::xfrm::fixed::RawAddress {
        std::net::IpAddr::from(self).into()
    }
}

fn algorithm(name: &'static str, bits: u16, icv_bits: u32) -> Algorithm {
    Algorithm { name: name.into(), icv_bits, key: Key::from_slice(&vec![7; usize::from(bits) / 8], bits, 0) }
}

fn aes() -> Attribute {
    Attribute::Crypt(algorithm("cbc(aes)", 128, 0))
}

fn id(spi: u32) -> UserSaId {
    UserSaId { dst: [10, 0, 0, 2].into_ip(), spi, family: IPV4, proto: 50 }
}

fn mark(value: u32, mask: u32) -> Attribute {
    Attribute::Mark(Masked { value, mask })
}

/// The values of a request to add an SA.
type Given = (SaInfo, Vec<Attribute>);

/// A kernel and a socket of it.
struct Bench {
    kernel: Kernel,
    port: u32,
}

impl Bench {
    fn new() -> Self {
        let mut kernel = Kernel::default();
        let port = kernel.open(0);
        Self { kernel, port }
    }

    fn send(&mut self, kind: u16, flags: u16, body: &Body) -> Vec<NetlinkMessage> {
        let header = NetlinkHeader { kind, flags: flag::REQUEST | flags, seq: 9, port: self.port };
        self.kernel.handle(self.port, &encode(header, body).unwrap());
        self.read(self.port)
    }

    fn read(&mut self, port: u32) -> Vec<NetlinkMessage> {
        let datagrams: Vec<_> = std::iter::from_fn(|| self.kernel.read(port)).collect();
        datagrams.iter().flat_map(|datagram| messages(datagram).map(Result::unwrap).collect::<Vec<_>>()).collect()
    }

    /// Errno and text of the acknowledgement.
    fn outcome(&mut self, kind: u16, body: &Body) -> (i32, String) {
        let replies = self.send(kind, flag::ACK, body);
        let mut refusals = replies.into_iter().filter_map(|reply| match reply.body {
            Body::Error(refusal) => Some((refusal.errno, refusal.text.unwrap_or_default())),
            _ => None,
        });
        refusals.next_back().expect("an acknowledgement")
    }

    fn add(&mut self, info: SaInfo, attributes: Vec<Attribute>) -> (i32, String) {
        self.outcome(kind::NEWSA, &Body::Sa(Box::new(info), attributes))
    }

    fn dumped(&mut self) -> Vec<u32> {
        let messages = self.send(kind::GETSA, flag::DUMP, &Body::Dump(Vec::new()));
        assert!(matches!(messages.last().unwrap().body, Body::Done(0)));
        let spis = messages.iter().filter_map(|message| match &message.body {
            Body::Sa(info, _) => Some(info.spi),
            _ => None,
        });
        spis.collect()
    }
}

fn done() -> (i32, String) {
    (0, String::new())
}

/// Errno 17 is EEXIST, 3 ESRCH.
#[test]
fn an_sa_is_identified_by_its_mark_too() {
    let mut bench = Bench::new();
    assert_eq!(bench.add(esp(1), vec![aes(), mark(5, 0xff)]), done());
    assert_eq!(bench.add(esp(1), vec![aes(), mark(6, 0xff)]), done());
    assert_eq!(bench.add(esp(1), vec![aes(), mark(0x105, 0xffff)]).0, 17, "the first SA matches 0x105");
    let delete = |attributes| Body::SaId(id(1), attributes);
    assert_eq!(bench.outcome(kind::DELSA, &delete(Vec::new())).0, 3);
    assert_eq!(bench.outcome(kind::DELSA, &delete(vec![mark(5, 0xff)])), done());
    assert_eq!(bench.add(esp(1), vec![aes(), mark(0x105, 0xffff)]), done());
}

#[test]
fn a_dump_lists_the_newest_sa_first_and_flush_removes_a_protocol() {
    let mut bench = Bench::new();
    for spi in 1..=3 {
        assert_eq!(bench.add(esp(spi), vec![aes()]), done());
    }
    let ah = SaInfo { proto: 51, ..esp(4) };
    assert_eq!(bench.add(ah, vec![Attribute::AuthTrunc(algorithm("hmac(sha1)", 160, 96))]), done());
    assert_eq!(bench.dumped(), [4, 3, 2, 1]);
    assert_eq!(bench.outcome(kind::FLUSHSA, &Body::Flush(51)), done());
    assert_eq!(bench.dumped(), [3, 2, 1]);
    assert_eq!(bench.outcome(kind::FLUSHSA, &Body::Flush(0)), done());
    assert!(bench.dumped().is_empty());
}

/// The texts that Linux 6.1 and 6.12 gave to raw requests.
#[test]
fn refusals_have_the_texts_of_the_kernel() {
    let esn = |window, words, info: SaInfo| {
        let replay = ReplayStateEsn { window, bitmap: vec![0; words], ..ReplayStateEsn::default() };
        (SaInfo { flags: XfrmFlags::ESN.0 as u8, ..info }, vec![aes(), Attribute::ReplayEsn(replay)])
    };
    let encap = |kind| Attribute::Encap(Encap { kind, ..Encap::default() });
    let gcm = || Attribute::Aead(algorithm("rfc4106(gcm(aes))", 128, 128));
    let mut long = esp(1);
    (long.selector.family, long.selector.dst_prefix) = (IPV4, 33);
    let mut other = esp(1);
    other.selector.family = IPV6;
    let out = |info, rest: Vec<Attribute>| (info, rest.into_iter().chain([aes(), Attribute::Direction(2)]).collect());
    let sha = || Attribute::AuthTrunc(algorithm("hmac(sha256)", 256, 128));
    let rows: Vec<(Given, i32, &str)> = vec![
        ((SaInfo { family: 7, ..esp(1) }, vec![aes()]), 22, "Invalid address family"),
        ((long, vec![aes()]), 22, "Invalid prefix length in selector (must be <= 32 for IPv4)"),
        ((SaInfo { proto: 9, ..esp(1) }, vec![aes()]), 22, "Unsupported protocol"),
        ((SaInfo { mode: 3, ..esp(1) }, vec![aes()]), 22, "Unsupported mode"),
        ((esp(1), vec![]), 22, "Missing required attribute for ESP: at least one of AUTH, AUTH_TRUNC, CRYPT, AEAD"),
        ((esp(1), vec![sha()]), 22, "ESP: AEAD or CRYPT must be provided"),
        ((esp(1), vec![aes(), Attribute::Word(attr::TFCPAD, 9)]), 22, "TFC padding can only be used in tunnel mode"),
        ((esp(1), vec![aes(), encap(1)]), 22, "Unsupported encapsulation type for ESP"),
        ((SaInfo { proto: 51, ..esp(1) }, vec![sha(), encap(2)]), 22, "AH is not compatible with encapsulation"),
        ((esp(1), vec![Attribute::Crypt(algorithm("cbc(none)", 64, 0))]), 38, "Requested CRYPT algorithm not found"),
        ((esp(1), vec![gcm()]), 22, "Kernel was unable to initialize cryptographic operations"),
        ((other, vec![aes()]), 93, "Only tunnel modes can accommodate a change of family"),
        (esn(0, 1, esp(1)), 22, "ESN replay window must be > 0"),
        (esn(64, 1, esp(1)), 22, "ESN replay window is too large for the chosen bitmap size"),
        (esn(32, 129, esp(1)), 22, "ESN bitmap length must be <= 128"),
        (esn(32, 1, SaInfo { replay_window: 32, ..esp(1) }), 22, "ESN not compatible with legacy replay_window"),
        ((SaInfo { flags: 128, ..esp(1) }, vec![aes()]), 22, "Missing required attribute for ESN"),
        (out(SaInfo { replay_window: 32, ..esp(1) }, vec![]), 22, "Replay window should be 0 for output SA"),
        (out(SaInfo { flags: 2, ..esp(1) }, vec![]), 22, "Flag DECAP_DSCP should not be set for output SA"),
    ];
    for ((info, attributes), errno, text) in rows {
        assert_eq!(Bench::new().add(info, attributes), (errno, text.to_owned()));
    }
}

#[test]
fn an_update_changes_what_the_kernel_changes() {
    let mut bench = Bench::new();
    assert_eq!(bench.add(SaInfo { reqid: 4, ..esp(1) }, vec![aes(), Attribute::Word(attr::IF_ID, 3)]), done());
    let mut info = SaInfo { reqid: 5, ..esp(1) };
    info.limits.add = (10, 20);
    let update = Body::Sa(Box::new(info), vec![aes(), Attribute::Word(attr::IF_ID, 7)]);
    assert_eq!(bench.outcome(kind::UPDSA, &update), done());
    let encap = Attribute::Encap(Encap { kind: 2, ..Encap::default() });
    assert_eq!(bench.outcome(kind::UPDSA, &Body::Sa(Box::new(info), vec![aes(), encap])).0, 22);
    assert_eq!(bench.outcome(kind::UPDSA, &Body::Sa(Box::new(esp(2)), vec![aes()])).0, 3);
    let counters = |flags| {
        let event = EventId { id: id(1), ..EventId::default() };
        let record = Attribute::Replay(ReplayState { sent: 77, ..ReplayState::default() });
        (flags, Body::Event(event, vec![record]))
    };
    for (flags, body) in [counters(flag::ACK), counters(flag::ACK | flag::REPLACE)] {
        let replies = bench.send(kind::NEWAE, flags, &body);
        let Body::Error(refusal) = &replies[0].body else { panic!("an acknowledgement") };
        assert_eq!(refusal.errno == 0, flags & flag::REPLACE != 0);
    }
    let replies = bench.send(kind::GETSA, 0, &Body::SaId(id(1), Vec::new()));
    let Body::Sa(found, attributes) = &replies[0].body else { panic!("an SA") };
    assert_eq!((found.reqid, found.limits.add, found.selector.family), (4, (10, 20), IPV4));
    assert!(attributes.iter().any(|attribute| matches!(attribute, Attribute::Word(attr::IF_ID, 7))));
    assert!(attributes.iter().any(|attribute| matches!(attribute, Attribute::Replay(replay) if replay.sent == 77)));
}

#[test]
fn lifetimes_expire_with_the_events_of_the_kernel() {
    let mut bench = Bench::new();
    let listener = bench.kernel.open(GROUP_EXPIRE | GROUP_SA);
    let mut info = esp(1);
    info.limits.add = (10, 20);
    assert_eq!(bench.add(info, vec![aes()]), done());
    let added = bench.read(listener);
    let Body::Sa(info, _) = &added[0].body else { panic!("an SA") };
    let start = info.current.add_time;
    let mut expiries = |after: u64| {
        bench.kernel.tick(start + after);
        let events = bench.read(listener);
        let hard = events.iter().map(|event| matches!(event.body, Body::Expire(_, true, _)));
        (hard.collect::<Vec<_>>(), bench.dumped().len())
    };
    assert_eq!(expiries(9), (vec![], 1));
    assert_eq!(expiries(10), (vec![false], 1));
    assert_eq!(expiries(19), (vec![], 1));
    assert_eq!(expiries(20), (vec![true], 0));
}

#[test]
fn an_interface_of_another_host_has_an_index_and_a_name() {
    let model = LinuxModel::default();
    let index = model.interface_index("other0");
    assert_eq!((model.interface_index("other0"), model.interface_name(index)), (index, Some("other0".into())));
    assert_ne!(model.interface_index("other1"), index);
    assert_eq!(model.interface_name(u32::MAX), None);
}
