//! The Linux policy that an SA needs, as the words of `ip xfrm policy add`.

use std::fmt::Write;
use std::net::IpAddr;

use crate::sa::{InnerEndpoint, Request, SaType, XfrmMode};

/// The policy that sends packets through the SA of `request`, with `DIR` for the direction; `None` without both addresses.
pub(super) fn of(request: &Request) -> Option<String> {
    let (src, dst) = (request.src?, request.dst?);
    let is_tunnel = request.inner_src.is_some() || request.inner_dst.is_some();
    let mut text = String::new();
    let (proto, ports) = if is_tunnel {
        let side = request.inner_src.or(*request.inner_dst)?;
        let port = |side: Option<InnerEndpoint>| side.map_or(0, |side| side.port);
        let net = |side: Option<InnerEndpoint>| side.map_or_else(|| any(src.addr), |side| network(&side));
        let _ = write!(text, "src {} dst {}", net(*request.inner_src), net(*request.inner_dst));
        (side.proto, (port(*request.inner_src), port(*request.inner_dst)))
    } else {
        let _ = write!(text, "src {} dst {}", src.addr, dst.addr);
        (dst.proto, (src.port, dst.port))
    };
    if proto != 0 {
        let _ = write!(text, " proto {proto}");
    }
    for (word, port) in [("sport", ports.0), ("dport", ports.1)] {
        if port != 0 && proto != 0 {
            let _ = write!(text, " {word} {port}");
        }
    }
    let proto = if request.sa_type == SaType::AH { "ah" } else { "esp" };
    let mode = match request.linux.mode {
        Some(XfrmMode::TUNNEL) => "tunnel",
        Some(XfrmMode::BEET) => "beet",
        Some(_) => "transport",
        None if is_tunnel => "tunnel",
        None => "transport",
    };
    let _ = write!(text, " dir DIR tmpl src {} dst {} proto {proto} mode {mode}", src.addr, dst.addr);
    if request.linux.reqid != 0 {
        let _ = write!(text, " reqid {}", request.linux.reqid);
    }
    Some(text)
}

fn network(side: &InnerEndpoint) -> String {
    format!("{}/{}", side.addr, side.prefix_len)
}

fn any(like: IpAddr) -> String {
    if like.is_ipv4() { "0.0.0.0/0".to_owned() } else { "::/0".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Endpoint;

    fn endpoint(addr: &str, port: u16, proto: u8) -> Option<Endpoint> {
        Some(Endpoint { addr: addr.parse().unwrap(), port, proto })
    }

    #[test]
    fn transport() {
        let mut request = Request {
            sa_type: SaType::ESP,
            src: endpoint("192.0.2.1", 0, 6),
            dst: endpoint("192.0.2.2", 80, 6),
            ..Request::default()
        };
        request.linux.reqid = 7;
        assert_eq!(
            of(&request).unwrap(),
            "src 192.0.2.1 dst 192.0.2.2 proto 6 dport 80 dir DIR tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode transport reqid 7"
        );
        assert!(of(&Request { src: None, ..request }).is_none());
    }

    #[test]
    fn tunnel() {
        let net = InnerEndpoint { addr: "10.1.0.0".parse().unwrap(), prefix_len: 16, port: 0, proto: 0 };
        let request = Request {
            sa_type: SaType::ESP,
            src: endpoint("2001:db8::1", 0, 0),
            dst: endpoint("2001:db8::2", 0, 0),
            inner_src: Some(net).into(),
            ..Request::default()
        };
        let text = of(&request).unwrap();
        assert!(text.starts_with("src 10.1.0.0/16 dst ::/0 dir DIR tmpl src 2001:db8::1 "), "{text}");
        assert!(text.ends_with("proto esp mode tunnel"), "{text}");
    }
}
