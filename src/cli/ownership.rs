//! Which SAs of the system's SADB this program or the service has added.

use super::added_sas::{AddedSas, RecordedSas};
use crate::reconcile::ActualSa;
use crate::sa::{Message, SERVICE_REQID, SaId};
use crate::sadb::SadbTarget;
use crate::service::{ServiceSas, service_sas};

/// The records about additions. An SA that none of them has is of another program.
pub(super) enum Ownership {
    /// The SADB is not the system's: no other program uses it.
    Everything,
    Recorded {
        service: ServiceSas,
        own: RecordedSas,
    },
}

impl Ownership {
    pub(super) fn read(target: &SadbTarget) -> Self {
        if !target.is_of_system() {
            return Self::Everything;
        }
        Self::Recorded { service: service_sas(), own: AddedSas::of(target).read() }
    }

    /// Whether this program or the service has added the SA.
    pub(super) fn includes(&self, sa: &ActualSa) -> bool {
        self.has(&sa.id, sa.used.addtime, sa.request.linux.reqid)
    }

    /// The same for the SA that `message` describes; false without an identity.
    pub(super) fn has_message(&self, message: &Message) -> bool {
        let reqid = message.linux().map_or(0, |linux| linux.extras.reqid);
        message.id().is_some_and(|id| self.has(&id, message.add_time(), reqid))
    }

    /// By identity, time of addition in seconds since 1970, and request ID.
    fn has(&self, id: &SaId, added: u64, reqid: u32) -> bool {
        match self {
            Self::Everything => true,
            Self::Recorded { service, own } => reqid == SERVICE_REQID || service.has(id, added) || own.contains(id),
        }
    }
}
