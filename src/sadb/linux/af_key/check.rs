//! What Linux PF_KEY would lose of a request, refused before it is asked.

use crate::names::algorithms::encr_by_number;
use crate::sa::{AuthAlg, EncrAlg, Endpoint, Flags, InnerEndpoint, LinuxExtras, Request, SaState};
use crate::sadb::error::refuse;
use crate::sadb::linux::check;
use crate::sadb::{PairScope, SadbError};

/// The largest replay window; of a larger one the kernel takes this much.
const LARGEST_WINDOW: u32 = 32;

/// Everything about a request to add.
pub(crate) fn addition(request: &Request) -> Result<(), SadbError> {
    check::addition(request)?;
    if let Some(cipher) = encr_by_number(request.encr_alg).filter(|cipher| cipher.is_combined()) {
        return refuse(format!("{}: Linux PF_KEY has no ciphers that authenticate too: use --sadb xfrm", cipher.names[0]));
    }
    if request.replay > LARGEST_WINDOW {
        let window = request.replay;
        return refuse(format!("replay {window}: Linux PF_KEY holds a window of {LARGEST_WINDOW} at most: use --sadb xfrm"));
    }
    let lost: Vec<&str> = losses(request).into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, word)| word).collect();
    if !lost.is_empty() {
        return refuse(format!("Linux PF_KEY has no room for {}: use --sadb xfrm", lost.join(", ")));
    }
    if has_natt(request) && natt_port(*request.natt_local) != natt_port(*request.natt_remote) && !has_direction(request) {
        return refuse(
            "encap: say inbound or outbound, which tells whether nat_lport is the source or the destination".into(),
        );
    }
    Ok(())
}

/// What would be lost, with the keyword that asks for it.
fn losses(request: &Request) -> [(bool, &'static str); 10] {
    let linux = LinuxExtras { mode: None, reqid: 0, ..(*request.linux).clone() };
    let is_one_of_ours = |end: Option<Endpoint>| {
        let ours = |other: Option<Endpoint>| end.zip(other).is_some_and(|(end, other)| end.addr == other.addr);
        end.is_none_or(|end| end.addr.is_unspecified()) || ours(request.src) || ours(request.dst)
    };
    let has_ports = |end: Option<Endpoint>| end.is_some_and(|end| end.port != 0 || end.proto != 0);
    let has_inner_ports = |end: Option<InnerEndpoint>| end.is_some_and(|end| end.port != 0 || end.proto != 0);
    [
        (request.pair_spi.is_some(), "pair-spi"),
        (request.src_identity.is_some() || request.dst_identity.is_some(), "srcidtype, dstidtype"),
        (request.idle.is_some_and(|idle| !idle.is_unlimited()), "idle_addtime, idle_usetime"),
        (request.replay_value.is_some(), "replay_value"),
        (request.inner_dst.is_some_and(|end| end.prefix_len != 0), "idst"),
        (has_foreign_inside(request), "isrc of another address family"),
        (has_inner_ports(*request.inner_src) || has_inner_ports(*request.inner_dst), "iproto, isport, idport"),
        (!is_tunnel(request) && (has_ports(request.src) || has_ports(request.dst)), "proto, sport, dport"),
        (!is_one_of_ours(*request.natt_local) || !is_one_of_ours(*request.natt_remote), "nat_loc, nat_rem"),
        (linux.first_keyword().is_some(), linux.first_keyword().unwrap_or_default()),
    ]
}

/// The kernel reports such an inner source as an address of the outer family.
fn has_foreign_inside(request: &Request) -> bool {
    let inner = request.inner_src.filter(|inner| !inner.addr.is_unspecified());
    inner.zip(request.dst).is_some_and(|(inner, dst)| inner.addr.is_ipv4() != dst.addr.to_canonical().is_ipv4())
}

/// In a tunnel `proto` says only that it is one.
fn is_tunnel(request: &Request) -> bool {
    request.flags.has(Flags::TUNNEL) || request.inner_src.is_some() || request.inner_dst.is_some()
}

fn natt_port(end: Option<Endpoint>) -> Option<u16> {
    end.map(|end| end.port).filter(|port| *port != 0)
}

/// Whether ESP is to go in UDP.
pub(crate) fn has_natt(request: &Request) -> bool {
    request.natt_local.is_some() || request.natt_remote.is_some()
}

/// Whether the request says which way packets go.
pub(crate) fn has_direction(request: &Request) -> bool {
    request.flags.has(Flags::INBOUND) || request.flags.has(Flags::OUTBOUND)
}

/// SADB_UPDATE changes the lifetimes; the rest it acknowledges and does not do.
pub(crate) fn only_lifetimes(request: &Request, reach: PairScope) -> Result<(), SadbError> {
    no_pair(reach)?;
    let has_algorithm = request.auth_alg != AuthAlg::NONE
        || !(request.encr_alg == EncrAlg::NONE || request.encr_alg == EncrAlg::NULL)
        || request.auth_key.is_some()
        || request.encr_key.is_some();
    let changes = [
        (has_algorithm, "auth_alg, authkey, encr_alg, encrkey"),
        (request.replay != 0, "replay"),
        (request.state != SaState::MATURE && request.state != SaState::LARVAL, "state"),
        (has_natt(request), "encap"),
        (request.inner_src.is_some(), "isrc"),
        (*request.linux != LinuxExtras::default(), request.linux.first_keyword().unwrap_or_default()),
    ];
    let changes = changes.into_iter().chain(losses(request));
    let words: Vec<&str> = changes.filter(|(is_asked, _)| *is_asked).map(|(_, word)| word).collect();
    if words.is_empty() {
        return Ok(());
    }
    let words = words.join(", ");
    refuse(format!("Linux PF_KEY changes lifetimes only, not {words}: delete the SA and add it anew, or use --sadb xfrm"))
}

/// Linux PF_KEY has no message about two SAs.
pub(crate) fn no_pair(reach: PairScope) -> Result<(), SadbError> {
    match reach {
        PairScope::One => Ok(()),
        PairScope::Pair => refuse("Linux PF_KEY knows no pairs: use --sadb xfrm".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Lifetime, SaType, Spi, XfrmMode};
    use crate::secret::Key;

    fn esp() -> Request {
        Request {
            sa_type: SaType::ESP,
            spi: Spi(0x100),
            state: SaState::MATURE,
            encr_alg: EncrAlg(12),
            encr_key: Some(Key::from_slice(&[2; 16], 128, 0)),
            ..Request::default()
        }
    }

    fn refusal(request: &Request) -> String {
        addition(request).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn end(addr: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint { addr: addr.parse().unwrap(), port, proto: 0 })
    }

    #[test]
    fn what_it_holds_passes() {
        assert_eq!(refusal(&esp()), "");
        let linux = LinuxExtras { mode: Some(XfrmMode::TUNNEL), reqid: 7, ..LinuxExtras::default() };
        assert_eq!(refusal(&Request { linux: linux.into(), replay: 32, ..esp() }), "");
        let natt = Request { natt_local: end("0.0.0.0", 4500).into(), natt_remote: end("0.0.0.0", 4500).into(), ..esp() };
        assert_eq!(refusal(&natt), "");
    }

    #[test]
    fn what_it_would_lose_is_refused() {
        let said = |request: Request| refusal(&request);
        assert!(
            said(Request { pair_spi: Some(Spi(7)), replay_value: Some(1), ..esp() }).contains("pair-spi, replay_value:")
        );
        assert!(said(Request { replay: 33, ..esp() }).contains("replay 33"));
        assert!(said(Request { src: end("10.0.0.1", 53), ..esp() }).contains("proto, sport, dport"));
        assert!(said(Request { natt_local: end("192.0.2.1", 0).into(), ..esp() }).contains("nat_loc"));
        assert!(
            said(Request { natt_local: end("::", 4500).into(), natt_remote: end("::", 4501).into(), ..esp() })
                .contains("inbound")
        );
        let linux = LinuxExtras { tfcpad: 8, reqid: 7, ..LinuxExtras::default() };
        assert!(said(Request { linux: linux.into(), ..esp() }).contains("tfcpad"));
        let gcm = Request { encr_alg: EncrAlg(20), encr_key: Some(Key::from_slice(&[3; 20], 160, 0)), ..esp() };
        assert!(said(gcm).starts_with("aes-gcm:"));
    }

    #[test]
    fn updates_are_of_lifetimes() {
        let hard = Some(Lifetime { bytes: 7, ..Lifetime::default() });
        let update = |request: Request| only_lifetimes(&request, PairScope::One).err().map(|error| error.to_string());
        assert_eq!(
            update(Request { hard: hard.into(), state: SaState::MATURE, encr_alg: EncrAlg::NULL, ..Request::default() }),
            None
        );
        assert!(update(Request { hard: hard.into(), replay: 5, ..Request::default() }).unwrap().contains("not replay:"));
        assert!(only_lifetimes(&Request::default(), PairScope::Pair).is_err());
    }
}
