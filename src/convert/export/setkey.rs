//! Statements for setkey(8).

use std::io::{self, Write};

use super::{ExportedSa, Skipped, Written, key, write_numbers};
use crate::convert::names::{SETKEY_AUTH, SETKEY_ENCR, theirs};
use crate::names::algorithms::Auth;
use crate::sa::AuthAlg;

/// The largest anti-replay window of Linux PF_KEY, which setkey uses. The kernel silently truncates a larger one.
const LINUX_WINDOW: u32 = 32;
const HMAC_SHA256: AuthAlg = AuthAlg(5);
/// The length of the ICV that Linux PF_KEY gives to HMAC-SHA-256 (`xfrm_algo.c`).
const LINUX_SHA256_BITS: u16 = 96;

pub(super) fn write(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    let encr_name = sa.encr.map(|row| theirs(SETKEY_ENCR, row.names[0]));
    let auth_name = sa.auth.map(|row| theirs(SETKEY_AUTH, row.names[0]));
    // Before the first byte is written: a skipped SA leaves no partial line.
    if encr_name == Some(None) || auth_name == Some(None) {
        return Ok(Err(Skipped("setkey does not support the algorithm".to_owned())));
    }
    let icv_note = match icv_note(sa) {
        Ok(note) => note,
        Err(skipped) => return Ok(Err(skipped)),
    };
    match sa.encap_ports() {
        Some((local, remote)) => {
            let (src, dst) = if sa.is_inbound { (remote, local) } else { (local, remote) };
            write!(out, "add {}[{src}] {}[{dst}] esp-udp", sa.src.addr, sa.dst.addr)?;
        }
        None => write!(out, "add {} {} {}", sa.src.addr, sa.dst.addr, sa.proto())?,
    }
    let request = sa.request;
    let mode = if sa.is_tunnel() { "tunnel" } else { "transport" };
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
    algorithms(sa, [encr_name, auth_name].map(Option::flatten), out)?;
    writeln!(out, ";")?;
    let window = request.replay;
    let window_note = (window > LINUX_WINDOW)
        .then(|| format!("replay {window}: on Linux, setkey makes the anti-replay window {LINUX_WINDOW} packets"));
    Ok(Ok(icv_note.into_iter().chain(window_note).collect()))
}

fn algorithms(sa: &ExportedSa<'_>, [encr, auth]: [Option<&str>; 2], out: &mut dyn Write) -> io::Result<()> {
    if let Some(name) = encr {
        write!(out, " -E {name}")?;
        if sa.request.encr_key.is_some() {
            write!(out, " ")?;
            key(out, sa.request.encr_key.as_ref())?;
        }
    }
    if let Some(name) = auth {
        write!(out, " -A {name} ")?;
        key(out, sa.request.auth_key.as_ref())?;
    }
    Ok(())
}

/// The length of the ICV is that of the kernel, which differs for HMAC-SHA-256.
fn icv_note(sa: &ExportedSa<'_>) -> Result<Option<String>, Skipped> {
    let Some((row, bits)) = sa.auth.zip(sa.icv_bits()) else { return Ok(None) };
    let on_linux = if row.number == HMAC_SHA256 { LINUX_SHA256_BITS } else { row.icv_bits };
    let name = row.names[0];
    match (bits == on_linux, bits == row.icv_bits) {
        (true, true) => Ok(None),
        (false, true) => Ok(Some(differs(row, bits, "Linux", on_linux))),
        (true, false) => Ok(Some(differs(row, bits, "FreeBSD and NetBSD", row.icv_bits))),
        (false, false) => {
            Err(Skipped(format!("setkey cannot express icv {bits} of {name}, and without that it is another SA")))
        }
    }
}

fn differs(row: &Auth, bits: u16, system: &str, theirs: u16) -> String {
    format!("icv {bits}: on {system}, setkey truncates the ICV of {} to {theirs} bits", row.names[0])
}
