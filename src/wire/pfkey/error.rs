//! Why bytes are not a message, and why a request cannot become one. No variant can hold a key.

use crate::sa::MessageType;
use crate::wire::writer::WriteError;

/// Bytes that are not a PF_KEY message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too short for a header.
    #[error("{0} bytes are too few for a PF_KEY message, whose header alone has 16")]
    Header(usize),
    /// The header's length is not that of the packet.
    #[error("the header says {declared} bytes, {actual} came")]
    Length {
        /// What `sadb_msg_len` says, in bytes.
        declared: usize,
        /// What came.
        actual: usize,
    },
    /// An extension of length 0, or one that reaches past the end.
    #[error("extension of type {kind} at byte {at} says {declared} bytes, {left} are there")]
    Extension {
        /// Where it starts.
        at: usize,
        /// `sadb_ext_type`.
        kind: u16,
        /// What `sadb_ext_len` says, in bytes.
        declared: usize,
        /// Bytes to the end of the message.
        left: usize,
    },
}

/// A message or request that this dialect cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Too large a value for its field.
    #[error("{what} {value} is too large for {dialect}, which holds at most {most}")]
    Value {
        /// Which field.
        what: &'static str,
        /// What was to be sent.
        value: u64,
        /// The largest that can be.
        most: u64,
        /// Whose PF_KEY.
        dialect: &'static str,
    },
    /// No such algorithm number.
    #[error("{dialect} has no number for this {what} algorithm; Linux XFRM (--sadb xfrm) names it")]
    Algorithm {
        /// Authentication or encryption.
        what: &'static str,
        /// Whose PF_KEY.
        dialect: &'static str,
    },
    /// No such message type.
    #[error("{dialect} has no message of type {}", .kind.0)]
    MessageType {
        /// Which.
        kind: MessageType,
        /// Whose PF_KEY.
        dialect: &'static str,
    },
    /// No such extension.
    #[error("{dialect} has no extension for {what}")]
    Extension {
        /// What it would say.
        what: &'static str,
        /// Whose PF_KEY.
        dialect: &'static str,
    },
    /// Too long a message, a key or identity of more than half a megabyte.
    #[error(transparent)]
    Write(#[from] WriteError),
}
