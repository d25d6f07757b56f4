//! Import: a keys file from the configuration of another program.

use std::io::{self, Write};

use super::statements::{Statement, StatementEnd, statements};
use super::writer::{CommandWriter, Untranslatable};
use super::{ip_xfrm, ipsec_conf, setkey};
use crate::secret::Buffer;

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
    /// Whether the statement is missing from the keys file.
    pub(crate) is_lost: bool,
}

/// A keys file, and remarks about its source.
pub(crate) struct Imported {
    pub(crate) text: Buffer,
    /// In the order of lines.
    pub(crate) notes: Vec<ImportNote>,
}

/// Translates one statement of a format.
type Translate = fn(&Statement<'_>, &mut CommandWriter) -> Result<(), Untranslatable>;

/// Translates `text` to a keys file.
///
/// # Errors
/// `text` is not UTF-8, the keys file exceeds 16 times its size, or there is no memory for that.
pub(crate) fn import(source: ImportFormat, text: &[u8]) -> io::Result<Imported> {
    let text = std::str::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let (end, translate): (StatementEnd, Translate) = match source {
        ImportFormat::Setkey => (StatementEnd::Semicolon, setkey::translate),
        ImportFormat::IpXfrm => (StatementEnd::Line(&["ip", "xfrm"]), ip_xfrm::translate),
        ImportFormat::IpsecConf => (StatementEnd::Line(&["esp", "ah"]), ipsec_conf::translate),
    };
    // The buffer cannot grow, since a reallocation would leave keys behind. A key in characters takes twice its length in digits,
    // and some keywords are longer than those they replace.
    let mut imported = Imported { text: Buffer::try_with_capacity(16 * text.len() + 1024)?, notes: Vec::new() };
    for statement in statements(text, end) {
        let len: usize = statement.words.iter().map(|word| word.text.len()).sum();
        // A statement that fails half-way must leave nothing in the keys file, so each has a buffer of its own.
        let mut writer = CommandWriter::new(8 * len + 1024);
        let line = statement.line;
        match translate(&statement, &mut writer) {
            Ok(()) => imported.text.write_all(writer.text())?,
            // The commands of other statements are still useful; the caller reports the loss.
            Err(text) => imported.notes.push(ImportNote { line, text, is_lost: true }),
        }
        imported.notes.extend(writer.into_notes().into_iter().map(|text| ImportNote { line, text, is_lost: false }));
    }
    Ok(imported)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The keys file, and the notes with their lines.
    pub(in crate::convert) fn imported(source: ImportFormat, text: &str) -> (String, Vec<(u32, String)>) {
        let imported = import(source, text.as_bytes()).unwrap();
        let notes = imported.notes.into_iter().map(|note| (note.line, note.text)).collect();
        (String::from_utf8(imported.text.to_vec()).unwrap(), notes)
    }
}
