//! Message types, as printed.

use crate::sa::MessageType;

/// Number and words. DELETE_PAIR_STATE has none: no program sends it.
pub const TABLE: &[(MessageType, &str)] = &[
    (MessageType::RESERVED, "RESERVED (warning: set to 0)"),
    (MessageType::GETSPI, "GETSPI"),
    (MessageType::UPDATE, "UPDATE"),
    (MessageType::ADD, "ADD"),
    (MessageType::DELETE, "DELETE"),
    (MessageType::GET, "GET"),
    (MessageType::ACQUIRE, "ACQUIRE"),
    (MessageType::REGISTER, "REGISTER"),
    (MessageType::EXPIRE, "EXPIRE"),
    (MessageType::FLUSH, "FLUSH"),
    (MessageType::DUMP, "DUMP"),
    (MessageType::PROMISC, "X_PROMISC"),
    (MessageType::INVERSE_ACQUIRE, "X_INVERSE_ACQUIRE"),
    (MessageType::UPDATE_PAIR, "UPDATE PAIR"),
    (MessageType::DELETE_PAIR, "DELETE PAIR"),
];

/// The words of a message type, if it has any.
#[must_use]
pub fn name(kind: MessageType) -> Option<&'static str> {
    TABLE.iter().find(|row| row.0 == kind).map(|row| row.1)
}
