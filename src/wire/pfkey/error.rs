//! Decoding and encoding errors. No variant can hold a key.

use crate::sa::MessageType;
use crate::wire::writer::WriteError;

/// A malformed PF_KEY message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Shorter than a header; holds the length in bytes.
    #[error("a PF_KEY message has at least 16 bytes, found {0}")]
    Header(usize),
    /// The length in the header is not that of the packet.
    #[error("the header declares {declared} bytes, received {actual}")]
    Length {
        /// `sadb_msg_len`, converted to bytes.
        declared: usize,
        actual: usize,
    },
    /// An extension has length 0 or extends beyond the end.
    #[error("extension of type {kind} at byte {at} declares {declared} bytes, found {left}")]
    Extension {
        at: usize,
        /// `sadb_ext_type` of the dialect, unconverted.
        kind: u16,
        /// `sadb_ext_len`, converted to bytes.
        declared: usize,
        /// Bytes up to the end of the message.
        left: usize,
    },
}

/// A message or request that a dialect cannot encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    /// A value does not fit its field.
    #[error("{what} {value} is too large for {dialect} (maximum {most})")]
    Value {
        what: &'static str,
        value: u64,
        /// The largest possible value.
        most: u64,
        dialect: &'static str,
    },
    /// The algorithm has no number in this dialect.
    #[error("{dialect} has no number for this {what} algorithm; use Linux XFRM (--sadb xfrm)")]
    Algorithm { what: &'static str, dialect: &'static str },
    /// The dialect lacks the message type.
    #[error("{dialect} has no message type {}", .kind.0)]
    MessageType { kind: MessageType, dialect: &'static str },
    /// The dialect lacks the extension.
    #[error("{dialect} has no extension for {what}")]
    Extension {
        /// Contents of the extension.
        what: &'static str,
        dialect: &'static str,
    },
    /// The message exceeds 512 KiB.
    #[error(transparent)]
    Write(#[from] WriteError),
}
