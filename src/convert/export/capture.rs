//! Tables for programs that decrypt captured packets: Wireshark and tcpdump.

use std::io::{self, Write};

use super::{ExportedSa, Skipped, Written, key};
use crate::convert::names::{WIRESHARK_ANY, WIRESHARK_AUTH, WIRESHARK_ENCR};
use crate::names::algorithms::Auth;
use crate::sa::SaType;
use crate::secret::Key;

fn skipped(reason: &str) -> Written {
    Ok(Err(Skipped(reason.to_owned())))
}

pub(super) fn wireshark(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    if sa.request.sa_type != SaType::ESP {
        return skipped("AH does not encrypt: Wireshark needs no key");
    }
    let Some(encr) = sa.encr.and_then(|row| WIRESHARK_ENCR.iter().find(|known| known.0 == row.names[0])) else {
        return skipped("Wireshark does not support the cipher");
    };
    // Wireshark needs an entry for authentication even if the cipher is combined.
    let Some(auth) = sa.auth.map_or(Some("NULL"), |row| wireshark_auth(row, sa.icv_bits())) else {
        return skipped("Wireshark does not support this length of the ICV");
    };
    let family = if sa.dst.addr.is_ipv4() { "IPv4" } else { "IPv6" };
    write!(out, "\"{family}\",\"{}\",\"{}\",\"{:#010x}\",\"{}\",\"", sa.src.addr, sa.dst.addr, sa.request.spi.0, encr.1)?;
    optional_key(out, sa.request.encr_key.as_ref())?;
    write!(out, "\",\"{auth}\",\"")?;
    optional_key(out, sa.request.auth_key.as_ref())?;
    writeln!(out, "\"")?;
    Ok(Ok(Vec::new()))
}

/// The entry for an algorithm and the length of its ICV; without one of its own, the one that only skips so many bits.
fn wireshark_auth(row: &Auth, bits: Option<u16>) -> Option<&'static str> {
    let bits = bits.unwrap_or(row.icv_bits);
    let own = WIRESHARK_AUTH.iter().find(|known| known.0 == row.names[0] && known.1 == bits).map(|known| known.2);
    own.or_else(|| WIRESHARK_ANY.iter().find(|known| known.0 == bits).map(|known| known.1))
}

fn optional_key(out: &mut dyn Write, given: Option<&Key>) -> io::Result<()> {
    given.map_or(Ok(()), |given| key(out, Some(given)))
}

/// tcpdump passes the cipher's name to OpenSSL, and supports ICVs of 96 bits or none (`print-esp.c`).
pub(super) fn tcpdump(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    if sa.request.sa_type != SaType::ESP {
        return skipped("AH does not encrypt: tcpdump needs no key");
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
        ("null", _) => return skipped("the null cipher does not encrypt: tcpdump needs no key"),
        _ => return skipped("tcpdump does not support the cipher"),
    };
    // AES-GCM and the like are rejected above: their ICV is part of the cipher.
    let suffix = match sa.icv_bits() {
        None => "",
        Some(96) => "-hmac96",
        Some(_) => return skipped("tcpdump supports ICVs of 96 bits only: use export wireshark"),
    };
    write!(out, "{}@{} {cipher}{suffix}:", sa.request.spi, sa.dst.addr)?;
    key(out, sa.request.encr_key.as_ref())?;
    writeln!(out)?;
    Ok(Ok(Vec::new()))
}
