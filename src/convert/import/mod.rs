//! Import: a keys file from the configuration of another program.
//!
//! Every word of the source is in the keys file or named in a note. An SA that a keys file cannot express is not written as another
//! SA: a comment without keys takes its place.

mod detect;
mod ip_xfrm;
mod ipsec_conf;
mod key;
mod output;
mod setkey;
mod shell;
mod statements;
mod writer;

use std::io;
use std::net::IpAddr;

pub(crate) use detect::detect;

use crate::policy::PolicyId;
use crate::secret::{Buffer, Full};

/// The format of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportFormat {
    /// setkey(8), also the format of `/etc/ipsec.conf` on FreeBSD and NetBSD.
    Setkey,
    /// ip-xfrm(8): a script, a file for `ip -batch`, or the output of `ip xfrm state`.
    IpXfrm,
    /// ipsec.conf(5) of OpenBSD, manual keying only.
    IpsecConf,
}

/// A remark about a statement. It never contains a word of the text that may be a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportNote {
    /// The first line of the statement.
    pub(crate) line: u32,
    pub(crate) text: String,
    /// Whether something of the statement is missing from the keys file.
    pub(crate) is_lost: bool,
}

/// A policy in the source. A keys file has none; the service derives those of its SAs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportedPolicy {
    pub(crate) line: u32,
    /// `None` if it could not be read.
    pub(crate) id: Option<PolicyId>,
    /// Source and destination of its templates.
    pub(crate) ends: Vec<(IpAddr, IpAddr)>,
    /// Why the service would not derive it, whatever the SAs are.
    pub(crate) other: Option<String>,
}

/// A keys file, and remarks about its source.
pub(crate) struct Imported {
    pub(crate) text: Buffer,
    /// In the order of lines.
    pub(crate) notes: Vec<ImportNote>,
    pub(crate) policies: Vec<ImportedPolicy>,
}

/// Translates `text` to a keys file. `is_local`: whether an address belongs to this host: some properties depend on the
/// direction of an SA.
///
/// # Errors
/// `text` is not UTF-8, the keys file exceeds 16 times its size, or there is no memory for that.
pub(crate) fn import(source: ImportFormat, text: &[u8], is_local: &dyn Fn(IpAddr) -> bool) -> io::Result<Imported> {
    let text = std::str::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let mut output = output::Output::new(text.len(), is_local)?;
    let translate: fn(&str, &mut output::Output<'_>) -> Result<(), Full> = match source {
        ImportFormat::Setkey => setkey::import,
        ImportFormat::IpXfrm => ip_xfrm::import,
        ImportFormat::IpsecConf => ipsec_conf::import,
    };
    translate(text, &mut output).map_err(io::Error::other)?;
    Ok(output.finish())
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The keys file, and the notes with their lines. 192.0.2.1 is an address of this host.
    pub(in crate::convert) fn imported(source: ImportFormat, text: &str) -> (String, Vec<(u32, String)>) {
        let imported = import(source, text.as_bytes(), &|addr| addr == IpAddr::from([192, 0, 2, 1])).unwrap();
        let notes = imported.notes.into_iter().map(|note| (note.line, note.text)).collect();
        (String::from_utf8(imported.text.to_vec()).unwrap(), notes)
    }

    /// The keys file, and the notes about what is missing from it.
    pub(in crate::convert) fn lost(source: ImportFormat, text: &str) -> (String, Vec<String>) {
        let imported = import(source, text.as_bytes(), &|addr| addr == IpAddr::from([192, 0, 2, 1])).unwrap();
        let lost = imported.notes.into_iter().filter(|note| note.is_lost).map(|note| note.text).collect();
        (String::from_utf8(imported.text.to_vec()).unwrap(), lost)
    }
}
