//! ADDRESS_SRC, ADDRESS_DST, ADDRESS_PROXY (RFC 2367 section 2.3.3) and illumos' inner and NAT-T addresses.
//!
//! ```text
//!  4       5        6          8        10     12                    24
//! +-------+--------+----------+--------+------+---------+----------+
//! | proto | prefix | reserved | family | port | IPv4    | 8 zeros  |
//! +-------+--------+----------+--------+------+---------+----------+
//!  4       5        6          8        10     12         16     32       36 or 40
//! +-------+--------+----------+--------+------+----------+------+-------+-----------+
//! | proto | prefix | reserved | family | port | flowinfo | IPv6 | scope | (illumos) |
//! +-------+--------+----------+--------+------+----------+------+-------+-----------+
//! ```
//!
//! Port and address are in network order. illumos' `sockaddr_in6` has a private 32-bit word at its end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dialect::{AF_INET, Dialect};
use crate::sa::AddressInfo;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// `sizeof(struct sockaddr_in)` in bytes, on both systems.
const SOCKADDR_IN_LEN: usize = 16;

pub(super) fn read(dialect: &Dialect, body: &mut Reader<'_>) -> Result<AddressInfo, ReadError> {
    let (proto, prefix_len) = (body.u8()?, body.u8()?);
    // illumos does not test reserved fields (keysock.c, ext_check), so a reply may hold any value here.
    body.skip(2)?;
    let (family, port) = (body.u16()?, body.be16()?);
    // The family decides, not the length: illumos returns an IPv4-mapped address as AF_INET in an extension of 40 bytes
    // (sadb.c, sadb_addrfix).
    let addr = if family == AF_INET {
        Some(IpAddr::V4(Ipv4Addr::from(body.array::<4>()?)))
    } else if family == dialect.af_inet6 {
        // sin6_flowinfo
        body.skip(4)?;
        Some(IpAddr::V6(Ipv6Addr::from(body.array::<16>()?)))
    } else {
        // An unknown family is kept as a number, so that the message can still be shown.
        None
    };
    Ok(AddressInfo { proto, prefix_len, family, addr, port })
}

pub(super) fn write(writer: &mut Writer, dialect: &Dialect, address: &AddressInfo) {
    writer.u8(address.proto);
    writer.u8(address.prefix_len);
    writer.zeros(2);
    // The tail below counts from the sockaddr, not from the start of the extension.
    let start = writer.position();
    let len = match address.addr {
        Some(IpAddr::V4(addr)) => {
            writer.u16(AF_INET);
            writer.be16(address.port);
            writer.bytes(&addr.octets());
            SOCKADDR_IN_LEN
        }
        Some(IpAddr::V6(addr)) => {
            writer.u16(dialect.af_inet6);
            writer.be16(address.port);
            writer.zeros(4);
            writer.bytes(&addr.octets());
            dialect.sockaddr_in6_len
        }
        // illumos refuses an address extension that ends before its sockaddr (D-30, D-31), so the smaller one is written.
        None => {
            writer.u16(address.family);
            writer.be16(address.port);
            SOCKADDR_IN_LEN
        }
    };
    // illumos' sockaddr_in6 has 32 bytes, Linux' 28. Padded to whole words, both extensions have 40.
    writer.zeros((start + len).saturating_sub(writer.position()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pfkey::tests::{body_bytes, check_body};

    fn bytes(dialect: &Dialect, address: &AddressInfo) -> Vec<u8> {
        body_bytes(|writer| {
            write(writer, dialect, address);
            Ok(())
        })
    }

    #[test]
    fn ipv4() {
        let addr = Some(IpAddr::from([192, 168, 2, 0]));
        let address = AddressInfo { proto: 6, prefix_len: 24, family: AF_INET, addr, port: 80 };
        let bytes = bytes(&Dialect::ILLUMOS, &address);
        check_body(&bytes, "06 18 0000 0200 0050 c0a80200 0000000000000000");
        assert_eq!(read(&Dialect::ILLUMOS, &mut Reader::new(&bytes)), Ok(address));
    }

    #[test]
    fn ipv6_family_and_length_by_dialect() {
        for (dialect, tail) in [(Dialect::ILLUMOS, "0000000000000000"), (Dialect::LINUX, "00000000")] {
            let addr = Some("2001:db8::1".parse().unwrap());
            let address = AddressInfo { proto: 0, prefix_len: 0, family: dialect.af_inet6, addr, port: 500 };
            let bytes = bytes(&dialect, &address);
            let family = format!("{:02x}00", dialect.af_inet6);
            check_body(&bytes, &format!("00 00 0000 {family} 01f4 00000000 20010db8000000000000000000000001 {tail}"));
            assert_eq!(read(&dialect, &mut Reader::new(&bytes)), Ok(address));
        }
    }

    #[test]
    fn illumos_ipv4_in_a_sockaddr_in6() {
        let mut bytes = bytes(
            &Dialect::ILLUMOS,
            &AddressInfo { proto: 0, prefix_len: 0, family: AF_INET, addr: Some(IpAddr::from([10, 0, 0, 1])), port: 0 },
        );
        bytes.resize(36, 0);
        let address = read(&Dialect::ILLUMOS, &mut Reader::new(&bytes)).unwrap();
        assert_eq!(address.addr, Some(IpAddr::from([10, 0, 0, 1])));
    }

    #[test]
    fn unknown_family_has_no_address() {
        let address = AddressInfo { proto: 1, prefix_len: 2, family: 10, addr: None, port: 3 };
        let bytes = bytes(&Dialect::ILLUMOS, &address);
        assert_eq!(bytes.len(), 20);
        assert_eq!(read(&Dialect::ILLUMOS, &mut Reader::new(&bytes)), Ok(address));
    }
}
