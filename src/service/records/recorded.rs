//! Names of policies as the service's record has them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::policy::{Direction, Net, PolicyId, Ports, Selector};
use crate::sa::Masked;

/// [`Name`] as the file holds it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Recorded {
    direction: Way,
    src: (IpAddr, u8),
    dst: (IpAddr, u8),
    proto: u8,
    src_ports: (u16, u16),
    dst_ports: (u16, u16),
    interface: u32,
    mark: Option<(u32, u32)>,
    if_id: u32,
}

/// [`Direction`] as the file holds it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    In,
    Out,
    Fwd,
}

impl From<&PolicyId> for Recorded {
    fn from(name: &PolicyId) -> Self {
        let net = |net: Net| (net.addr(), net.prefix_len());
        let ports = |ports: Ports| (ports.value, ports.mask);
        let Selector { src, dst, proto, src_ports, dst_ports, interface } = name.selector;
        let direction = match name.direction {
            Direction::In => Way::In,
            Direction::Out => Way::Out,
            Direction::Forward => Way::Fwd,
        };
        Self {
            direction,
            src: net(src),
            dst: net(dst),
            proto,
            src_ports: ports(src_ports),
            dst_ports: ports(dst_ports),
            interface,
            mark: name.mark.map(|mark| (mark.value, mark.mask)),
            if_id: name.if_id,
        }
    }
}

impl From<Recorded> for PolicyId {
    fn from(recorded: Recorded) -> Self {
        let net = |(addr, prefix_len)| Net::new(addr, prefix_len);
        let ports = |(value, mask)| Ports { value, mask };
        let direction = match recorded.direction {
            Way::In => Direction::In,
            Way::Out => Direction::Out,
            Way::Fwd => Direction::Forward,
        };
        let selector = Selector {
            src: net(recorded.src),
            dst: net(recorded.dst),
            proto: recorded.proto,
            src_ports: ports(recorded.src_ports),
            dst_ports: ports(recorded.dst_ports),
            interface: recorded.interface,
        };
        let mark = recorded.mark.map(|(value, mask)| Masked { value, mask });
        Self { direction, selector, mark, if_id: recorded.if_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let net = |addr: &str, len| Net::new(addr.parse().unwrap(), len);
        let selector = Selector {
            src: net("10.1.0.0", 16),
            dst: net("10.2.0.0", 17),
            proto: 6,
            src_ports: Ports { value: 64, mask: 0xffc0 },
            dst_ports: Ports::exactly(80),
            interface: 3,
        };
        for direction in [Direction::In, Direction::Out, Direction::Forward] {
            let name = PolicyId { direction, selector, mark: Some(Masked { value: 1, mask: 2 }), if_id: 9 };
            let text = serde_json::to_string(&Recorded::from(&name)).unwrap();
            assert_eq!(PolicyId::from(serde_json::from_str::<Recorded>(&text).unwrap()), name);
        }
    }
}
