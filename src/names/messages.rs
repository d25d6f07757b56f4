//! Printed names of message types.

use crate::sa::MessageType;

/// DELETE_PAIR_STATE has no name: no program sends it.
pub(crate) const TABLE: &[(MessageType, &str)] = &[
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

#[must_use]
pub(crate) fn name(kind: MessageType) -> Option<&'static str> {
    TABLE.iter().find(|row| row.0 == kind).map(|row| row.1)
}
