//! Framing of extensions, and dispatch to the file of each kind.

use super::dialect::{Dialect, ExtensionKind};
use super::error::EncodeError;
use super::{
    address, association, cookie, identity, key, lifetime, pair, proposal, register, replay, second, spi_range, supported,
};
use crate::sa::Extension;
use crate::secret::Buffer;
use crate::wire::reader::{ReadError, Reader};
use crate::wire::writer::Writer;

/// Unit of all lengths in a PF_KEY message, in bytes.
pub(super) const WORD: usize = 8;
/// Length of `struct sadb_ext` in bytes.
const HEADER_LEN: usize = 4;

/// Reads the extension of type `number` in `whole`, header included.
///
/// Bytes behind the fields are padding, as for the kernels. An extension that is too short, or of an unknown type, becomes
/// [`Extension::Unknown`].
pub(super) fn read(dialect: &Dialect, number: u16, whole: &Reader<'_>) -> Extension {
    let known = dialect.extension_kind(number).and_then(|kind| {
        // A clone, because an extension that cannot be read is kept from its first byte, header included.
        let mut body = whole.clone();
        body.skip(HEADER_LEN).ok()?;
        read_body(dialect, kind, &mut body).ok()
    });
    // Not an error: one extension of a newer kernel must not hide the rest of the SA. A `Buffer`, because an extension that
    // cannot be read may be a key.
    known.unwrap_or_else(|| Extension::Unknown { kind: number, bytes: Buffer::from_slice(whole.peek()) })
}

fn read_body(dialect: &Dialect, kind: ExtensionKind, body: &mut Reader<'_>) -> Result<Extension, ReadError> {
    Ok(match kind {
        ExtensionKind::Association => Extension::Association(association::read(dialect, body)?),
        ExtensionKind::Lifetime(which) => Extension::Lifetime(which, lifetime::read(body)?),
        ExtensionKind::Address(role) => Extension::Address(role, address::read(dialect, body)?),
        ExtensionKind::Key(role) => Extension::Key(role, key::read(body)?),
        ExtensionKind::Identity(side) => Extension::Identity(side, identity::read(body)?),
        ExtensionKind::Proposal => proposal::read(body)?,
        ExtensionKind::Supported(role) => Extension::Supported(role, supported::read(body)?),
        ExtensionKind::SpiRange => spi_range::read(body)?,
        ExtensionKind::ExtendedRegister => Extension::ExtendedRegister(register::read(body)?),
        ExtensionKind::ExtendedProposal => proposal::read_extended(body)?,
        ExtensionKind::KmCookie => cookie::read(body)?,
        ExtensionKind::Pair => Extension::Pair(pair::read(body)?),
        ExtensionKind::ReplayValue => replay::read(body)?,
        ExtensionKind::ExtendedDump => register::read_dump(body)?,
        ExtensionKind::SecondAssociation => second::read(body)?,
        // The type is 8 bits, the port 16 bits in network order; both are followed by reserved bytes.
        ExtensionKind::NattType => Extension::NattType(body.u8()?),
        ExtensionKind::NattPort(side) => Extension::NattPort(side, body.be16()?),
    })
}

/// Writes an extension with its header.
pub(super) fn write(writer: &mut Writer, dialect: &Dialect, extension: &Extension) -> Result<(), EncodeError> {
    if let Extension::Unknown { kind, bytes } = extension {
        // The stored bytes include the old header; a new one is written with the padded length.
        return numbered(writer, *kind, |writer| {
            writer.bytes(bytes.get(HEADER_LEN..).unwrap_or_default());
            Ok(())
        });
    }
    framed(writer, dialect, kind_of(extension), |writer| write_body(writer, dialect, extension))
}

fn write_body(writer: &mut Writer, dialect: &Dialect, extension: &Extension) -> Result<(), EncodeError> {
    match extension {
        Extension::Association(sa) => association::write(writer, dialect, sa)?,
        Extension::Lifetime(_, lifetime) => lifetime::write(writer, lifetime),
        Extension::Address(_, address) => address::write(writer, dialect, address),
        Extension::Key(_, key) => key::write(writer, key),
        Extension::Identity(_, identity) => identity::write(writer, identity),
        Extension::Proposal { replay, combinations } => proposal::write(writer, dialect, *replay, combinations)?,
        Extension::Supported(_, algorithms) => supported::write(writer, algorithms),
        Extension::SpiRange { min, max } => spi_range::write(writer, *min, *max),
        Extension::ExtendedRegister(types) => register::write(writer, types),
        Extension::ExtendedProposal { replay, combinations } => {
            proposal::write_extended(writer, dialect, *replay, combinations)?;
        }
        Extension::KmCookie { proto, cookie } => cookie::write(writer, *proto, *cookie),
        Extension::Pair(spi) => pair::write(writer, *spi),
        Extension::ReplayValue { value32, value64 } => replay::write(writer, *value32, *value64),
        Extension::ExtendedDump { timeout } => register::write_dump(writer, *timeout),
        Extension::SecondAssociation { mode, sequence, reqid } => second::write(writer, *mode, *sequence, *reqid),
        Extension::NattType(kind) => writer.u8(*kind),
        Extension::NattPort(_, port) => writer.be16(*port),
        // Unreachable: `write` has handled the first, and the second has no kind, so `framed` refuses it.
        Extension::Unknown { .. } | Extension::Linux(_) => {}
    }
    Ok(())
}

/// Writes the header of an extension, its `body`, and padding to a whole word.
pub(super) fn framed(
    writer: &mut Writer,
    dialect: &Dialect,
    kind: Option<ExtensionKind>,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    // The message names the contents: a user asked for a pair SPI, not for extension 23.
    let number = kind.and_then(|kind| dialect.extension_number(kind));
    let number =
        number.ok_or(EncodeError::Extension { what: kind.map_or("attributes of XFRM", describe), dialect: dialect.name })?;
    numbered(writer, number, body)
}

fn numbered(
    writer: &mut Writer,
    number: u16,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let length = writer.reserve_length(writer.position());
    writer.u16(number);
    body(writer)?;
    // Padded before the length is filled in: sadb_ext_len counts the padding, and a kernel finds the next extension by it.
    writer.pad(WORD);
    Ok(writer.fill_length(length, WORD)?)
}

fn kind_of(extension: &Extension) -> Option<ExtensionKind> {
    Some(match extension {
        Extension::Association(_) => ExtensionKind::Association,
        Extension::Lifetime(which, _) => ExtensionKind::Lifetime(*which),
        Extension::Address(role, _) => ExtensionKind::Address(*role),
        Extension::Key(role, _) => ExtensionKind::Key(*role),
        Extension::Identity(side, _) => ExtensionKind::Identity(*side),
        Extension::Proposal { .. } => ExtensionKind::Proposal,
        Extension::Supported(role, _) => ExtensionKind::Supported(*role),
        Extension::SpiRange { .. } => ExtensionKind::SpiRange,
        Extension::ExtendedRegister(_) => ExtensionKind::ExtendedRegister,
        Extension::ExtendedProposal { .. } => ExtensionKind::ExtendedProposal,
        Extension::KmCookie { .. } => ExtensionKind::KmCookie,
        Extension::Pair(_) => ExtensionKind::Pair,
        Extension::ReplayValue { .. } => ExtensionKind::ReplayValue,
        Extension::ExtendedDump { .. } => ExtensionKind::ExtendedDump,
        Extension::SecondAssociation { .. } => ExtensionKind::SecondAssociation,
        Extension::NattType(_) => ExtensionKind::NattType,
        Extension::NattPort(side, _) => ExtensionKind::NattPort(*side),
        Extension::Unknown { .. } | Extension::Linux(_) => return None,
    })
}

/// The contents of an extension, for [`EncodeError::Extension`].
fn describe(kind: ExtensionKind) -> &'static str {
    match kind {
        ExtensionKind::Association => "an SA",
        ExtensionKind::Lifetime(_) => "this lifetime",
        ExtensionKind::Address(_) => "this address",
        ExtensionKind::Key(_) => "a key",
        ExtensionKind::Identity(_) => "an identity",
        ExtensionKind::Proposal | ExtensionKind::ExtendedProposal => "this proposal",
        ExtensionKind::Supported(_) => "supported algorithms",
        ExtensionKind::SpiRange => "an SPI range",
        ExtensionKind::ExtendedRegister => "registering for several SA types",
        ExtensionKind::KmCookie => "a key management cookie",
        ExtensionKind::Pair => "a pair SPI",
        ExtensionKind::ReplayValue => "a replay value",
        ExtensionKind::ExtendedDump => "a dump by idle time",
        ExtensionKind::SecondAssociation => "mode and request id",
        ExtensionKind::NattType | ExtensionKind::NattPort(_) => "NAT-T ports",
    }
}
