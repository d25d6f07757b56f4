//! The SAs of the loaded keys file, without keys: `manual-key run` keeps them to restore what other programs remove, and to
//! install policies whose place another program has, and those of SAs whose direction is unknown, since neither of their addresses is configured on this system: at boot
//! the service starts before the network.

use std::collections::HashSet;
use std::net::IpAddr;

use super::file_sas::FileSa;
use crate::policy::PolicyId;
use crate::policy::derive::has_final_directions;
use crate::sa::SaId;
use crate::service::log::event::daemon::Expiry;

/// All SAs of a keys file, some of which may wait for a local address.
#[derive(Default)]
pub(crate) struct LoadedSas {
    pub(super) sas: Vec<FileSa>,
    /// Positions in `sas`.
    pub(super) waiting: Vec<usize>,
    /// Policies that a daemon installs as soon as other programs remove theirs with the same identities.
    pub(super) occupied: Vec<PolicyId>,
    ids: HashSet<SaId>,
}

impl LoadedSas {
    /// `waiting` are those whose directions depend on addresses that may be configured later.
    pub(super) fn new(sas: Vec<FileSa>, waiting: Vec<usize>) -> Self {
        let ids = sas.iter().map(|(_, sa)| sa.id).collect();
        Self { sas, waiting, occupied: Vec::new(), ids }
    }

    pub(crate) fn contains(&self, id: &SaId) -> bool {
        self.ids.contains(id)
    }

    /// The SAs that `expiry` is about: its message has no mark.
    pub(crate) fn ids_of(&self, expiry: &Expiry) -> impl Iterator<Item = SaId> {
        let (sa_type, spi, dst) = (expiry.sa_type, expiry.spi, expiry.dst);
        let is_gone = expiry.is_gone;
        let ids = self.ids.iter().copied();
        ids.filter(move |id| is_gone && (id.sa_type, id.spi, Some(id.dst)) == (sa_type, spi, dst))
    }

    /// Whether the addresses `local` determine the directions of at least one waiting SA.
    pub(super) fn is_ready(&self, local: &HashSet<IpAddr>) -> bool {
        let is_local = |addr: IpAddr| local.contains(&addr);
        self.waiting.iter().filter_map(|at| self.sas.get(*at)).any(|(_, sa)| has_final_directions(sa, &is_local))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Vocabulary;
    use crate::policy::derive::Rules;
    use crate::service::load::file_sas::{derive_policies, file_sas};
    use crate::service::load::keys;

    #[test]
    fn pending_policies_are_ready_when_an_address_appears() {
        let text = b"add esp spi 0x1000 src 10.0.0.1 dst 10.0.0.2 encr_alg null auth_alg sha1 \
                     authkey 53e0b4ed29b1a2e0e4a5d9c2f4a7b6c8d1e3f507 reqid 7\n";
        let local = |addrs: &[[u8; 4]]| addrs.iter().map(|addr| IpAddr::from(*addr)).collect::<HashSet<_>>();
        let pending_with = |addrs: &[[u8; 4]]| {
            let sas = file_sas(&mut keys::parse(text, Vocabulary::Linux, 0).unwrap());
            let derived = derive_policies(&sas, &local(addrs), Rules::default());
            LoadedSas::new(sas, derived.provisional)
        };
        assert!(pending_with(&[[10, 0, 0, 1]]).waiting.is_empty());
        let pending = pending_with(&[[10, 0, 0, 9]]);
        assert!(!pending.is_ready(&local(&[[10, 0, 0, 8]])));
        assert!(pending.is_ready(&local(&[[10, 0, 0, 8], [10, 0, 0, 2]])));
        assert!(!pending.is_ready(&local(&[[10, 0, 0, 1], [10, 0, 0, 2]])), "to itself: neither inbound nor outbound");
    }
}
