//! Export: SAs in the format of another program.
//!
//! Each property of an SA is in the output or named in a message ([`properties`]). An SA that a format cannot express is not written.

mod capture;
mod ip_xfrm;
mod ipsec_conf;
mod properties;
mod setkey;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::IpAddr;

use crate::names::algorithms::{Auth, Encr, auth_by_number, encr_by_number};
use crate::sa::{AuthAlg, EncrAlg, Endpoint, NATT_PORT, Request, SaType, XfrmMode};
use crate::secret::Key;
use crate::show;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum ExportFormat {
    /// setkey(8), also the format of `/etc/ipsec.conf` on FreeBSD and NetBSD.
    Setkey,
    /// Lines for `ip -batch`; see ip-xfrm(8).
    IpXfrm,
    /// ipsec.conf(5) of OpenBSD, manual keying.
    IpsecConf,
    /// The `esp_sa` file of Wireshark's preferences.
    Wireshark,
    /// The file that `tcpdump -E` takes.
    Tcpdump,
}

impl ExportFormat {
    /// Each format, with its word on the command line.
    pub(crate) const ALL: &[(&str, Self)] = &[
        ("setkey", Self::Setkey),
        ("ip-xfrm", Self::IpXfrm),
        ("ipsec.conf", Self::IpsecConf),
        ("wireshark", Self::Wireshark),
        ("tcpdump", Self::Tcpdump),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }
}

/// Why an SA cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped(pub String);

/// The properties that are lost or changed, one in each message; or why nothing is written.
pub(crate) type Written = io::Result<Result<Vec<String>, Skipped>>;

/// Writes the SA of `request` as one line, or nothing if the format cannot express it. `is_local` says whether an address is one of
/// this host: it decides the direction of an SA whose command does not.
///
/// # Errors
/// Those of `out`.
pub(crate) fn export(target: ExportFormat, request: &Request, is_local: fn(IpAddr) -> bool, out: &mut dyn Write) -> Written {
    let sa = match ExportedSa::of(request, is_local) {
        Ok(sa) => sa,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let lost = match properties::check(target, &sa) {
        Ok(lost) => lost,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let written = match target {
        ExportFormat::Setkey => setkey::write(&sa, out),
        ExportFormat::IpXfrm => ip_xfrm::write(&sa, out),
        ExportFormat::IpsecConf => ipsec_conf::write(&sa, out),
        ExportFormat::Wireshark => capture::wireshark(&sa, out),
        ExportFormat::Tcpdump => capture::tcpdump(&sa, out),
    };
    written.map(|written| written.map(|notes| lost.into_iter().chain(notes).collect()))
}

/// A request with its algorithms looked up.
struct ExportedSa<'r> {
    request: &'r Request,
    src: Endpoint,
    dst: Endpoint,
    mode: XfrmMode,
    /// Of the command, or else whether the destination is an address of this host, as for an add.
    is_inbound: bool,
    auth: Option<&'static Auth>,
    /// `None` for AH, which has no cipher.
    encr: Option<&'static Encr>,
}

impl<'r> ExportedSa<'r> {
    fn of(request: &'r Request, is_local: fn(IpAddr) -> bool) -> Result<Self, Skipped> {
        let Some(dst) = request.dst else { return Err(Skipped("it has no destination address".to_owned())) };
        if !matches!(request.sa_type, SaType::AH | SaType::ESP) {
            return Err(Skipped("it is neither AH nor ESP".to_owned()));
        }
        // Each format needs a source of the destination's family.
        let unspecified: IpAddr = if dst.addr.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        // A keys file without `src`, or the default source ::, leaves a source of the other family.
        let given = request.src.unwrap_or(Endpoint { addr: unspecified, port: 0, proto: 0 });
        let src = if given.addr.is_ipv4() == dst.addr.is_ipv4() { given } else { Endpoint { addr: unspecified, ..given } };
        if !given.addr.is_unspecified() && src.addr != given.addr {
            return Err(Skipped("src and dst are of different address families".to_owned()));
        }
        let (auth, encr) = (auth_by_number(request.auth_alg), encr_by_number(request.encr_alg));
        let encr = encr.filter(|_| request.sa_type == SaType::ESP);
        let is_unknown = (request.auth_alg != AuthAlg::NONE && auth.is_none())
            || (request.sa_type == SaType::ESP && request.encr_alg != EncrAlg::NONE && encr.is_none());
        if is_unknown {
            return Err(Skipped("its algorithm, a number, has no name".to_owned()));
        }
        let is_inbound = properties::direction(request).unwrap_or_else(|| is_local(dst.addr));
        Ok(Self { request, src, dst, mode: request.mode(), is_inbound, auth, encr })
    }

    fn is_tunnel(&self) -> bool {
        self.mode == XfrmMode::TUNNEL
    }

    fn has_inner(&self) -> bool {
        self.request.inner_src.is_some() || self.request.inner_dst.is_some()
    }

    /// Length of the ICV of the authentication algorithm.
    fn icv_bits(&self) -> Option<u16> {
        self.auth.map(|row| self.request.linux.icv_bits.unwrap_or(row.icv_bits))
    }

    fn proto(&self) -> &'static str {
        if self.request.sa_type == SaType::AH { "ah" } else { "esp" }
    }

    /// The local and remote port of UDP encapsulation.
    fn encap_ports(&self) -> Option<(u16, u16)> {
        let (local, remote) = (*self.request.natt_local, *self.request.natt_remote);
        // 0 means the default port of RFC 3948.
        let port = |end: Option<Endpoint>| end.map_or(NATT_PORT, |end| if end.port == 0 { NATT_PORT } else { end.port });
        (local.is_some() || remote.is_some()).then(|| (port(local), port(remote)))
    }
}

/// Writes `0x` and the digits of the key, if there is one.
fn key(out: &mut dyn Write, key: Option<&Key>) -> io::Result<()> {
    write!(out, "0x")?;
    key.map_or(Ok(()), |key| show::write_key(out, key))
}

/// Writes the options whose number is not zero.
fn write_numbers(out: &mut dyn Write, numbers: &[(&str, u64)]) -> io::Result<()> {
    numbers.iter().filter(|(_, value)| *value != 0).try_for_each(|(word, value)| write!(out, " {word} {value}"))
}
