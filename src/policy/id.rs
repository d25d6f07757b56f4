//! The identity of a policy.

use serde::{Deserialize, Serialize};

use super::{PolicyDirection, Selector};
use crate::sa::Masked;

/// The identity of a policy: a kernel holds one policy for each (`xfrm_policy_bysel_ctx` in net/xfrm/xfrm_policy.c).
///
/// Records in /run hold it as one JSON object with the fields of the selector at the top level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct PolicyId {
    /// The packets that it is looked up for.
    pub(crate) direction: PolicyDirection,
    /// The packets that it matches.
    #[serde(flatten)]
    pub(crate) selector: Selector,
    /// Only packets with this mark; `None` for all.
    pub(crate) mark: Option<Masked>,
    /// XFRM interface, 0 for none.
    pub(crate) if_id: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Net, PortMask};

    #[test]
    fn policy_id_keeps_its_form_on_disk() {
        let net = |addr: &str, len| Net::new(addr.parse().unwrap(), len);
        let selector = Selector {
            src: net("10.1.0.0", 16),
            dst: net("10.2.0.0", 17),
            proto: 6,
            src_ports: PortMask { value: 64, mask: 0xffc0 },
            dst_ports: PortMask::exactly(80),
            interface: 3,
        };
        for (direction, word) in
            [(PolicyDirection::In, "in"), (PolicyDirection::Out, "out"), (PolicyDirection::Forward, "fwd")]
        {
            let id = PolicyId { direction, selector, mark: Some(Masked { value: 1, mask: 2 }), if_id: 9 };
            let text = format!(
                r#"{{"direction":"{word}","src":["10.1.0.0",16],"dst":["10.2.0.0",17],"proto":6,"src_ports":[64,65472],"#
            ) + r#""dst_ports":[80,65535],"interface":3,"mark":[1,2],"if_id":9}"#;
            assert_eq!(serde_json::to_string(&id).unwrap(), text);
            assert_eq!(serde_json::from_str::<PolicyId>(&text).unwrap(), id);
        }
    }
}
