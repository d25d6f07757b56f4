//! What the kernel refuses of a new SA, whatever SAs it has: `verify_newsa_info` and `verify_replay` in net/xfrm/xfrm_user.c,
//! `__xfrm_init_state` in xfrm_state.c, `xfrm_init_replay` in xfrm_replay.c, `esp_init_state` in net/ipv4/esp4.c.

use nix::errno::Errno;

use crate::names::algorithms::{AUTH, ENCR};
use crate::sa::{XfrmFlags, XfrmMode};
use crate::wire::xfrm::attribute::{Algorithm, ReplayStateEsn};
use crate::wire::xfrm::number::{
    DIRECTION_IN, DIRECTION_OUT, ENCAP_ESP_IN_UDP, FAMILY_INET, FAMILY_INET6, PROTO_AH, PROTO_ESP, attr,
};
use crate::wire::xfrm::{Attribute, SaInfo};

/// An errno, and the kernel's text for it (extended ACK), if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) errno: Errno,
    pub(super) text: &'static str,
}

impl Refusal {
    pub(super) fn bare(errno: Errno) -> Self {
        Self { errno, text: "" }
    }
}

type Verdict = Result<(), Refusal>;

fn refuse(errno: Errno, text: &'static str) -> Verdict {
    Err(Refusal { errno, text })
}

fn invalid_if(is_invalid: bool, text: &'static str) -> Verdict {
    if is_invalid { refuse(Errno::EINVAL, text) } else { Ok(()) }
}

/// The longest bitmap (`XFRMA_REPLAY_ESN_MAX`), in words.
const MAX_BITMAP_WORDS: usize = 128;

/// Flags that are wrong for a direction, and the texts.
const WRONG_FLAGS: &[(u8, XfrmFlags, &str)] = &[
    (DIRECTION_OUT, XfrmFlags::DECAP_DSCP, "Flag DECAP_DSCP should not be set for output SA"),
    (DIRECTION_OUT, XfrmFlags::ICMP, "Flag ICMP should not be set for output SA"),
    (DIRECTION_OUT, XfrmFlags::WILDRECV, "Flag WILDRECV should not be set for output SA"),
    (DIRECTION_IN, XfrmFlags::NOPMTUDISC, "Flag NOPMTUDISC should not be set for input SA"),
    (DIRECTION_IN, XfrmFlags::DONT_ENCAP_DSCP, "Flag DONT_ENCAP_DSCP should not be set for input SA"),
    (DIRECTION_IN, XfrmFlags::OSEQ_MAY_WRAP, "Flag OSEQ_MAY_WRAP should not be set for input SA"),
];

/// A request to add an SA or to replace its values.
pub(super) struct NewSa<'a> {
    pub(super) info: &'a SaInfo,
    pub(super) attributes: &'a [Attribute],
}

impl NewSa<'_> {
    /// The checks in the order of the kernel.
    pub(super) fn verify(&self) -> Verdict {
        self.verify_families()?;
        self.verify_protocol()?;
        self.verify_replay()?;
        let modes = [XfrmMode::TRANSPORT, XfrmMode::TUNNEL, XfrmMode::BEET];
        invalid_if(!modes.contains(&XfrmMode(self.info.mode)), "Unsupported mode")?;
        self.verify_direction()?;
        self.attributes.iter().try_for_each(verify_algorithm)?;
        self.init_state()?;
        self.init_replay()
    }

    fn has(&self, kind: u16) -> bool {
        self.attributes.iter().any(|attribute| attribute.kind() == kind)
    }

    fn has_any(&self, kinds: &[u16]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }

    fn flags(&self) -> XfrmFlags {
        let extra = self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Word(attr::SA_EXTRA_FLAGS, flags) => Some(flags << 8),
            _ => None,
        });
        XfrmFlags(u32::from(self.info.flags) | extra.unwrap_or(0))
    }

    fn direction(&self) -> Option<u8> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Direction(direction) => Some(*direction),
            _ => None,
        })
    }

    fn esn(&self) -> Option<&ReplayStateEsn> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::ReplayEsn(replay) => Some(replay),
            _ => None,
        })
    }

    fn verify_families(&self) -> Verdict {
        let selector = &self.info.selector;
        let longest = selector.dst_prefix.max(selector.src_prefix);
        invalid_if(![FAMILY_INET, FAMILY_INET6].contains(&self.info.family), "Invalid address family")?;
        match selector.family {
            0 => Ok(()),
            FAMILY_INET => invalid_if(longest > 32, "Invalid prefix length in selector (must be <= 32 for IPv4)"),
            FAMILY_INET6 => invalid_if(longest > 128, "Invalid prefix length in selector (must be <= 128 for IPv6)"),
            _ => refuse(Errno::EINVAL, "Invalid address family in selector"),
        }
    }

    fn verify_protocol(&self) -> Verdict {
        match self.info.proto {
            PROTO_AH => self.verify_ah(),
            PROTO_ESP => self.verify_esp(),
            _ => refuse(Errno::EINVAL, "Unsupported protocol"),
        }
    }

    fn verify_ah(&self) -> Verdict {
        let auth = self.has_any(&[attr::ALG_AUTH, attr::ALG_AUTH_TRUNC]);
        invalid_if(!auth, "Missing required attribute for AH: AUTH_TRUNC or AUTH")?;
        let wrong = self.has_any(&[attr::ALG_AEAD, attr::ALG_CRYPT, attr::ALG_COMP, attr::TFCPAD]);
        invalid_if(wrong, "Invalid attributes for AH: AEAD, CRYPT, COMP, TFCPAD")
    }

    fn verify_esp(&self) -> Verdict {
        let separate = self.has_any(&[attr::ALG_AUTH, attr::ALG_AUTH_TRUNC, attr::ALG_CRYPT]);
        let combined = self.has(attr::ALG_AEAD);
        invalid_if(self.has(attr::ALG_COMP), "Invalid attribute for ESP: COMP")?;
        let missing = "Missing required attribute for ESP: at least one of AUTH, AUTH_TRUNC, CRYPT, AEAD";
        invalid_if(!separate && !combined, missing)?;
        let both = "Invalid attribute combination for ESP: AEAD can't be used with AUTH, AUTH_TRUNC, CRYPT";
        invalid_if(separate && combined, both)?;
        let is_padded = self.has(attr::TFCPAD) && XfrmMode(self.info.mode) != XfrmMode::TUNNEL;
        invalid_if(is_padded, "TFC padding can only be used in tunnel mode")
    }

    fn verify_replay(&self) -> Verdict {
        let Some(esn) = self.esn() else {
            return invalid_if(self.flags().has(XfrmFlags::ESN), "Missing required attribute for ESN");
        };
        invalid_if(esn.bitmap.len() > MAX_BITMAP_WORDS, "ESN bitmap length must be <= 128")?;
        invalid_if(self.info.replay_window != 0, "ESN not compatible with legacy replay_window")?;
        let (is_out, is_in) = (self.direction() == Some(DIRECTION_OUT), self.direction() == Some(DIRECTION_IN));
        invalid_if(is_out && esn.received != 0, "Replay seq and seq_hi should be 0 for output SA")?;
        invalid_if(is_out && !esn.bitmap.is_empty(), "Replay bmp_len should 0 for output SA")?;
        invalid_if(is_in && esn.sent != 0, "Replay oseq and oseq_hi should be 0 for input SA")
    }

    fn verify_direction(&self) -> Verdict {
        let Some(direction) = self.direction() else { return Ok(()) };
        let is_known = [DIRECTION_IN, DIRECTION_OUT].contains(&direction);
        invalid_if(!is_known, "XFRMA_SA_DIR attribute is out of range")?;
        let flags = self.flags();
        WRONG_FLAGS.iter().try_for_each(|(of, flag, text)| invalid_if(*of == direction && flags.has(*flag), text))?;
        let has_window = self.info.replay_window != 0;
        invalid_if(direction == DIRECTION_OUT && has_window, "Replay window should be 0 for output SA")?;
        self.attributes.iter().try_for_each(|attribute| match attribute {
            Attribute::Replay(replay) => verify_counters(direction, replay.sent, replay.received, replay.bitmap),
            _ => Ok(()),
        })
    }

    /// `__xfrm_init_state`, and the checks of the protocol.
    fn init_state(&self) -> Verdict {
        let family = self.info.selector.family;
        let changes_family = family != 0 && family != self.info.family;
        if changes_family && XfrmMode(self.info.mode) == XfrmMode::TRANSPORT {
            return refuse(Errno::EPROTONOSUPPORT, "Only tunnel modes can accommodate a change of family");
        }
        let encap = self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Encap(encap) => Some(encap.kind),
            _ => None,
        });
        if self.info.proto == PROTO_AH {
            return invalid_if(encap.is_some(), "AH is not compatible with encapsulation");
        }
        let has_cipher = self.has_any(&[attr::ALG_AEAD, attr::ALG_CRYPT]);
        invalid_if(!has_cipher, "ESP: AEAD or CRYPT must be provided")?;
        let is_other = encap.is_some_and(|kind| kind != ENCAP_ESP_IN_UDP);
        invalid_if(is_other, "Unsupported encapsulation type for ESP")
    }

    fn init_replay(&self) -> Verdict {
        let Some(esn) = self.esn() else { return Ok(()) };
        let is_too_large = esn.window as usize > esn.bitmap.len() * 32;
        invalid_if(is_too_large, "ESN replay window is too large for the chosen bitmap size")?;
        let needs_window = self.flags().has(XfrmFlags::ESN) && self.direction() != Some(DIRECTION_OUT);
        invalid_if(needs_window && esn.window == 0, "ESN replay window must be > 0")
    }
}

fn verify_counters(direction: u8, sent: u32, received: u32, bitmap: u32) -> Verdict {
    let is_received = received != 0 || bitmap != 0;
    invalid_if(direction == DIRECTION_OUT && is_received, "Replay seq and bitmap should be 0 for output SA")?;
    invalid_if(direction == DIRECTION_IN && sent != 0, "Replay oseq should be 0 for input SA")
}

/// `attach_aead`, `attach_auth_trunc`, `attach_crypt`, and the key length, which the crypto API checks.
fn verify_algorithm(attribute: &Attribute) -> Verdict {
    match attribute {
        Attribute::Auth(given) | Attribute::AuthTrunc(given) => verify_auth(given),
        Attribute::Crypt(given) => verify_cipher(given, 0, "Requested CRYPT algorithm not found"),
        Attribute::Aead(given) => verify_cipher(given, given.icv_bits, "Requested AEAD algorithm not found"),
        _ => Ok(()),
    }
}

fn verify_auth(given: &Algorithm) -> Verdict {
    let Some(row) = AUTH.iter().find(|row| row.xfrm == given.name) else {
        return refuse(Errno::ENOSYS, "Requested AUTH_TRUNC algorithm not found");
    };
    invalid_if(given.icv_bits > u32::from(row.key_bits.longest()), "Invalid length requested for truncated ICV")
}

fn verify_cipher(given: &Algorithm, icv_bits: u32, missing: &'static str) -> Verdict {
    let row = ENCR.iter().find(|row| row.xfrm == given.name && u32::from(row.icv_bits) == icv_bits);
    let Some(row) = row else { return refuse(Errno::ENOSYS, missing) };
    let key = u32::from(given.key.bits()).checked_sub(u32::from(row.salt_bits));
    let is_allowed = key.is_some_and(|bits| row.linux_key_bits().allows(bits));
    invalid_if(!is_allowed, "Kernel was unable to initialize cryptographic operations")
}
