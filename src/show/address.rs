//! The extensions for addresses.

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Style;
use crate::names::protocols;
use crate::sa::{AddressInfo, AddressRole};

/// The line prefix and the title of each role.
fn title(role: AddressRole) -> (&'static str, &'static str) {
    match role {
        AddressRole::Source => ("SRC: ", "Source address"),
        AddressRole::Destination => ("DST: ", "Destination address"),
        AddressRole::InnerSource => ("INS: ", "Inner source address"),
        AddressRole::InnerDestination => ("IND: ", "Inner destination address"),
        AddressRole::NattLocal => ("NLC: ", "NAT-T local address"),
        AddressRole::NattRemote => ("NRM: ", "NAT-T remote address"),
    }
}

/// Prints two lines: role and protocol; family, port, address, prefix length and name.
pub(super) fn print(out: &mut dyn Write, role: AddressRole, info: &AddressInfo, style: &Style<'_>) -> io::Result<()> {
    let (prefix, title) = title(role);
    write!(out, "{prefix}{title} (proto={}", info.proto)?;
    if !style.numeric {
        write!(out, "/{}", protocol_name(info.proto))?;
    }
    write!(out, ")\n{prefix}")?;
    // Extensions of unknown families are printed, so that `monitor` shows that they exist.
    let Some(addr) = info.addr else {
        return writeln!(out, "address family {}, which is not an IP one.", info.family);
    };
    let family = if addr.is_ipv4() { "AF_INET" } else { "AF_INET6" };
    write!(out, "{family}: port {}, {}", info.port, Text(addr))?;
    // Only inner addresses have a prefix length.
    if info.prefix_len != 0 {
        write!(out, "/{}", info.prefix_len)?;
    }
    if !style.numeric {
        write!(out, " {}", host(addr, style))?;
    }
    writeln!(out, ".")
}

fn protocol_name(proto: u8) -> &'static str {
    match proto {
        0 => "<unspecified>",
        _ => protocols::name(proto).unwrap_or("<unknown>"),
    }
}

fn host(addr: IpAddr, style: &Style<'_>) -> String {
    if addr.is_unspecified() {
        return "<unspecified>".to_owned();
    }
    style.names.host(with_name(addr)).map_or_else(|| "<unknown>".to_owned(), |name| format!("({name})"))
}

/// The address that a name server knows `addr` by: for an IPv6 address that holds an IPv4 one, that one, as getipnodebyaddr(3SOCKET) of
/// illumos does (RFC 2553 section 6.3).
fn with_name(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V6(six) => six.to_ipv4_mapped().or_else(|| compatible(six)).map_or(addr, IpAddr::V4),
        IpAddr::V4(_) => addr,
    }
}

/// The IPv4 address in an IPv4-compatible one. `::1` and the like are none.
fn compatible(addr: Ipv6Addr) -> Option<Ipv4Addr> {
    match addr.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => addr.to_ipv4(),
        _ => None,
    }
}

/// An address in the form of inet_ntop(3): unlike `Display`, it writes IPv4-compatible addresses in dotted decimals too.
pub(super) struct Text(pub(super) IpAddr);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(addr) => match compatible(addr) {
                Some(four) => write!(f, "::{four}"),
                None => addr.fmt(f),
            },
            IpAddr::V4(addr) => addr.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::HostTable;
    use crate::show::message::tests::style;

    fn printed(info: &AddressInfo, style: &Style<'_>) -> String {
        let mut out = Vec::new();
        print(&mut out, AddressRole::InnerSource, info, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn print_with_numbers_and_with_names() {
        let addr = Some(IpAddr::from([192, 0, 2, 1]));
        let info = AddressInfo { proto: 6, prefix_len: 24, family: 2, addr, port: 80 };
        let numeric = "INS: Inner source address (proto=6)\nINS: AF_INET: port 80, 192.0.2.1/24.\n";
        assert_eq!(printed(&info, &style()), numeric);
        let names = HostTable { hosts: "192.0.2.1 me".into(), cookies: String::new() };
        let named = "INS: Inner source address (proto=6/tcp)\nINS: AF_INET: port 80, 192.0.2.1/24 (me).\n";
        assert_eq!(printed(&info, &Style { numeric: false, names: &names, ..style() }), named);
        let any = AddressInfo { addr: Some("::".parse().unwrap()), proto: 0, prefix_len: 0, ..info };
        let unspecified = "INS: Inner source address (proto=0/<unspecified>)\nINS: AF_INET6: port 80, :: <unspecified>.\n";
        assert_eq!(printed(&any, &Style { numeric: false, ..style() }), unspecified);
    }

    /// tcpkey(8) of illumos has `::ffff:192.168.1.1/32 (host.example.com)`.
    #[test]
    fn print_names_the_ipv4_address_in_an_ipv6_one() {
        let names = HostTable { hosts: "192.168.1.1 host.example.com".into(), cookies: String::new() };
        let style = Style { numeric: false, names: &names, ..style() };
        let name = |addr: &str| {
            let info = AddressInfo { proto: 6, prefix_len: 32, family: 26, addr: Some(addr.parse().unwrap()), port: 0 };
            printed(&info, &style).lines().nth(1).unwrap().to_owned()
        };
        let mapped = "INS: AF_INET6: port 0, ::ffff:192.168.1.1/32 (host.example.com).";
        assert_eq!(name("::ffff:192.168.1.1"), mapped);
        assert!(name("::192.168.1.1").ends_with("::192.168.1.1/32 (host.example.com)."));
        for other in ["::1", "::ffff:192.168.1.2", "::ffff:0:192.168.1.1", "64:ff9b::192.168.1.1"] {
            assert!(name(other).ends_with(" <unknown>."), "{other}");
        }
    }

    #[test]
    fn print_of_an_unknown_family() {
        let info = AddressInfo { proto: 0, prefix_len: 0, family: 10, addr: None, port: 0 };
        let text = "INS: Inner source address (proto=0)\nINS: address family 10, which is not an IP one.\n";
        assert_eq!(printed(&info, &style()), text);
    }

    #[test]
    fn text_has_the_form_of_inet_ntop() {
        let text = |addr: &str| Text(addr.parse().unwrap()).to_string();
        assert_eq!(text("::c000:201"), "::192.0.2.1");
        assert_eq!(text("::ffff:1.2.3.4"), "::ffff:1.2.3.4");
        assert_eq!(text("::1"), "::1");
        assert_eq!(text("1:0:0:2::3"), "1:0:0:2::3");
    }
}
