//! Export: SAs in the format of another program.

use std::io::{self, Write};
use std::net::IpAddr;

use super::names::{SETKEY_AUTH, SETKEY_ENCR, WIRESHARK_AUTH, WIRESHARK_ENCR, theirs};
use crate::names::algorithms::{Auth, Encr, auth_by_number, encr_by_number};
use crate::names::linux;
use crate::sa::{Endpoint, InnerEndpoint, Lifetime, Request, SaType, XfrmMode};
use crate::secret::Key;
use crate::show;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    Setkey,
    /// Lines for `ip -batch`; see ip-xfrm(8).
    IpXfrm,
    /// The `esp_sa` file of Wireshark's preferences.
    Wireshark,
    /// The file that `tcpdump -E` takes.
    Tcpdump,
}

/// Why an SA cannot be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skipped(pub &'static str);

type Written = io::Result<Result<(), Skipped>>;

/// Writes the SA of `request` as one line, or nothing if the format cannot express it.
///
/// # Errors
/// Those of `out`.
pub(crate) fn export(target: ExportFormat, request: &Request, out: &mut dyn Write) -> Written {
    let Some(sa) = ExportedSa::of(request) else { return Ok(Err(Skipped("it has no destination address"))) };
    match target {
        ExportFormat::Setkey => setkey(&sa, out),
        ExportFormat::IpXfrm => ip_xfrm(&sa, out),
        ExportFormat::Wireshark => wireshark(&sa, out),
        ExportFormat::Tcpdump => tcpdump(&sa, out),
    }
}

/// A request with its algorithms looked up.
struct ExportedSa<'r> {
    request: &'r Request,
    src: Endpoint,
    dst: Endpoint,
    auth: Option<&'static Auth>,
    encr: Option<&'static Encr>,
}

impl<'r> ExportedSa<'r> {
    fn of(request: &'r Request) -> Option<Self> {
        let dst = request.dst?;
        // Each format needs a source of the destination's family.
        let unspecified: IpAddr = if dst.addr.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        // A keys file without `src`, or the default source ::, leaves a source of the other family.
        let src = request.src.filter(|src| src.addr.is_ipv4() == dst.addr.is_ipv4());
        let src = src.unwrap_or(Endpoint { addr: unspecified, port: 0, proto: 0 });
        let (auth, encr) = (auth_by_number(request.auth_alg), encr_by_number(request.encr_alg));
        Some(Self { request, src, dst, auth, encr })
    }

    fn is_tunnel(&self) -> bool {
        let inner = self.request.inner_src.is_some() || self.request.inner_dst.is_some();
        self.request.linux.mode.map_or(inner, |mode| mode == XfrmMode::TUNNEL)
    }

    fn proto(&self) -> &'static str {
        if self.request.sa_type == SaType::AH { "ah" } else { "esp" }
    }

    /// The source and destination port of UDP encapsulation.
    fn encap_ports(&self) -> Option<(u16, u16)> {
        let (local, remote) = (*self.request.natt_local, *self.request.natt_remote);
        // 0 means the default port of RFC 3948.
        let port = |end: Option<Endpoint>| end.map_or(4500, |end| if end.port == 0 { 4500 } else { end.port });
        (local.is_some() || remote.is_some()).then(|| (port(local), port(remote)))
    }
}

/// Writes `0x` and the digits of the key, if there is one.
fn key(out: &mut dyn Write, key: Option<&Key>) -> io::Result<()> {
    write!(out, "0x")?;
    key.map_or(Ok(()), |key| show::write_key(out, key))
}

fn setkey(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    // AH has no cipher, whatever the request holds.
    let encr = sa.encr.filter(|_| sa.request.sa_type == SaType::ESP);
    let encr_name = encr.map(|row| theirs(SETKEY_ENCR, row.names[0]));
    let auth_name = sa.auth.map(|row| theirs(SETKEY_AUTH, row.names[0]));
    // Before the first byte is written: a skipped SA leaves no partial line.
    if encr_name == Some(None) || auth_name == Some(None) {
        return Ok(Err(Skipped("setkey does not support the algorithm")));
    }
    let request = sa.request;
    let mode = if sa.is_tunnel() { "tunnel" } else { "transport" };
    match sa.encap_ports() {
        Some((local, remote)) => {
            write!(out, "add {}[{local}] {}[{remote}] esp-udp", sa.src.addr, sa.dst.addr)?;
        }
        None => write!(out, "add {} {} {}", sa.src.addr, sa.dst.addr, sa.proto())?,
    }
    write!(out, " {} -m {mode}", request.spi)?;
    let (hard, soft) = (request.hard.unwrap_or_default(), request.soft.unwrap_or_default());
    let numbers = [
        ("-u", request.linux.reqid.into()),
        ("-r", request.replay.into()),
        ("-lh", hard.addtime),
        ("-ls", soft.addtime),
        ("-bh", hard.bytes),
        ("-bs", soft.bytes),
    ];
    write_numbers(out, &numbers)?;
    if let Some(Some(name)) = encr_name {
        write!(out, " -E {name}")?;
        if request.encr_key.is_some() {
            write!(out, " ")?;
            key(out, request.encr_key.as_ref())?;
        }
    }
    if let Some(Some(name)) = auth_name {
        write!(out, " -A {name} ")?;
        key(out, request.auth_key.as_ref())?;
    }
    writeln!(out, ";").map(Ok)
}

/// Writes the options whose number is not zero.
fn write_numbers(out: &mut dyn Write, numbers: &[(&str, u64)]) -> io::Result<()> {
    numbers.iter().filter(|(_, value)| *value != 0).try_for_each(|(word, value)| write!(out, " {word} {value}"))
}

fn ip_xfrm(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    let request = sa.request;
    let mode = request.linux.mode.and_then(linux::mode_word).unwrap_or(if sa.is_tunnel() { "tunnel" } else { "transport" });
    write!(out, "xfrm state add src {} dst {} proto {} spi {}", sa.src.addr, sa.dst.addr, sa.proto(), request.spi)?;
    write!(out, " mode {mode}")?;
    write_numbers(out, &[("reqid", request.linux.reqid.into()), ("replay-window", request.replay.into())])?;
    // `ip` separates flags by blanks, a keys file by commas.
    let flags: Vec<&str> = linux::flag_words(request.linux.flags).collect();
    if !flags.is_empty() {
        write!(out, " flag {}", flags.join(" "))?;
    }
    ip_algorithms(sa, out)?;
    if let Some((local, remote)) = sa.encap_ports() {
        write!(out, " encap espinudp {local} {remote} {}", if sa.dst.addr.is_ipv4() { "0.0.0.0" } else { "::" })?;
    }
    if let Some(mark) = request.linux.mark {
        write!(out, " mark {:#x} mask {:#x}", mark.value, mark.mask)?;
    }
    if let Some(mark) = request.linux.output_mark {
        write!(out, " output-mark {:#x} mask {:#x}", mark.value, mark.mask)?;
    }
    write_numbers(out, &[("if_id", request.linux.if_id.into()), ("tfcpad", request.linux.tfcpad.into())])?;
    ip_selector(sa, out)?;
    ip_limits(request, out)?;
    writeln!(out).map(Ok)
}

fn ip_algorithms(sa: &ExportedSa<'_>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(row) = sa.auth {
        // `auth` would use the kernel's own ICV length, which differs from RFC 4868 for SHA-256.
        write!(out, " auth-trunc '{}' ", row.xfrm)?;
        key(out, sa.request.auth_key.as_ref())?;
        write!(out, " {}", sa.request.linux.icv_bits.unwrap_or(row.icv_bits))?;
    }
    let Some(row) = sa.encr.filter(|_| sa.request.sa_type == SaType::ESP) else { return Ok(()) };
    write!(out, " {} '{}' ", if row.is_combined() { "aead" } else { "enc" }, row.xfrm)?;
    match &sa.request.encr_key {
        Some(_) => key(out, sa.request.encr_key.as_ref())?,
        // ip-xfrm(8) requires a key; that of the null cipher is empty.
        None => write!(out, "''")?,
    }
    if row.is_combined() { write!(out, " {}", row.icv_bits) } else { Ok(()) }
}

/// Writes the selector: inner addresses, or the outer ones if there are ports or a protocol.
fn ip_selector(sa: &ExportedSa<'_>, out: &mut dyn Write) -> io::Result<()> {
    let request = sa.request;
    let side = |inner: Option<InnerEndpoint>, outer: Endpoint| match inner {
        Some(inner) => (format!("{}/{}", inner.addr, inner.prefix_len), inner.port, inner.proto),
        None => (outer.addr.to_string(), outer.port, outer.proto),
    };
    let has_inner = request.inner_src.is_some() || request.inner_dst.is_some();
    // A selector with the outer addresses alone would repeat the identity of the SA.
    let has_ports = sa.src.port != 0 || sa.dst.port != 0 || sa.dst.proto != 0;
    if !has_inner && !has_ports {
        return Ok(());
    }
    let (src, sport, _) = side(*request.inner_src, sa.src);
    let (dst, dport, proto) = side(*request.inner_dst, sa.dst);
    write!(out, " sel src {src} dst {dst}")?;
    let ports: [(&str, u64); 3] = [("proto", proto.into()), ("sport", sport.into()), ("dport", dport.into())];
    write_numbers(out, &ports)
}

fn ip_limits(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    let limits = |lifetime: Option<Lifetime>| lifetime.unwrap_or_default();
    // `ip` has no limit for idle SAs and none for flows, so those are not exported.
    let (hard, soft) = (limits(*request.hard), limits(*request.soft));
    write_numbers(
        out,
        &[
            ("limit time-soft", soft.addtime),
            ("limit time-hard", hard.addtime),
            ("limit time-use-soft", soft.usetime),
            ("limit time-use-hard", hard.usetime),
            ("limit byte-soft", soft.bytes),
            ("limit byte-hard", hard.bytes),
            ("limit packet-soft", request.linux.soft_packets),
            ("limit packet-hard", request.linux.hard_packets),
        ],
    )
}

fn wireshark(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    if sa.request.sa_type != SaType::ESP {
        return Ok(Err(Skipped("AH does not encrypt: Wireshark needs no key")));
    }
    let Some(encr) = sa.encr.and_then(|row| theirs_for(WIRESHARK_ENCR, row.names[0])) else {
        return Ok(Err(Skipped("Wireshark does not support the cipher")));
    };
    let auth = match sa.auth {
        // Wireshark needs an entry for authentication even if the cipher is combined.
        None => "NULL",
        Some(row) => match theirs_for(WIRESHARK_AUTH, row.names[0]) {
            Some(name) => name,
            None => return Ok(Err(Skipped("Wireshark does not support the authentication algorithm"))),
        },
    };
    let family = if sa.dst.addr.is_ipv4() { "IPv4" } else { "IPv6" };
    write!(out, "\"{family}\",\"{}\",\"{}\",\"{:#010x}\",\"{encr}\",\"", sa.src.addr, sa.dst.addr, sa.request.spi.0)?;
    optional_key(out, sa.request.encr_key.as_ref())?;
    write!(out, "\",\"{auth}\",\"")?;
    optional_key(out, sa.request.auth_key.as_ref())?;
    writeln!(out, "\"").map(Ok)
}

fn optional_key(out: &mut dyn Write, given: Option<&Key>) -> io::Result<()> {
    given.map_or(Ok(()), |given| key(out, Some(given)))
}

/// The tables of Wireshark have our names first.
fn theirs_for(table: &[(&'static str, &'static str)], ours: &str) -> Option<&'static str> {
    table.iter().find(|row| row.0 == ours).map(|row| row.1)
}

/// tcpdump passes the cipher's name to OpenSSL, and supports ICVs of 96 bits or none (`print-esp.c`).
fn tcpdump(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    if sa.request.sa_type != SaType::ESP {
        return Ok(Err(Skipped("AH does not encrypt: tcpdump needs no key")));
    }
    // OpenSSL has one name for each key length of AES.
    let bits = sa.request.encr_key.as_ref().map_or(0, Key::bits);
    let cipher = match (sa.encr.map_or("", |row| row.names[0]), bits) {
        ("aes-cbc", 128) => "aes128-cbc",
        ("aes-cbc", 192) => "aes192-cbc",
        ("aes-cbc", 256) => "aes256-cbc",
        ("3des-cbc", _) => "des3-cbc",
        ("des-cbc", _) => "des-cbc",
        ("blowfish-cbc", _) => "blowfish-cbc",
        ("null", _) => return Ok(Err(Skipped("the null cipher does not encrypt: tcpdump needs no key"))),
        _ => return Ok(Err(Skipped("tcpdump does not support the cipher"))),
    };
    // AES-GCM and the like are rejected above: their ICV is part of the cipher.
    let suffix = match sa.auth.map(|row| sa.request.linux.icv_bits.unwrap_or(row.icv_bits)) {
        None => "",
        Some(96) => "-hmac96",
        Some(_) => return Ok(Err(Skipped("tcpdump supports ICVs of 96 bits only: use export wireshark"))),
    };
    write!(out, "{}@{} {cipher}{suffix}:", sa.request.spi, sa.dst.addr)?;
    key(out, sa.request.encr_key.as_ref())?;
    writeln!(out).map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{AuthAlg, EncrAlg, Spi};

    fn request(encr: u16, auth: u16) -> Request {
        let endpoint = |addr: [u8; 4]| Some(Endpoint { addr: addr.into(), port: 0, proto: 0 });
        Request {
            sa_type: SaType::ESP,
            spi: Spi(0x1000),
            src: endpoint([192, 0, 2, 1]),
            dst: endpoint([198, 51, 100, 7]),
            encr_alg: EncrAlg(encr),
            auth_alg: AuthAlg(auth),
            encr_key: Some(Key::from_slice(&[0xab; 16], 128, 0)),
            auth_key: (auth != 0).then(|| Key::from_slice(&[0xcd; 4], 32, 0)),
            ..Request::default()
        }
    }

    fn exported(target: ExportFormat, request: &Request) -> Result<String, &'static str> {
        let mut out = Vec::new();
        let written = export(target, request, &mut out).unwrap();
        written.map(|()| String::from_utf8(out).unwrap()).map_err(|skipped| skipped.0)
    }

    const ENCR: &str = "0xabababababababababababababababab";

    #[test]
    fn export_writes_four_formats() {
        let sa = request(12, 3);
        let line = |target| exported(target, &sa).unwrap();
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
        assert!(exported(ExportFormat::Setkey, &request(16, 0)).unwrap_err().contains("does not support the algorithm"));
        assert!(exported(ExportFormat::Tcpdump, &request(12, 5)).unwrap_err().contains("96 bits"));
        assert!(exported(ExportFormat::Wireshark, &request(22, 5)).unwrap_err().contains("does not support the cipher"));
        assert!(exported(ExportFormat::IpXfrm, &Request { dst: None, ..request(12, 3) }).is_err());
    }

    #[test]
    fn export_writes_tunnels_and_limits() {
        let mut sa = request(20, 0);
        let net = |addr: [u8; 4]| Some(InnerEndpoint { addr: addr.into(), prefix_len: 16, port: 0, proto: 0 });
        (*sa.inner_src, *sa.inner_dst) = (net([10, 1, 0, 0]), net([10, 2, 0, 0]));
        sa.hard = Some(Lifetime { addtime: 60, ..Lifetime::default() }).into();
        let line = exported(ExportFormat::IpXfrm, &sa).unwrap();
        assert!(line.contains(" mode tunnel aead 'rfc4106(gcm(aes))' "), "{line}");
        assert!(line.ends_with(" 128 sel src 10.1.0.0/16 dst 10.2.0.0/16 limit time-hard 60\n"), "{line}");
    }
}
