//! Messages: base header and extensions (RFC 2367 section 2.1).
//!
//! ```text
//!  0       1      2       3         4       6            8     12    16
//! +-------+------+-------+---------+-------+------------+-----+-----+------------+
//! |version| type | errno | SA type | words | diagnostic | seq | pid | extensions |
//! +-------+------+-------+---------+-------+------------+-----+-----+------------+
//! ```
//!
//! Bytes 6 and 7 are reserved in RFC 2367; in a reply of illumos they hold the diagnostic code.

use super::dialect::Dialect;
use super::error::{DecodeError, EncodeError};
use super::extension;
use super::extension::WORD;
use crate::sa::{DiagnosticCode, Extension, Message, MessageType, SaType};
use crate::secret::Buffer;
use crate::wire::reader::Reader;
use crate::wire::writer::{Writer, exact};

/// Decodes a message.
///
/// # Errors
/// [`DecodeError`] if it is shorter than a header, if its length is not the declared one, or if an extension has length 0
/// or extends beyond the end.
pub(crate) fn decode(dialect: &Dialect, bytes: &[u8]) -> Result<Message, DecodeError> {
    let short = DecodeError::Header(bytes.len());
    let mut reader = Reader::new(bytes);
    let mut message = header(dialect, &mut reader).ok_or(short)?;
    // A socket delivers one message at a time, so additional bytes are an error as well.
    if message.byte_len != bytes.len() {
        return Err(DecodeError::Length { declared: message.byte_len, actual: bytes.len() });
    }
    while reader.left() > 0 {
        message.extensions.push(next_extension(dialect, &mut reader)?);
    }
    Ok(message)
}

/// Decodes the header of a message and ignores its extensions.
///
/// # Errors
/// [`DecodeError::Header`] if it is shorter than a header.
pub(crate) fn decode_head(dialect: &Dialect, bytes: &[u8]) -> Result<Message, DecodeError> {
    header(dialect, &mut Reader::new(bytes)).ok_or(DecodeError::Header(bytes.len()))
}

fn header(dialect: &Dialect, reader: &mut Reader<'_>) -> Option<Message> {
    Some(Message {
        // Any version, as in keysock.c; `monitor` prints it.
        version: reader.u8().ok()?,
        kind: dialect.message_type(reader.u8().ok()?),
        errno: reader.u8().ok()?,
        sa_type: SaType(reader.u8().ok()?),
        byte_len: usize::from(reader.u16().ok()?) * WORD,
        // Only illumos fills it in. af_key refuses a request in which it is not 0 (EINVAL).
        diagnostic: DiagnosticCode(reader.u16().ok()?),
        seq: reader.u32().ok()?,
        pid: reader.u32().ok()?,
        extensions: Vec::new(),
    })
}

/// Reads the next extension; a malformed body becomes [`Extension::Unknown`].
fn next_extension(dialect: &Dialect, reader: &mut Reader<'_>) -> Result<Extension, DecodeError> {
    let (at, left) = (reader.position(), reader.left());
    let mut peek = reader.clone();
    // The message consists of whole words, so at least 8 bytes remain unless its length was not a multiple of 8.
    let (words, kind) = match (peek.u16(), peek.u16()) {
        (Ok(words), Ok(kind)) => (usize::from(words), kind),
        _ => return Err(DecodeError::Extension { at, kind: 0, declared: 0, left }),
    };
    let declared = words * WORD;
    let wrong = DecodeError::Extension { at, kind, declared, left };
    // The next extension would be this one again, for ever.
    if words == 0 {
        return Err(wrong);
    }
    // The position of all later extensions is unknown, so the message is refused, not only this extension.
    let whole = reader.part(declared).map_err(|_| wrong)?;
    Ok(extension::read(dialect, kind, &whole))
}

/// Encodes a message. Its `byte_len` is ignored; the length is counted.
///
/// # Errors
/// [`EncodeError`] if the dialect lacks the message type, an extension or an algorithm number, or if the message is too long.
pub(crate) fn encode(dialect: &Dialect, message: &Message) -> Result<Buffer, EncodeError> {
    exact(|writer| {
        let header = BaseHeader {
            version: message.version,
            kind: message.kind,
            errno: message.errno,
            sa_type: message.sa_type,
            diagnostic: message.diagnostic,
            seq: message.seq,
            pid: message.pid,
        };
        framed(writer, dialect, &header, |writer| {
            message.extensions.iter().try_for_each(|ext| extension::write(writer, dialect, ext))
        })
    })
}

/// The base header without the length.
pub(super) struct BaseHeader {
    pub(super) version: u8,
    pub(super) kind: MessageType,
    pub(super) errno: u8,
    pub(super) sa_type: SaType,
    pub(super) diagnostic: DiagnosticCode,
    pub(super) seq: u32,
    pub(super) pid: u32,
}

/// Writes a header and a `body`, and fills in the length of both.
pub(super) fn framed(
    writer: &mut Writer,
    dialect: &Dialect,
    header: &BaseHeader,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let missing = EncodeError::MessageType { kind: header.kind, dialect: dialect.name };
    let start = writer.position();
    writer.u8(header.version);
    // Refused here, because Linux would take X_UPDATEPAIR (13) as X_SPDUPDATE.
    writer.u8(dialect.message_number(header.kind).ok_or(missing)?);
    writer.u8(header.errno);
    writer.u8(header.sa_type.0);
    let length = writer.reserve_length(start);
    writer.u16(header.diagnostic.0);
    writer.u32(header.seq);
    writer.u32(header.pid);
    body(writer)?;
    // Header included. Both kernels refuse a message of another length (EMSGSIZE).
    Ok(writer.fill_length(length, WORD)?)
}
