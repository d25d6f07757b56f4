//! Lines of each format, and what they lack.

use super::*;
use crate::sa::{Flags, InnerEndpoint, Lifetime, LinuxExtras, Masked, Offload, SaState, Spi, XfrmFlags};

fn end(addr: [u8; 4]) -> Option<Endpoint> {
    Some(Endpoint { addr: addr.into(), port: 0, proto: 0 })
}

fn request(encr: u16, auth: u16) -> Request {
    Request {
        sa_type: SaType::ESP,
        spi: Spi(0x1000),
        state: SaState::MATURE,
        src: end([192, 0, 2, 1]),
        dst: end([198, 51, 100, 7]),
        encr_alg: EncrAlg(encr),
        auth_alg: AuthAlg(auth),
        encr_key: Some(Key::from_slice(&[0xab; 16], 128, 0)),
        auth_key: (auth != 0).then(|| Key::from_slice(&[0xcd; 4], 32, 0)),
        ..Request::default()
    }
}

fn linux(extras: LinuxExtras) -> Request {
    Request { linux: extras.into(), ..request(12, 3) }
}

/// The line and the messages, or why there is none.
fn exported(target: ExportFormat, request: &Request) -> Result<(String, Vec<String>), String> {
    let mut out = Vec::new();
    let written = export(target, request, |_| false, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    match written {
        Ok(lost) => Ok((text, lost)),
        Err(skipped) => {
            assert_eq!(text, "", "a part of a line");
            Err(skipped.0)
        }
    }
}

const ENCR: &str = "0xabababababababababababababababab";

#[test]
fn export_writes_five_formats() {
    let sa = request(12, 3);
    let line = |target| {
        let (line, lost) = exported(target, &sa).unwrap();
        assert!(lost.is_empty(), "{lost:?}");
        line
    };
    assert_eq!(
        line(ExportFormat::Setkey),
        format!("add 192.0.2.1 198.51.100.7 esp 0x1000 -m transport -E aes-cbc {ENCR} -A hmac-sha1 0xcdcdcdcd;\n")
    );
    assert_eq!(
        line(ExportFormat::IpXfrm),
        format!(
            "xfrm state add src 192.0.2.1 dst 198.51.100.7 proto esp spi 0x1000 mode transport auth-trunc 'hmac(sha1)' 0xcdcdcdcd 96 \
             enc 'cbc(aes)' {ENCR}\n"
        )
    );
    assert_eq!(
        line(ExportFormat::IpsecConf),
        format!(
            "esp transport from 192.0.2.1 to 198.51.100.7 spi 0x1000 auth hmac-sha1 enc aes authkey 0xcdcdcdcd enckey {ENCR}\n"
        )
    );
    assert_eq!(
        line(ExportFormat::Wireshark),
        format!(
            "\"IPv4\",\"192.0.2.1\",\"198.51.100.7\",\"0x00001000\",\"AES-CBC [RFC3602]\",\"{ENCR}\",\"HMAC-SHA-1-96 [RFC2404]\",\
             \"0xcdcdcdcd\"\n"
        )
    );
    assert_eq!(line(ExportFormat::Tcpdump), format!("0x1000@198.51.100.7 aes128-cbc-hmac96:{ENCR}\n"));
}

#[test]
fn export_skips_what_a_format_cannot_express() {
    let skipped = |target, request: &Request| exported(target, request).unwrap_err();
    assert!(skipped(ExportFormat::Setkey, &request(16, 0)).contains("does not support the algorithm"));
    assert!(skipped(ExportFormat::IpsecConf, &request(20, 0)).contains("does not support the algorithm"));
    assert!(skipped(ExportFormat::Tcpdump, &request(12, 5)).contains("96 bits"));
    assert!(skipped(ExportFormat::Wireshark, &request(22, 5)).contains("does not support the cipher"));
    assert!(exported(ExportFormat::IpXfrm, &Request { dst: None, ..request(12, 3) }).is_err());
    assert!(skipped(ExportFormat::IpXfrm, &request(12, 250)).contains("has no name"));
    assert!(skipped(ExportFormat::IpXfrm, &Request { sa_type: SaType(9), ..request(12, 3) }).contains("neither AH nor ESP"));
}

/// Without these, the SA would be another one.
#[test]
fn export_setkey_skips_an_sa_that_it_would_change() {
    let mark = Some(Masked { value: 1, mask: 255 });
    let changed = [
        (LinuxExtras { flags: XfrmFlags::ESN, mark, ..LinuxExtras::default() }, "esn, mark"),
        (LinuxExtras { if_id: 9, ..LinuxExtras::default() }, "if_id"),
        (LinuxExtras { mode: Some(XfrmMode::BEET), ..LinuxExtras::default() }, "mode beet"),
        (LinuxExtras { flags: XfrmFlags::ALIGN4, ..LinuxExtras::default() }, "flag align4"),
        (LinuxExtras { icv_bits: Some(128), ..LinuxExtras::default() }, "icv 128"),
    ];
    for (extras, word) in changed {
        let reason = exported(ExportFormat::Setkey, &linux(extras.clone())).unwrap_err();
        assert!(reason.contains(word), "{reason}");
        assert_eq!(exported(ExportFormat::IpXfrm, &linux(extras)).unwrap().1, [""; 0], "{word}");
    }
}

#[test]
fn export_names_a_changed_icv() {
    let icv = |auth, bits| {
        let icv_bits = Some(bits);
        Request { linux: LinuxExtras { icv_bits, ..LinuxExtras::default() }.into(), ..request(12, auth) }
    };
    let (_, lost) = exported(ExportFormat::Setkey, &request(12, 5)).unwrap();
    assert_eq!(lost, ["icv 128: on Linux, setkey truncates the ICV of hmac-sha256 to 96 bits"]);
    let (_, lost) = exported(ExportFormat::Setkey, &icv(5, 96)).unwrap();
    assert!(lost[0].starts_with("icv 96: on FreeBSD and NetBSD"), "{lost:?}");
    let wireshark = |request: &Request| exported(ExportFormat::Wireshark, request).map(|(line, _)| line);
    assert!(wireshark(&icv(5, 96)).unwrap().contains("HMAC-SHA-256-96 [draft-ietf-ipsec-ciph-sha-256-00]"));
    assert!(wireshark(&icv(7, 128)).unwrap().contains("ANY 128 bit authentication [no checking]"));
    assert!(wireshark(&icv(5, 104)).unwrap_err().contains("length of the ICV"));
    assert!(exported(ExportFormat::IpsecConf, &icv(5, 96)).unwrap_err().contains("icv"));
}

#[test]
fn export_ip_xfrm_has_the_words_of_ip() {
    let line = |request: &Request| exported(ExportFormat::IpXfrm, request).unwrap();
    let offload = |whole_packet| Some(Offload { device: "eth0".into(), inbound: false, whole_packet });
    let flags = XfrmFlags::NOECN | XfrmFlags::OSEQ_MAY_WRAP | XfrmFlags::DONT_ENCAP_DSCP;
    let sa = linux(LinuxExtras { flags, offload: offload(true), ..LinuxExtras::default() });
    let (text, lost) = line(&Request { flags: Flags::INBOUND, replay: 32, replay_value: Some(5), ..sa });
    assert!(text.contains(" replay-window 32 replay-seq 5 flag noecn extra-flag dont-encap-dscp oseq-may-wrap "), "{text}");
    assert!(text.contains(" dir in offload packet dev eth0 dir in"), "{text}");
    assert!(lost.len() == 1 && lost[0].starts_with("replay_value"), "{lost:?}");
    let sa = linux(LinuxExtras { flags: XfrmFlags::ESN, offload: offload(false), ..LinuxExtras::default() });
    let (text, lost) = line(&Request { replay_value: Some(1 << 32 | 7), ..sa });
    assert!(
        text.contains(" replay-oseq 7 replay-oseq-hi 1 flag esn ") && text.contains(" offload dev eth0 dir out"),
        "{text}"
    );
    assert!(lost.is_empty() && !text.contains(" dir out offload"), "{text}");
}

#[test]
fn export_ip_xfrm_has_the_ports_of_the_packets() {
    let port = |port| Some(Endpoint { addr: [0; 4].into(), port, proto: 0 });
    let encap = |flags| Request { flags, natt_local: port(4500).into(), natt_remote: port(4501).into(), ..request(12, 3) };
    let text = |request: &Request| exported(ExportFormat::IpXfrm, request).unwrap().0;
    assert!(text(&encap(Flags::OUTBOUND)).contains(" encap espinudp 4500 4501 0.0.0.0"));
    assert!(text(&encap(Flags::INBOUND)).contains(" encap espinudp 4501 4500 0.0.0.0"));
    let with = |proto, port| {
        let end = |addr: [u8; 4], port| Some(Endpoint { addr: addr.into(), port, proto });
        Request { src: end([192, 0, 2, 1], 0), dst: end([192, 0, 2, 2], port), ..request(12, 3) }
    };
    assert!(text(&with(6, 179)).ends_with(" sel src 192.0.2.1 dst 192.0.2.2 proto 6 dport 179\n"));
    assert!(text(&with(1, 8)).ends_with(" proto 1 code 8\n"));
    assert!(text(&with(89, 0)).ends_with(" proto 89\n"));
    assert!(exported(ExportFormat::IpXfrm, &with(0, 179)).unwrap_err().contains("ports"));
    // The protocol of a tunnel is no selector.
    let tunnel = Request { flags: Flags::TUNNEL, ..with(4, 0) };
    assert!(!text(&tunnel).contains(" sel "), "{}", text(&tunnel));
}

#[test]
fn export_writes_tunnels_and_limits() {
    let mut sa = request(20, 0);
    let net = |addr: [u8; 4]| Some(InnerEndpoint { addr: addr.into(), prefix_len: 16, port: 0, proto: 0 });
    (*sa.inner_src, *sa.inner_dst) = (net([10, 1, 0, 0]), net([10, 2, 0, 0]));
    sa.hard = Some(Lifetime { addtime: 60, ..Lifetime::default() }).into();
    let (line, _) = exported(ExportFormat::IpXfrm, &sa).unwrap();
    assert!(line.contains(" mode tunnel aead 'rfc4106(gcm(aes))' "), "{line}");
    assert!(line.ends_with(" 128 sel src 10.1.0.0/16 dst 10.2.0.0/16 limit time-hard 60\n"), "{line}");
    let (_, lost) = exported(ExportFormat::Setkey, &sa).unwrap();
    assert_eq!(lost, ["setkey cannot express isrc, idst"]);
}
