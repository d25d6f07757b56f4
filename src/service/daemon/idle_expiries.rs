//! Idle expiries that are reported. illumos sends EXPIRE at each pass of its ager, every 8 seconds, for as long as the SA is idle
//! (`sadb_age_assoc` in sadb.c).

use std::collections::HashMap;

use crate::sa::{Lifetime, LifetimeKind, Message, MessageType, SaId};

/// What changes with the use and with an update of an idle SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IdleState {
    current: Lifetime,
    idle: Lifetime,
}

/// The SAs that are known to be idle.
#[derive(Default)]
pub(super) struct IdleExpiries {
    reported: HashMap<SaId, IdleState>,
}

impl IdleExpiries {
    /// Whether `message`, any message of the SADB, repeats an idle expiry of an SA that was neither used nor changed since.
    pub(super) fn is_repeated(&mut self, message: &Message) -> bool {
        if message.errno != 0 {
            // After an overflow, in this form, the message of a change may have been lost.
            if message.kind == MessageType::RESERVED {
                self.reported.clear();
            }
            return false;
        }
        match (message.kind, message.id(), message.lifetime(LifetimeKind::Idle)) {
            (MessageType::EXPIRE, Some(id), Some(idle)) => {
                let current = message.lifetime(LifetimeKind::Current).copied().unwrap_or_default();
                let state = IdleState { current, idle: *idle };
                return self.reported.insert(id, state) == Some(state);
            }
            (MessageType::EXPIRE | MessageType::ADD | MessageType::UPDATE | MessageType::DELETE, Some(id), _) => {
                self.reported.remove(&id);
            }
            // The paired SA is changed as well, or every SA.
            (
                MessageType::UPDATE_PAIR | MessageType::DELETE_PAIR | MessageType::DELETE_PAIR_STATE | MessageType::FLUSH,
                ..,
            ) => self.reported.clear(),
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{AddressInfo, AddressRole, Association, DiagnosticCode, Extension, Flags, SaState, SaType, Spi};

    fn message(kind: MessageType, spi: u32, lifetimes: &[(LifetimeKind, Lifetime)]) -> Message {
        let addr = Some("192.0.2.2".parse().unwrap());
        let dst = AddressInfo { proto: 0, prefix_len: 0, family: 2, addr, port: 0 };
        let association =
            Association { spi: Spi(spi), state: SaState::MATURE, flags: Flags::OUTBOUND, ..Association::default() };
        let mut extensions = vec![Extension::Association(association), Extension::Address(AddressRole::Destination, dst)];
        extensions.extend(lifetimes.iter().map(|(kind, lifetime)| Extension::Lifetime(*kind, *lifetime)));
        let (errno, diagnostic, sa_type) = (0, DiagnosticCode(0), SaType::ESP);
        Message { version: 2, kind, errno, sa_type, byte_len: 0, diagnostic, seq: 0, pid: 0, extensions }
    }

    fn idle(spi: u32, bytes: u64) -> Message {
        let current = Lifetime { addtime: 1000, bytes, ..Lifetime::default() };
        let limit = Lifetime { addtime: 30, ..Lifetime::default() };
        message(MessageType::EXPIRE, spi, &[(LifetimeKind::Current, current), (LifetimeKind::Idle, limit)])
    }

    #[test]
    fn idle_expiry_is_repeated_until_the_sa_is_used() {
        let mut expiries = IdleExpiries::default();
        let mut repeated = |spi, bytes| expiries.is_repeated(&idle(spi, bytes));
        assert_eq!([repeated(1, 0), repeated(1, 0), repeated(2, 0), repeated(1, 0)], [false, true, false, true]);
        assert_eq!([repeated(1, 60), repeated(1, 60), repeated(2, 0)], [false, true, true]);
    }

    #[test]
    fn idle_expiry_is_not_repeated_after_a_change_of_the_sa() {
        let hard = Lifetime { addtime: 600, ..Lifetime::default() };
        for (kind, spi, others) in [
            (MessageType::ADD, 1, true),
            (MessageType::UPDATE, 1, true),
            (MessageType::DELETE, 1, true),
            (MessageType::UPDATE_PAIR, 7, false),
            (MessageType::DELETE_PAIR, 7, false),
            (MessageType::FLUSH, 7, false),
        ] {
            let mut expiries = IdleExpiries::default();
            assert!([1, 2].iter().all(|spi| !expiries.is_repeated(&idle(*spi, 0))));
            assert!(!expiries.is_repeated(&message(kind, spi, &[(LifetimeKind::Hard, hard)])));
            assert_eq!([1, 2].map(|spi| expiries.is_repeated(&idle(spi, 0))), [false, others], "{kind:?}");
        }
        // A refused request has changed nothing, and a description neither.
        let mut expiries = IdleExpiries::default();
        expiries.is_repeated(&idle(1, 0));
        for refused in [Message { errno: 22, ..message(MessageType::UPDATE, 1, &[]) }, message(MessageType::GET, 1, &[])] {
            expiries.is_repeated(&refused);
        }
        assert!(expiries.is_repeated(&idle(1, 0)));
    }
}
