//! The removal of SAs of a type. Only SAs that a dump lists are removed: neither IPComp, nor larval SAs without an SPI.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::sa::{Message, SaId, SaType};
use crate::sadb::linux::errors::RequestContext;
use crate::sadb::linux::xfrm::dump::LISTED;
use crate::sadb::linux::xfrm::encode::{proto_of, sa_id_body};
use crate::sadb::linux::xfrm::{Xfrm, request_context};
use crate::sadb::{MAX_BATCH, SadbError};
use crate::sys::net::interfaces::clear_address_cache;
use crate::wire::xfrm::Body;
use crate::wire::xfrm::number::kind;

impl Xfrm {
    /// Removes the listed SAs of a type that `keep` returns false for.
    pub(super) fn flush_listed(&mut self, sa_type: SaType, keep: &mut dyn FnMut(&Message) -> bool) -> Result<(), SadbError> {
        clear_address_cache();
        let (mut remove, mut is_any_kept) = (Vec::new(), false);
        // The listing is not a request of the user: it is not traced.
        let trace = self.trace.take();
        let listed = self.dump_all(sa_type, &mut |message| {
            match message.id() {
                Some(id) if !keep(message) => remove.push(id),
                _ => is_any_kept = true,
            }
            ControlFlow::Continue(())
        });
        self.trace = trace;
        let has_unlisted = listed?;
        if has_unlisted || is_any_kept { self.remove_each(sa_type, &remove) } else { self.flush_types(sa_type) }
    }

    /// One request for each type: XFRM_MSG_FLUSHSA for all protocols also removes IPComp (`xfrm_state_flush`).
    fn flush_types(&mut self, sa_type: SaType) -> Result<(), SadbError> {
        for listed in LISTED.into_iter().filter(|listed| [SaType::UNSPEC, *listed].contains(&sa_type)) {
            let context = RequestContext { sa_type: listed, ..RequestContext::default() };
            self.request(kind::FLUSHSA, &Body::Flush(proto_of(listed)?), &context)?;
        }
        // The kernel first: if it refuses, the entries are still valid.
        let cleared = self.side_store.clear(sa_type);
        self.warn_on_error(cleared);
        Ok(())
    }

    fn remove_each(&mut self, sa_type: SaType, ids: &[SaId]) -> Result<(), SadbError> {
        let mut first_error = Ok(());
        for batch in ids.chunks(MAX_BATCH) {
            let requests = batch.iter().map(|id| Ok((kind::DELSA, sa_id_body(id), request_context(id))));
            let errors = self.client.request_all(requests).into_iter().filter_map(Result::err);
            // An SA that has expired since the dump is removed as well.
            if let Some(error) = errors.into_iter().find(|error| !error.is_missing()) {
                first_error = first_error.and(Err(error));
            }
        }
        let removed: HashSet<&SaId> = ids.iter().collect();
        let tidied = self.side_store.retain(sa_type, |id, _| !removed.contains(id));
        self.warn_on_error(tidied);
        first_error
    }
}
