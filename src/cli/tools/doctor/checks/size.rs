//! The size that the headers of an SA leave in a packet (RFC 4303 section 2, RFC 4302 section 2).

use crate::cli::tools::doctor::actual::Details;
use crate::names::algorithms::encr_by_number;
use crate::policy::PolicySa;
use crate::sa::{SaType, XfrmMode};

/// SPI and sequence number of ESP.
const ESP_HEADER: u32 = 8;
/// Pad length and next header.
const ESP_TRAILER: u32 = 2;
/// AH without its ICV.
const AH_HEADER: u32 = 12;
const UDP_HEADER: u32 = 8;

/// The largest packet in bytes, its IP header included, that fits with the headers of the SA into a packet of `mtu` bytes.
pub(super) fn largest_packet(sa: &PolicySa, details: &Details, mtu: u32) -> u32 {
    let is_ipv6 = sa.id.dst.is_ipv6();
    let ip_header = if is_ipv6 { 40 } else { 20 };
    let udp = if sa.udp_port.is_some() { UDP_HEADER } else { 0 };
    let left = mtu.saturating_sub(ip_header + udp);
    let payload =
        if sa.id.sa_type == SaType::AH { payload_of_ah(details, left, is_ipv6) } else { payload_of_esp(details, left) };
    // In transport mode the packet keeps its IP header.
    if sa.mode == XfrmMode::TRANSPORT { payload + ip_header } else { payload }
}

fn payload_of_esp(details: &Details, left: u32) -> u32 {
    let row = encr_by_number(details.encr);
    let (iv, own_icv) = row.map_or((0, 0), |row| (row.iv_len.into(), row.icv_bits));
    // A counter mode encrypts any number of bytes.
    let block = row.filter(|row| !row.counter_mode).map_or(1, |row| row.block_len.into());
    let icv = u32::from(own_icv.max(details.icv_bits)).div_ceil(8);
    let encrypted = left.saturating_sub(ESP_HEADER + iv + icv);
    // Padded to the block of the cipher, and to 4 bytes at least.
    let unit = u32::max(block, 4);
    (encrypted / unit * unit).saturating_sub(ESP_TRAILER)
}

fn payload_of_ah(details: &Details, left: u32, is_ipv6: bool) -> u32 {
    // The header is a multiple of 4 bytes in IPv4, of 8 in IPv6.
    let unit = if is_ipv6 { 8 } else { 4 };
    left.saturating_sub((AH_HEADER + u32::from(details.icv_bits).div_ceil(8)).next_multiple_of(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::algorithms::{AUTH, ENCR};
    use crate::sa::{Endpoint, InnerEndpoint, LinuxExtras, NATT_PORT, Request, Spi};

    fn details(encr: &str, auth: &str) -> Details {
        let auth = AUTH.iter().find(|row| row.names.contains(&auth));
        let encr = ENCR.iter().find(|row| row.names.contains(&encr));
        Details {
            encr: encr.map(|row| row.number).unwrap_or_default(),
            auth: auth.map(|row| row.number).unwrap_or_default(),
            icv_bits: auth.map_or(0, |row| row.icv_bits),
            ..Details::default()
        }
    }

    fn sa(sa_type: SaType, mode: XfrmMode, is_natt: bool) -> PolicySa {
        let end = |last| Some(Endpoint { addr: [192, 0, 2, last].into(), port: 0, proto: 0 });
        let any = || Some(InnerEndpoint { addr: [0; 4].into(), prefix_len: 0, port: 0, proto: 0 });
        let inner = if mode == XfrmMode::TUNNEL { any() } else { None };
        let request = Request {
            sa_type,
            spi: Spi(1),
            src: end(1),
            dst: end(2),
            inner_src: inner.into(),
            inner_dst: inner.into(),
            linux: LinuxExtras { mode: Some(mode), ..LinuxExtras::default() }.into(),
            ..Request::default()
        };
        PolicySa { udp_port: is_natt.then_some(NATT_PORT), ..PolicySa::of_request(&request).unwrap() }
    }

    /// The sizes that docs/tunnel.md has, measured with the kernel's answer "fragmentation needed".
    #[test]
    fn largest_packet_is_what_the_kernel_lets_pass() {
        let cbc = details("aes-cbc", "hmac-sha256");
        let gcm = details("aes-gcm16", "");
        for (mode, is_natt, details, expected) in [
            (XfrmMode::TUNNEL, false, &cbc, 1438),
            (XfrmMode::TUNNEL, false, &gcm, 1446),
            (XfrmMode::TRANSPORT, false, &cbc, 1458),
            (XfrmMode::TRANSPORT, false, &gcm, 1466),
            (XfrmMode::TUNNEL, true, &gcm, 1438),
        ] {
            assert_eq!(largest_packet(&sa(SaType::ESP, mode, is_natt), details, 1500), expected, "{mode:?} {is_natt}");
        }
        let ah = details("", "hmac-sha1");
        assert_eq!(largest_packet(&sa(SaType::AH, XfrmMode::TRANSPORT, false), &ah, 1500), 1500 - 24);
        assert_eq!(largest_packet(&sa(SaType::ESP, XfrmMode::TUNNEL, false), &cbc, 0), 0);
    }
}
