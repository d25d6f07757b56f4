//! Whether an SADB will refuse an addition, without that SADB.
//!
//! Linux XFRM and PF_KEY: the checks that are made before a request is sent, and those of the kernel that depend on the request
//! alone. illumos: the model, which answers as the kernel does. What depends on the SAs that exist, on modules, devices or
//! privileges, only the SADB can tell.

use super::pfkey::embedded::Embedded;
use super::{Illumos, Sadb, SadbError, SadbTarget, linux};
use crate::model::Settings;
use crate::names::Vocabulary;
use crate::names::diagnostics::{BAD_AALG, BAD_AKEYBITS, BAD_EALG, BAD_EKEYBITS};
use crate::sa::{Flags, Request, SaType};

/// Checks additions one by one.
pub(crate) struct AddCheck(Rules);

enum Rules {
    Xfrm,
    LinuxPfKey,
    /// With `any_algorithm`, the algorithms are those that the administrator of the system has chosen.
    Illumos {
        model: Box<Illumos<Embedded>>,
        any_algorithm: bool,
    },
}

impl AddCheck {
    /// Checks for the SADB `target`.
    #[must_use]
    pub(crate) fn new(target: &SadbTarget) -> Self {
        Self(match (target, target.vocabulary()) {
            (SadbTarget::PfKey, Vocabulary::Linux) => Rules::LinuxPfKey,
            (_, Vocabulary::Linux) => Rules::Xfrm,
            (_, Vocabulary::Illumos) => Rules::Illumos {
                model: Box::new(Illumos::new(Embedded::new(Settings::default()))),
                any_algorithm: target.is_of_system(),
            },
        })
    }

    /// The refusal of an SADB without any SA, which another one makes, too.
    pub(crate) fn refusal(&mut self, request: &Request) -> Option<SadbError> {
        if let Some(spi) = request.pair_spi.filter(|spi| *spi == request.spi) {
            return Some(SadbError::Unsupported(format!("pair-spi {spi}: specify the SPI of another SA")));
        }
        match &mut self.0 {
            Rules::Xfrm => linux::xfrm::check_add(request).err(),
            Rules::LinuxPfKey => linux::af_key::check_add(request).err(),
            Rules::Illumos { model, any_algorithm } => {
                // The paired SA exists in another SADB.
                let unpaired = Request { pair_spi: None, flags: request.flags & !Flags::PAIRED, ..request.duplicate() };
                let error = model.add(&unpaired).err();
                // Each addition is checked on its own; a file may have a million.
                let _ = model.flush(SaType::UNSPEC);
                error.filter(|error| !(*any_algorithm && is_about_algorithm(error)))
            }
        }
    }
}

fn is_about_algorithm(error: &SadbError) -> bool {
    matches!(error, SadbError::Refused { diagnostic, .. } if [BAD_AALG, BAD_EALG, BAD_AKEYBITS, BAD_EKEYBITS].contains(diagnostic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{EncrAlg, Endpoint, SaState, Spi};
    use crate::secret::Key;

    fn esp(src: [u8; 4], dst: [u8; 4]) -> Request {
        let end = |addr: [u8; 4]| Some(Endpoint { addr: addr.into(), port: 0, proto: 0 });
        Request {
            sa_type: SaType::ESP,
            spi: Spi(0x100),
            state: SaState::MATURE,
            src: end(src),
            dst: end(dst),
            encr_alg: EncrAlg(12),
            encr_key: Some(Key::from_slice(&[7; 16], 128, 0)),
            ..Request::default()
        }
    }

    fn refusal(target: &SadbTarget, request: &Request) -> String {
        AddCheck::new(target).refusal(request).map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn each_sadb_has_its_own_rules() {
        let (xfrm, model) = (SadbTarget::Xfrm, SadbTarget::Model(Vocabulary::Illumos));
        for target in [&xfrm, &model] {
            assert_eq!(refusal(target, &esp([10, 0, 0, 1], [10, 0, 0, 2])), "", "{target}");
            assert!(!refusal(target, &esp([10, 0, 0, 1], [0; 4])).is_empty(), "{target}");
            let paired = Request { pair_spi: Some(Spi(0x100)), ..esp([10, 0, 0, 1], [10, 0, 0, 2]) };
            assert!(refusal(target, &paired).contains("another SA"), "{target}");
            let paired = Request { pair_spi: Some(Spi(0x101)), ..paired };
            assert_eq!(refusal(target, &paired), "", "{target}");
        }
        let multicast = esp([224, 0, 0, 5], [10, 0, 0, 2]);
        assert_eq!(refusal(&xfrm, &multicast), "");
        assert!(refusal(&model, &multicast).contains("invalid source address"));
    }

    #[test]
    fn additions_are_checked_on_their_own() {
        let mut check = AddCheck::new(&SadbTarget::Model(Vocabulary::Illumos));
        assert!((0..3).all(|_| check.refusal(&esp([10, 0, 0, 1], [10, 0, 0, 2])).is_none()));
    }
}
