//! Warnings about commands that the illumos kernel refuses or changes, whatever SAs and addresses the host has. The numbers are those
//! of its diagnostic codes (`names::diagnostics`).

use std::net::{IpAddr, Ipv4Addr};

use crate::keyfile::command::SaCommand;
use crate::keyfile::diagnostics::Code;
use crate::names::algorithms;
use crate::names::keywords::Field;
use crate::names::verbs::Verb;
use crate::sa::{Endpoint, Flags, InnerEndpoint, Lifetime, Request, SaState, SaType};

/// The most seconds that the kernel takes off a soft addtime (`lifetime_fuzz` in sadb.c).
const LONGEST_FUZZ: u64 = 23;

/// The protocol numbers of IPv4 and IPv6 in IP (RFC 2003, RFC 2473).
const TUNNEL_PROTOS: (u8, u8) = (4, 41);

/// A kind of command that illumos refuses or changes.
pub(super) struct Rule {
    pub(super) code: Code,
    applies: fn(&SaCommand) -> bool,
    /// The warning is about the value of the first of these keywords that the command has.
    pub(super) fields: &'static [Field],
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

/// The rules that apply to `command`.
pub(super) fn rules(command: &SaCommand) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| (rule.applies)(command))
}

const fn both_tables(
    applies: fn(&SaCommand) -> bool,
    fields: &'static [Field],
    message: &'static str,
    help: &'static str,
) -> Rule {
    Rule { code: Code::BothTables, applies, fields, message, help }
}

const fn refuses(
    applies: fn(&SaCommand) -> bool,
    fields: &'static [Field],
    message: &'static str,
    help: &'static str,
) -> Rule {
    Rule { code: Code::IllumosRefuses, applies, fields, message, help }
}

const fn changes(
    applies: fn(&SaCommand) -> bool,
    fields: &'static [Field],
    message: &'static str,
    help: &'static str,
) -> Rule {
    Rule { code: Code::IllumosChanges, applies, fields, message, help }
}

const BELOW_SOFT: &str = "make the hard limit at least as large as the soft one";
const BELOW_IDLE: &str = "with hard and soft limits, both must be at least as large as the idle limit";
const NATT_V4: &str = "the kernel takes NAT-T addresses of IPv4 only, also for IPv6 SAs";

const RULES: &[Rule] = &[
    both_tables(
        |command| adds(command) && has_pair(command) && direction(command) == (false, false),
        &[Field::PairSpi],
        "pair-spi without inbound or outbound",
        "illumos derives the direction from the addresses that the host has at that moment, at boot perhaps none, and cannot pair \
         an SA that is in both tables: add `inbound` or `outbound`",
    ),
    both_tables(
        |command| adds(command) && has_salt(&command.request) && direction(command) == (false, false),
        &[Field::EncrAlg],
        "AES-GCM or AES-CCM without inbound or outbound",
        "illumos derives the direction from the addresses that the host has at that moment, at boot perhaps none; such an SA in \
         both tables is refused, because the kernel would free its salt twice: add `inbound` or `outbound`",
    ),
    refuses(
        |command| adds(command) && has_salt(&command.request) && direction(command) == (true, true),
        &[Field::EncrAlg],
        "AES-GCM or AES-CCM with both inbound and outbound",
        "illumos would keep the SA in both tables, and free its salt twice: remove `inbound` or `outbound`",
    ),
    // 73 (PAIR_INAPPROPRIATE)
    refuses(
        |command| has_pair(command) && direction(command) == (true, true),
        &[Field::PairSpi],
        "pair-spi with both inbound and outbound",
        "an SA in both tables has no pair: remove `inbound` or `outbound`",
    ),
    refuses(
        |command| command.request.pair_spi == Some(command.request.spi),
        &[Field::PairSpi],
        "The SA is paired with its own SPI",
        "illumos pairs SAs with different SPIs: specify the SPI of the SA in the opposite direction",
    ),
    refuses(
        |command| has_pair(command) && any_source(command, |src| src.is_unspecified()),
        &[Field::PairSpi],
        "pair-spi without a source address",
        "the pair has both addresses the other way round: add `src`",
    ),
    // 14 to 17 (ALLOC_HSERR, BYTES_HSERR, ADDTIME_HSERR, USETIME_HSERR)
    refuses(
        |command| is_below(command, |limit| limit.allocations.into()),
        &[Field::HardAlloc],
        "hard_alloc is below soft_alloc",
        BELOW_SOFT,
    ),
    refuses(
        |command| is_below(command, |limit| limit.bytes),
        &[Field::HardBytes],
        "hard_bytes is below soft_bytes",
        BELOW_SOFT,
    ),
    refuses(
        |command| is_below(command, |limit| limit.addtime),
        &[Field::HardAddtime],
        "hard_addtime is below soft_addtime",
        BELOW_SOFT,
    ),
    refuses(
        |command| is_below(command, |limit| limit.usetime),
        &[Field::HardUsetime],
        "hard_usetime is below soft_usetime",
        BELOW_SOFT,
    ),
    refuses(
        |command| is_below_idle(command, |limit| limit.addtime),
        &[Field::IdleAddtime],
        "idle_addtime is above a hard or soft limit",
        BELOW_IDLE,
    ),
    refuses(
        |command| is_below_idle(command, |limit| limit.usetime),
        &[Field::IdleUsetime],
        "idle_usetime is above a hard or soft limit",
        BELOW_IDLE,
    ),
    // 12 and 13 (BAD_SRC, BAD_DST)
    refuses(
        |command| any_source(command, is_group),
        &[Field::Src],
        "The source address is a multicast or broadcast address",
        "",
    ),
    refuses(
        |command| command.targets.iter().any(|target| target.dst.is_some_and(|dst| dst.to_canonical().is_unspecified())),
        &[Field::Dst],
        "The destination address is unspecified",
        "specify the address that the packets are sent to",
    ),
    // 67 (INNER_AF_MISMATCH)
    refuses(
        |command| contradicts_inner(&command.request),
        &[Field::Proto],
        "proto contradicts the inner addresses",
        "use proto 4 for IPv4 inside the tunnel and proto 41 for IPv6, or remove `proto`",
    ),
    // 72 (DUAL_PORT_SETS)
    refuses(
        |command| has_ports(&command.request),
        &[Field::InnerSport, Field::InnerDport],
        "Ports for both outer and inner addresses",
        "in tunnel mode use isport and idport only",
    ),
    // 55, 56, 68, 69 (MALFORMED_NATT_LOC, MALFORMED_NATT_REM, BAD_NATT_LOC_AF, BAD_NATT_REM_AF)
    refuses(
        |command| command.request.natt_local.is_some_and(|end| is_no_natt_address(end, false)),
        &[Field::NatLoc],
        "nat_loc is not an IPv4 address of one host",
        NATT_V4,
    ),
    refuses(
        |command| {
            // 0.0.0.0 stands for nat_rport alone.
            let is_transport = command.request.inner_src.is_none();
            command.request.natt_remote.is_some_and(|end| is_no_natt_address(end, is_transport))
        },
        &[Field::NatRem, Field::NatRport],
        "nat_rem is not an IPv4 address of one host",
        "the kernel takes NAT-T addresses of IPv4 only, and in transport mode nat_rport only with nat_rem",
    ),
    // 42 (BAD_SAFLAGS)
    refuses(
        |command| command.request.sa_type == SaType::AH && natt(&command.request),
        &[Field::Encap],
        "AH with UDP encapsulation",
        "only esp passes a NAT: use esp",
    ),
    refuses(
        |command| updates(command) && command.request.inner_src.is_some(),
        &[Field::InnerSrc, Field::InnerDst, Field::InnerSport, Field::InnerDport],
        "Inner addresses in an update",
        "an update cannot change them: remove them, or delete the SA and add it again",
    ),
    // 43 (BAD_SASTATE)
    refuses(
        |command| command.verb.changes() && !is_settable(command.verb, command.request.state),
        &[Field::State],
        "The state cannot be set",
        "remove `state`; the kernel makes an SA dying or dead by its lifetimes",
    ),
    refuses(
        |command| updates(command) && command.request.replay_value.is_some(),
        &[Field::ReplayValue],
        "replay_value in an update of a mature SA",
        "illumos takes it for SAs that are neither larval nor mature: delete the SA and add it again with replay_value",
    ),
    changes(
        |command| {
            let is_short = command.request.soft.is_some_and(|soft| (1..=LONGEST_FUZZ).contains(&soft.addtime));
            // A new inbound SA keeps the value.
            is_short && !(adds(command) && direction(command) == (true, false))
        },
        &[Field::SoftAddtime],
        "soft_addtime below 24 seconds",
        "illumos takes 8 to 23 seconds off, of outbound SAs and in updates; what is left is no limit or one in the far future: use \
         24 or more",
    ),
    changes(
        |command| command.request.inner_src.is_some_and(has_host_bits),
        &[Field::InnerSrc],
        "Host bits in isrc",
        HOST_BITS,
    ),
    changes(
        |command| command.request.inner_dst.is_some_and(has_host_bits),
        &[Field::InnerDst],
        "Host bits in idst",
        HOST_BITS,
    ),
    changes(
        |command| adds(command) && command.request.replay != 0 && any_source(command, |src| src.is_unspecified()),
        &[Field::Replay],
        "An anti-replay window without a source address",
        "illumos disables it, because any source may be several senders: add `src`",
    ),
];

const HOST_BITS: &str = "illumos clears the bits behind the prefix length: write the address of the network";

fn adds(command: &SaCommand) -> bool {
    command.verb == Verb::Add
}

fn updates(command: &SaCommand) -> bool {
    matches!(command.verb, Verb::Update | Verb::UpdatePair)
}

fn has_pair(command: &SaCommand) -> bool {
    command.request.pair_spi.is_some()
}

/// Whether the command has `inbound` and `outbound`.
fn direction(command: &SaCommand) -> (bool, bool) {
    (command.request.flags.has(Flags::INBOUND), command.request.flags.has(Flags::OUTBOUND))
}

/// Whether the cipher has a salt, as AES-GCM and AES-CCM have. Both copies of an SA in both tables share it.
fn has_salt(request: &Request) -> bool {
    request.encr_key.is_some() && algorithms::encr_by_number(request.encr_alg).is_some_and(|row| row.salt_bits != 0)
}

fn any_source(command: &SaCommand, is_meant: fn(IpAddr) -> bool) -> bool {
    command.targets.iter().any(|target| target.src.is_some_and(|src| is_meant(src.to_canonical())))
}

fn is_group(addr: IpAddr) -> bool {
    addr.is_multicast() || addr == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether `limit` is larger than `other`; 0 stands for no limit.
fn exceeds(limit: u64, other: u64) -> bool {
    limit != 0 && other != 0 && limit > other
}

fn is_below(command: &SaCommand, value: fn(Lifetime) -> u64) -> bool {
    let Request { hard, soft, .. } = &*command.request;
    let (Some(hard), Some(soft)) = (**hard, **soft) else { return false };
    exceeds(value(soft), value(hard))
}

/// The kernel compares the idle limit only if all three lifetimes are given (`sadb_hardsoftchk` in sadb.c).
fn is_below_idle(command: &SaCommand, value: fn(Lifetime) -> u64) -> bool {
    let Request { hard, soft, idle, .. } = &*command.request;
    let (Some(hard), Some(soft), Some(idle)) = (**hard, **soft, **idle) else { return false };
    [hard, soft].into_iter().any(|limit| exceeds(value(idle), value(limit)))
}

fn inner(request: &Request) -> Option<(InnerEndpoint, InnerEndpoint)> {
    request.inner_src.zip(*request.inner_dst)
}

fn contradicts_inner(request: &Request) -> bool {
    let Some((src, dst)) = inner(request) else { return false };
    let [src, dst] = [src, dst].map(|end| end.addr.to_canonical().is_ipv4());
    let proto = request.src.map_or(0, |end| end.proto);
    let expected = if src { TUNNEL_PROTOS.0 } else { TUNNEL_PROTOS.1 };
    // Inner addresses of two families have a warning of their own.
    src == dst && proto != 0 && proto != expected
}

fn has_ports(request: &Request) -> bool {
    let outer = [request.src, request.dst].into_iter().flatten().any(|end| end.port != 0);
    outer && inner(request).is_some_and(|(src, dst)| src.port != 0 || dst.port != 0)
}

fn natt(request: &Request) -> bool {
    request.natt_local.is_some() || request.natt_remote.is_some()
}

fn is_no_natt_address(end: Endpoint, must_be_specified: bool) -> bool {
    let addr = end.addr.to_canonical();
    addr.is_ipv6() || is_group(addr) || (must_be_specified && addr.is_unspecified())
}

fn is_settable(verb: Verb, state: SaState) -> bool {
    matches!(state, SaState::MATURE | SaState::ACTIVE_ELSEWHERE) || (verb != Verb::Add && state == SaState::ACTIVE)
}

fn has_host_bits(end: InnerEndpoint) -> bool {
    end.network() != end.addr.to_canonical()
}
