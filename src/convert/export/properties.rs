//! The properties of an SA, and what each format of export does with them. A new keyword needs a row, see the test.

use super::{ExportFormat, ExportedSa, Skipped};
use crate::names::keywords::Field;
use crate::names::keywords::Field as F;
use crate::sa::{Flags, Lifetime, Request, SaState, XfrmFlags, XfrmMode};

/// What a format does with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    /// It has words for it; or the code that writes the SA refuses the values that it has no words for.
    Written,
    /// It has no words for it. Packets of the SA look the same without it.
    Lost,
    /// It has no words for it, and without it the SA is another one: the other end, or this kernel, does not use it for the same
    /// packets, or cannot read them.
    Needed,
    /// A program that decrypts captured packets has no use for it.
    Unused,
}

/// A property that one or several keywords set.
struct Property {
    /// The keywords, for messages.
    words: &'static str,
    /// The keywords, for the test that none is missing.
    #[cfg_attr(not(test), allow(dead_code, reason = "only the test reads it"))]
    fields: &'static [Field],
    /// Whether the SA has it, with another value than the default.
    is_set: fn(&ExportedSa<'_>) -> bool,
    /// In the order of [`ExportFormat`].
    support: [Support; 5],
}

use Support::{Lost as L, Needed as N, Unused as U, Written as W};

const fn row(
    words: &'static str,
    fields: &'static [Field],
    support: [Support; 5],
    is_set: fn(&ExportedSa<'_>) -> bool,
) -> Property {
    Property { words, fields, is_set, support }
}

const WINDOWS: &[Field] = &[F::AcceptFrom, F::AcceptUntil, F::SendFrom, F::SendUntil];

/// Every property: setkey(8), ip-xfrm(8), ipsec.conf(5), Wireshark, tcpdump.
const PROPERTIES: &[Property] = &[
    row("spi", &[F::Spi], [W, W, W, W, W], |_| true),
    row("src, dst", &[F::Src, F::Dst], [W, W, W, W, W], |_| true),
    row("auth_alg, authkey", &[F::AuthAlg, F::AuthKey], [W, W, W, W, W], |sa| sa.auth.is_some()),
    row("encr_alg, encrkey", &[F::EncrAlg, F::EncrKey, F::ReservedBits], [W, W, W, W, W], |sa| sa.encr.is_some()),
    row("icv", &[F::Icv], [W, W, N, W, W], |sa| sa.icv_bits() != sa.auth.map(|row| row.icv_bits)),
    row("mode beet", &[F::Mode], [N, W, N, U, U], |sa| sa.mode == XfrmMode::BEET),
    row("esn", &[F::Esn], [N, W, N, L, U], |sa| sa.request.linux.flags.has(XfrmFlags::ESN)),
    row("mark", &[F::Mark], [N, W, N, U, U], |sa| sa.request.linux.mark.is_some()),
    row("if_id", &[F::IfId], [N, W, N, U, U], |sa| sa.request.linux.if_id != 0),
    row("encap", &[F::Encap], [W, W, N, U, U], |sa| sa.encap_ports().is_some()),
    row("nat_lport, nat_rport", &[F::NatLport, F::NatRport], [W, W, N, L, L], |sa| {
        sa.encap_ports().is_some_and(|ports| ports != (super::NATT_PORT, super::NATT_PORT))
    }),
    row("nat_loc", &[F::NatLoc], [L, L, L, U, U], |sa| is_foreign(sa, *sa.request.natt_local)),
    row("nat_rem", &[F::NatRem], [L, W, L, U, U], |sa| is_foreign(sa, *sa.request.natt_remote)),
    row("flag align4", &[F::XfrmFlags], [N, W, N, U, U], |sa| sa.request.linux.flags.has(XfrmFlags::ALIGN4)),
    row("flag", &[F::XfrmFlags], [L, W, L, U, U], |sa| has_other_flags(sa.request)),
    row("inbound, outbound", &[F::Inbound, F::Outbound], [L, W, L, U, U], |sa| direction(sa.request).is_some()),
    row("replay", &[F::Replay], [W, W, L, U, U], |sa| sa.request.replay != 0),
    row("replay_value", &[F::ReplayValue], [L, W, L, U, U], |sa| sa.request.replay_value.unwrap_or(0) != 0),
    row("state", &[F::State], [L, L, L, U, U], |sa| sa.request.state != SaState::MATURE),
    row("pair-spi", &[F::PairSpi], [L, L, L, U, U], |sa| sa.request.pair_spi.is_some()),
    row("srcidtype", &[F::SrcIdType], [L, L, L, U, U], |sa| sa.request.src_identity.is_some()),
    row("dstidtype", &[F::DstIdType], [L, L, L, U, U], |sa| sa.request.dst_identity.is_some()),
    row("proto, sport, dport", &[F::Proto, F::Sport, F::Dport], [L, W, L, U, U], |sa| {
        sa.mode == XfrmMode::TRANSPORT && !sa.has_inner() && outer_ports(sa) != (0, 0, 0)
    }),
    // The protocol of a tunnel is 4 or 41; XFRM has no other outer protocol of a tunnel, and no outer ports.
    row("proto, sport, dport", &[F::Proto, F::Sport, F::Dport], [L, L, L, U, U], |sa| {
        (sa.mode != XfrmMode::TRANSPORT || sa.has_inner()) && !matches!(outer_ports(sa), (0 | 4 | 41, 0, 0))
    }),
    row("isrc, idst", &[F::InnerSrc, F::InnerDst], [L, W, L, U, U], has_inner_network),
    row("iproto, isport, idport", &[F::InnerProto, F::InnerSport, F::InnerDport], [L, W, L, U, U], |sa| {
        let ends = [*sa.request.inner_src, *sa.request.inner_dst];
        ends.into_iter().flatten().any(|end| end.port != 0 || end.proto != 0)
    }),
    row("soft_alloc", &[F::SoftAlloc], [L, L, L, U, U], |sa| soft(sa.request).allocations != 0),
    row("hard_alloc", &[F::HardAlloc], [L, L, L, U, U], |sa| hard(sa.request).allocations != 0),
    row("soft_bytes", &[F::SoftBytes], [W, W, L, U, U], |sa| soft(sa.request).bytes != 0),
    row("hard_bytes", &[F::HardBytes], [W, W, L, U, U], |sa| hard(sa.request).bytes != 0),
    row("soft_addtime", &[F::SoftAddtime], [W, W, L, U, U], |sa| soft(sa.request).addtime != 0),
    row("hard_addtime", &[F::HardAddtime], [W, W, L, U, U], |sa| hard(sa.request).addtime != 0),
    row("soft_usetime", &[F::SoftUsetime], [L, W, L, U, U], |sa| soft(sa.request).usetime != 0),
    row("hard_usetime", &[F::HardUsetime], [L, W, L, U, U], |sa| hard(sa.request).usetime != 0),
    row("idle_addtime", &[F::IdleAddtime], [L, L, L, U, U], |sa| idle(sa.request).addtime != 0),
    row("idle_usetime", &[F::IdleUsetime], [L, L, L, U, U], |sa| idle(sa.request).usetime != 0),
    row("soft_packets", &[F::SoftPackets], [L, W, L, U, U], |sa| sa.request.linux.soft_packets != 0),
    row("hard_packets", &[F::HardPackets], [L, W, L, U, U], |sa| sa.request.linux.hard_packets != 0),
    row("reqid", &[F::Reqid], [W, W, L, U, U], |sa| sa.request.linux.reqid != 0),
    row("output-mark", &[F::OutputMark], [L, W, L, U, U], |sa| sa.request.linux.output_mark.is_some()),
    row("offload", &[F::Offload], [L, W, L, U, U], |sa| sa.request.linux.offload.is_some()),
    row("accept_from, accept_until, send_from, send_until", WINDOWS, [L, L, L, U, U], |sa| sa.request.windows.are_limited()),
    row("tfcpad", &[F::Tfcpad], [L, W, L, U, U], |sa| sa.request.linux.tfcpad != 0),
];

fn soft(request: &Request) -> Lifetime {
    request.soft.unwrap_or_default()
}

fn hard(request: &Request) -> Lifetime {
    request.hard.unwrap_or_default()
}

fn idle(request: &Request) -> Lifetime {
    request.idle.unwrap_or_default()
}

/// Whether an inner address is more than the whole of a family.
fn has_inner_network(sa: &ExportedSa<'_>) -> bool {
    let ends = [*sa.request.inner_src, *sa.request.inner_dst];
    ends.into_iter().flatten().any(|end| end.prefix_len != 0)
}

/// Whether an address of UDP encapsulation is given that is none of the SA's own, which other programs take for it.
fn is_foreign(sa: &ExportedSa<'_>, end: Option<crate::sa::Endpoint>) -> bool {
    end.is_some_and(|end| !end.addr.is_unspecified() && end.addr != sa.src.addr && end.addr != sa.dst.addr)
}

fn has_other_flags(request: &Request) -> bool {
    request.linux.flags.0 & !(XfrmFlags::ESN | XfrmFlags::ALIGN4).0 != 0
}

/// The direction of the flags, `true` for inbound; `None` for both or neither.
pub(super) fn direction(request: &Request) -> Option<bool> {
    match (request.flags.has(Flags::INBOUND), request.flags.has(Flags::OUTBOUND)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// Protocol and ports of the outer addresses.
pub(super) fn outer_ports(sa: &ExportedSa<'_>) -> (u8, u16, u16) {
    (sa.src.proto.max(sa.dst.proto), sa.src.port, sa.dst.port)
}

/// The message about the properties of `sa` that `format` has no words for; `None` if there are none.
///
/// # Errors
/// [`Skipped`] if without one of them it would be another SA.
pub(super) fn check(format: ExportFormat, sa: &ExportedSa<'_>) -> Result<Option<String>, Skipped> {
    let with = |support: Support| {
        let rows = PROPERTIES.iter().filter(move |row| row.support[format as usize] == support && (row.is_set)(sa));
        let mut words: Vec<&str> = rows.map(|row| row.words).collect();
        words.dedup();
        words.join(", ")
    };
    let needed = with(Support::Needed);
    if !needed.is_empty() {
        return Err(Skipped(format!("{} cannot express {needed}, and without that it is another SA", format.word())));
    }
    let lost = with(Support::Lost);
    Ok((!lost.is_empty()).then(|| format!("{} cannot express {lost}", format.word())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::keywords::{self, Usage};

    #[test]
    fn every_keyword_has_a_row() {
        for keyword in keywords::TABLE.iter().filter(|keyword| keyword.usage != Usage::Reserved) {
            let rows = PROPERTIES.iter().filter(|row| row.fields.contains(&keyword.field)).count();
            assert!(rows > 0, "{}: what do the formats of export do with it?", keyword.word);
        }
    }
}
