//! SAs whose direction cannot be told yet, since neither of their addresses is one of this system: at boot the service starts
//! before the network. `manual-key run` remembers them, without their keys, and gives them their policies when one has come.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::policy::derive::{Derived, NoPolicy, directions};
use crate::service::exit::Reason;
use crate::service::load::Service;
use crate::service::records::owned_policies::Asked;

/// All SAs that a keys file asks for, of which some wait.
pub(crate) struct Waiting {
    asked: Vec<Asked>,
    positions: Vec<usize>,
}

impl Waiting {
    /// Those of `asked` for which `derived` has no direction; `None` if there are none.
    pub(crate) fn of(asked: Vec<Asked>, derived: &Derived) -> Option<Self> {
        let waits = |(at, why): &(usize, NoPolicy)| (*why == NoPolicy::UnknownDirection).then_some(*at);
        let positions: Vec<usize> = derived.without.iter().filter_map(waits).collect();
        (!positions.is_empty()).then_some(Self { asked, positions })
    }

    /// Whether one of them waits no longer, now that `local` are the addresses of this system.
    fn is_over(&self, local: &HashSet<IpAddr>) -> bool {
        let is_local = |addr: IpAddr| local.contains(&addr);
        self.positions.iter().filter_map(|at| self.asked.get(*at)).any(|(_, sa)| directions(sa, &is_local).is_some())
    }
}

impl Service<'_> {
    /// Installs the policies of SAs that have waited for an address that has come. None is removed: addresses go, too, and
    /// what was protected stays so.
    ///
    /// # Errors
    /// As of a load.
    pub(crate) fn end_waiting(&mut self, waiting: Waiting) -> Result<(), Reason> {
        let local = self.local_addresses()?;
        if !waiting.is_over(&local) {
            self.waiting = Some(waiting);
            return Ok(());
        }
        let _load_lock = self.acquire_load_lock()?;
        let mut sadb = self.open()?;
        let raised = self.raise_late(waiting.asked, &local, &mut *sadb)?;
        if raised.is_none_or(|raised| raised.is_whole) { Ok(()) } else { Err(Reason::Refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Vocabulary;
    use crate::service::load::keys;
    use crate::service::records::owned_policies;

    #[test]
    fn it_is_over_when_an_address_has_come() {
        let text = b"add esp spi 0x1000 src 10.0.0.1 dst 10.0.0.2 encr_alg null auth_alg sha1 \
                     authkey 53e0b4ed29b1a2e0e4a5d9c2f4a7b6c8d1e3f507 reqid 7\n";
        let local = |addrs: &[[u8; 4]]| addrs.iter().map(|addr| IpAddr::from(*addr)).collect::<HashSet<_>>();
        let wait = |addrs: &[[u8; 4]]| {
            let asked = owned_policies::asked(&mut keys::parse(text, Vocabulary::Linux).unwrap());
            let derived = owned_policies::wanted(&asked, &local(addrs));
            Waiting::of(asked, &derived)
        };
        assert!(wait(&[[10, 0, 0, 1]]).is_none());
        let waiting = wait(&[[10, 0, 0, 9]]).unwrap();
        assert!(!waiting.is_over(&local(&[[10, 0, 0, 8]])));
        assert!(waiting.is_over(&local(&[[10, 0, 0, 8], [10, 0, 0, 2]])));
        assert!(!waiting.is_over(&local(&[[10, 0, 0, 1], [10, 0, 0, 2]])), "to itself: neither in nor out");
    }
}
