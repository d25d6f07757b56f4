//! The identity of an SA.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Endpoint, LinuxExtras, Masked, Request, SaType, Spi};

/// The UDP port of NAT traversal where a command gives none (RFC 3948 section 2.1).
pub(crate) const NATT_PORT: u16 = 4500;

/// The identity of an SA: what kernels look it up by (RFC 4301 section 4.1). The source address is not part of it.
///
/// Records in /run hold it as `{"sa_type":3,"spi":4096,"dst":"192.0.2.1","mark":[1,255]}`, without `mark` if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SaId {
    /// AH or ESP.
    pub sa_type: SaType,
    /// Security parameters index.
    pub spi: Spi,
    /// Destination address, an IPv4-mapped one as IPv4.
    pub dst: IpAddr,
    /// Linux: the mark that its packets carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Masked>,
}

impl SaId {
    /// The request that identifies the SA and sets nothing.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            sa_type: self.sa_type,
            spi: self.spi,
            dst: Some(Endpoint { addr: self.dst, port: 0, proto: 0 }),
            linux: LinuxExtras { mark: self.mark, ..LinuxExtras::default() }.into(),
            ..Request::default()
        }
    }
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
