//! The identity of an SA.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Masked, SaType, Spi};

/// The default UDP port of NAT traversal (RFC 3948 section 2.1).
pub(crate) const NATT_PORT: u16 = 4500;

/// The identity of an SA: the values that a kernel looks it up by (RFC 4301 section 4.1). The source address is not part of it.
///
/// Records in /run hold it as `{"sa_type":3,"spi":4096,"dst":"192.0.2.1","mark":[1,255]}`, without `mark` if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct SaId {
    /// The protocol: AH or ESP.
    pub(crate) sa_type: SaType,
    /// The SPI, in host byte order.
    pub(crate) spi: Spi,
    /// Destination address, an IPv4-mapped one as IPv4.
    pub(crate) dst: IpAddr,
    /// Linux: the mark of its packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<Masked>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sa_id_keeps_its_form_on_disk() {
        let mut id = SaId { sa_type: SaType::ESP, spi: Spi(0x1000), dst: "192.0.2.1".parse().unwrap(), mark: None };
        let text = r#"{"sa_type":3,"spi":4096,"dst":"192.0.2.1"}"#;
        assert_eq!(serde_json::to_string(&id).unwrap(), text);
        assert_eq!(serde_json::from_str::<SaId>(text).unwrap(), id);
        id.mark = Some(Masked { value: 1, mask: 255 });
        let text = r#"{"sa_type":3,"spi":4096,"dst":"192.0.2.1","mark":[1,255]}"#;
        assert_eq!(serde_json::to_string(&id).unwrap(), text);
        assert_eq!(serde_json::from_str::<SaId>(text).unwrap(), id);
    }
}
