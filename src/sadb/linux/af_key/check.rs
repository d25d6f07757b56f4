//! Refuses requests of which Linux PF_KEY would lose a part.

use crate::names::algorithms::encr_by_number;
use crate::sa::{AuthAlg, EncrAlg, Endpoint, Flags, InnerEndpoint, LinuxExtras, Request, SaState};
use crate::sadb::error::refuse;
use crate::sadb::linux::check;
use crate::sadb::{PairScope, SadbError};

/// The largest anti-replay window. The kernel silently truncates a larger one.
const MAX_WINDOW: u32 = 32;

/// Checks a request to add an SA.
pub(in crate::sadb) fn check_add(request: &Request) -> Result<(), SadbError> {
    check::check_add(request)?;
    if request.dst.is_some_and(|dst| dst.addr.to_canonical().is_unspecified()) {
        return refuse(check::NO_DESTINATION.into());
    }
    if let Some(cipher) = encr_by_number(request.encr_alg).filter(|cipher| cipher.is_combined()) {
        return refuse(format!("{}: Linux PF_KEY has no combined-mode ciphers: use --sadb xfrm", cipher.names[0]));
    }
    if request.replay > MAX_WINDOW {
        let window = request.replay;
        return refuse(format!("replay {window}: Linux PF_KEY has a window of {MAX_WINDOW} at most: use --sadb xfrm"));
    }
    let lost: Vec<&str> = losses(request).into_iter().filter(|(is_used, _)| *is_used).map(|(_, word)| word).collect();
    if !lost.is_empty() {
        return refuse(format!("Linux PF_KEY does not support {}: use --sadb xfrm", lost.join(", ")));
    }
    if has_natt(request) && natt_port(*request.natt_local) != natt_port(*request.natt_remote) && !has_direction(request) {
        return refuse(
            "encap: specify inbound or outbound, which decides whether nat_lport is the source or the destination port"
                .into(),
        );
    }
    Ok(())
}

/// Whether the request uses an unsupported feature, with its keyword.
fn losses(request: &Request) -> [(bool, &'static str); 10] {
    // X_SA2 carries mode and reqid.
    let linux = LinuxExtras { mode: None, reqid: 0, ..(*request.linux).clone() };
    // X_NAT_T has ports only: the addresses are always those of the SA.
    let is_one_of_ours = |end: Option<Endpoint>| {
        let ours = |other: Option<Endpoint>| end.zip(other).is_some_and(|(end, other)| end.addr == other.addr);
        end.is_none_or(|end| end.addr.is_unspecified()) || ours(request.src) || ours(request.dst)
    };
    // af_key ignores ports and protocol in SRC and DST.
    let has_ports = |end: Option<Endpoint>| end.is_some_and(|end| end.port != 0 || end.proto != 0);
    let has_inner_ports = |end: Option<InnerEndpoint>| end.is_some_and(|end| end.port != 0 || end.proto != 0);
    [
        (request.pair_spi.is_some(), "pair-spi"),
        (request.src_identity.is_some() || request.dst_identity.is_some(), "srcidtype, dstidtype"),
        (request.idle.is_some_and(|idle| !idle.is_unlimited()), "idle_addtime, idle_usetime"),
        (request.replay_value.is_some(), "replay_value"),
        (request.inner_dst.is_some_and(|end| end.prefix_len != 0), "idst"),
        (has_inner_source_of_other_family(request), "isrc of another address family"),
        (has_inner_ports(*request.inner_src) || has_inner_ports(*request.inner_dst), "iproto, isport, idport"),
        (!is_tunnel(request) && (has_ports(request.src) || has_ports(request.dst)), "proto, sport, dport"),
        (!is_one_of_ours(*request.natt_local) || !is_one_of_ours(*request.natt_remote), "nat_loc, nat_rem"),
        (linux.first_keyword().is_some(), linux.first_keyword().unwrap_or_default()),
    ]
}

/// The kernel would report such an inner source with the outer address family.
fn has_inner_source_of_other_family(request: &Request) -> bool {
    let inner = request.inner_src.filter(|inner| !inner.addr.is_unspecified());
    inner.zip(request.dst).is_some_and(|(inner, dst)| inner.addr.is_ipv4() != dst.addr.to_canonical().is_ipv4())
}

/// In tunnel mode `proto` is the protocol of the tunnel itself.
fn is_tunnel(request: &Request) -> bool {
    request.flags.has(Flags::TUNNEL) || request.inner_src.is_some() || request.inner_dst.is_some()
}

fn natt_port(end: Option<Endpoint>) -> Option<u16> {
    end.map(|end| end.port).filter(|port| *port != 0)
}

/// Whether the request has UDP encapsulation.
pub(super) fn has_natt(request: &Request) -> bool {
    request.natt_local.is_some() || request.natt_remote.is_some()
}

/// Whether the request specifies a direction.
pub(super) fn has_direction(request: &Request) -> bool {
    request.flags.has(Flags::INBOUND) || request.flags.has(Flags::OUTBOUND)
}

/// Refuses changes other than of lifetimes: SADB_UPDATE would acknowledge but ignore them.
pub(super) fn check_update(request: &Request, scope: PairScope) -> Result<(), SadbError> {
    refuse_pair(scope)?;
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
    let words: Vec<&str> = changes.filter(|(is_used, _)| *is_used).map(|(_, word)| word).collect();
    if words.is_empty() {
        return Ok(());
    }
    let words = words.join(", ");
    refuse(format!("Linux PF_KEY changes lifetimes only, not {words}: delete the SA and add it again, or use --sadb xfrm"))
}

/// Refuses requests for a pair, which Linux PF_KEY has no message for.
pub(super) fn refuse_pair(scope: PairScope) -> Result<(), SadbError> {
    match scope {
        PairScope::One => Ok(()),
        PairScope::Pair => refuse("Linux PF_KEY has no pairs: use --sadb xfrm".into()),
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
        check_add(request).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn end(addr: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint { addr: addr.parse().unwrap(), port, proto: 0 })
    }

    #[test]
    fn check_add_accepts_supported_requests() {
        assert_eq!(refusal(&esp()), "");
        let linux = LinuxExtras { mode: Some(XfrmMode::TUNNEL), reqid: 7, ..LinuxExtras::default() };
        assert_eq!(refusal(&Request { linux: linux.into(), replay: 32, ..esp() }), "");
        let natt = Request { natt_local: end("0.0.0.0", 4500).into(), natt_remote: end("0.0.0.0", 4500).into(), ..esp() };
        assert_eq!(refusal(&natt), "");
    }

    #[test]
    fn check_add_refuses_unsupported_requests() {
        let refused = |request: Request| refusal(&request);
        assert!(
            refused(Request { pair_spi: Some(Spi(7)), replay_value: Some(1), ..esp() }).contains("pair-spi, replay_value:")
        );
        assert!(refused(Request { replay: 33, ..esp() }).contains("replay 33"));
        assert!(refused(Request { src: end("10.0.0.1", 53), ..esp() }).contains("proto, sport, dport"));
        assert!(refused(Request { natt_local: end("192.0.2.1", 0).into(), ..esp() }).contains("nat_loc"));
        assert!(
            refused(Request { natt_local: end("::", 4500).into(), natt_remote: end("::", 4501).into(), ..esp() })
                .contains("inbound")
        );
        let linux = LinuxExtras { tfcpad: 8, reqid: 7, ..LinuxExtras::default() };
        assert!(refused(Request { linux: linux.into(), ..esp() }).contains("tfcpad"));
        let gcm = Request { encr_alg: EncrAlg(20), encr_key: Some(Key::from_slice(&[3; 20], 160, 0)), ..esp() };
        assert!(refused(gcm).starts_with("aes-gcm:"));
    }

    #[test]
    fn check_update_accepts_lifetimes_only() {
        let hard = Some(Lifetime { bytes: 7, ..Lifetime::default() });
        let update = |request: Request| check_update(&request, PairScope::One).err().map(|error| error.to_string());
        assert_eq!(
            update(Request { hard: hard.into(), state: SaState::MATURE, encr_alg: EncrAlg::NULL, ..Request::default() }),
            None
        );
        assert!(update(Request { hard: hard.into(), replay: 5, ..Request::default() }).unwrap().contains("not replay:"));
        assert!(check_update(&Request::default(), PairScope::Pair).is_err());
    }
}
