//! Rules of OpenBSD's ipsec.conf(5), manual keying.

use std::io::{self, Write};

use super::{ExportedSa, Skipped, Written, key};
use crate::convert::names::{OPENBSD_AUTH, OPENBSD_ENCR, theirs};

/// `esp MODE from SRC to DST spi N auth A enc E authkey K enckey K`.
pub(super) fn write(sa: &ExportedSa<'_>, out: &mut dyn Write) -> Written {
    let encr_name = sa.encr.map(|row| theirs(OPENBSD_ENCR, row.names[0]));
    let auth_name = sa.auth.map(|row| theirs(OPENBSD_AUTH, row.names[0]));
    if encr_name == Some(None) || auth_name == Some(None) {
        return Ok(Err(Skipped("ipsec.conf does not support the algorithm with manual keys".to_owned())));
    }
    if sa.src.addr.is_unspecified() {
        return Ok(Err(Skipped("ipsec.conf needs the source address".to_owned())));
    }
    let mode = if sa.is_tunnel() { "tunnel" } else { "transport" };
    write!(out, "{} {mode} from {} to {} spi {}", sa.proto(), sa.src.addr, sa.dst.addr, sa.request.spi)?;
    // The default algorithms of ipsec.conf(5) are HMAC-SHA-256 and AES.
    if let Some(name) = auth_name.flatten() {
        write!(out, " auth {name}")?;
    }
    if let Some(name) = encr_name.flatten() {
        write!(out, " enc {name}")?;
    }
    key_of(out, "authkey", sa.request.auth_key.as_ref().filter(|_| sa.auth.is_some()))?;
    key_of(out, "enckey", sa.request.encr_key.as_ref().filter(|_| sa.encr.is_some()))?;
    writeln!(out)?;
    Ok(Ok(Vec::new()))
}

fn key_of(out: &mut dyn Write, word: &str, given: Option<&crate::secret::Key>) -> io::Result<()> {
    if given.is_none() {
        return Ok(());
    }
    write!(out, " {word} ")?;
    key(out, given)
}
