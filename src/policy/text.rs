//! Policies in the syntax of ip-xfrm(8): `ip xfrm policy add` accepts the text of a policy, `delete` that of its identity.
//! Different identities print different texts. Only port masks (`80/0xfff0`) have no form in `ip`.

use std::fmt;

use super::{Net, Policy, PolicyAction, PolicyDirection, PolicyId, PortMask, Selector, Template};
use crate::names::linux::mode_word;
use crate::names::sa_types;

/// ICMP and ICMPv6, whose selectors have a type and a code in the fields for ports.
const ICMP: [u8; 2] = [1, 58];

impl fmt::Display for PolicyDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Forward => "fwd",
        })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.prefix_len())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src {} dst {}", self.src, self.dst)?;
        if self.proto != 0 {
            write!(f, " proto {}", self.proto)?;
        }
        let words = if ICMP.contains(&self.proto) { ["type", "code"] } else { ["sport", "dport"] };
        for (word, ports) in words.into_iter().zip([self.src_ports, self.dst_ports]) {
            match ports {
                PortMask::ANY => {}
                PortMask { value, mask: u16::MAX } => write!(f, " {word} {value}")?,
                PortMask { value, mask } => write!(f, " {word} {value}/{mask:#x}")?,
            }
        }
        // `ip` takes the name of the interface here; the policy has its index.
        if self.interface != 0 { write!(f, " dev if{}", self.interface) } else { Ok(()) }
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dir {}", self.selector, self.direction)?;
        if let Some(mark) = self.mark {
            write!(f, " mark {:#x} mask {:#x}", mark.value, mark.mask)?;
        }
        if self.if_id != 0 { write!(f, " if_id {:#x}", self.if_id) } else { Ok(()) }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tmpl")?;
        // `ip` takes missing addresses as unspecified ones.
        if !self.dst.is_unspecified() || !self.src.is_unspecified() {
            write!(f, " src {} dst {}", self.src, self.dst)?;
        }
        match sa_types::by_number(self.sa_type) {
            Some(row) => write!(f, " proto {}", row.word)?,
            None => write!(f, " proto {}", self.sa_type.0)?,
        }
        if self.spi != 0 {
            write!(f, " spi {:#x}", self.spi)?;
        }
        if self.reqid != 0 {
            write!(f, " reqid {}", self.reqid)?;
        }
        match mode_word(self.mode) {
            Some(word) => write!(f, " mode {word}")?,
            None => write!(f, " mode {}", self.mode.0)?,
        }
        if self.optional { f.write_str(" level use") } else { Ok(()) }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        // `allow` is the default of `ip`.
        if self.action == PolicyAction::Block {
            f.write_str(" action block")?;
        }
        write!(f, " priority {}", self.priority)?;
        self.templates.iter().try_for_each(|template| write!(f, " {template}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Masked, SaType, XfrmMode};

    fn id() -> PolicyId {
        let (src, dst) = (Net::new([10, 1, 0, 0].into(), 16), Net::host([10, 0, 0, 2].into()));
        PolicyId { direction: PolicyDirection::Forward, selector: Selector::between(src, dst), mark: None, if_id: 0 }
    }

    #[test]
    fn policy_id_prints_in_ip_syntax() {
        assert_eq!(id().to_string(), "src 10.1.0.0/16 dst 10.0.0.2/32 dir fwd");
        let web = Selector { proto: 6, dst_ports: PortMask::exactly(80), ..id().selector };
        let marked = PolicyId { selector: web, mark: Some(Masked { value: 1, mask: 255 }), if_id: 7, ..id() };
        let expected = "src 10.1.0.0/16 dst 10.0.0.2/32 proto 6 dport 80 dir fwd mark 0x1 mask 0xff if_id 0x7";
        assert_eq!(marked.to_string(), expected);
        let echo = Selector { proto: 1, src_ports: PortMask::exactly(8), ..marked.selector };
        assert!(echo.to_string().ends_with("proto 1 type 8 code 80"));
        let some = Selector { dst_ports: PortMask { value: 64, mask: 0xffc0 }, interface: 2, ..web };
        assert!(some.to_string().ends_with("proto 6 dport 64/0xffc0 dev if2"), "{some}");
    }

    #[test]
    fn policy_prints_in_ip_syntax() {
        let any = [0; 4].into();
        let esp = Template {
            sa_type: SaType::ESP,
            mode: XfrmMode::TUNNEL,
            src: [1; 4].into(),
            dst: [2; 4].into(),
            spi: 0,
            reqid: 9,
            optional: false,
        };
        let ah =
            Template { sa_type: SaType::AH, mode: XfrmMode::TRANSPORT, src: any, dst: any, reqid: 0, optional: true, ..esp };
        let policy = Policy { id: id(), action: PolicyAction::Allow, priority: 3, templates: vec![esp, ah] };
        let expected = "src 10.1.0.0/16 dst 10.0.0.2/32 dir fwd priority 3 tmpl src 1.1.1.1 dst 2.2.2.2 proto esp reqid 9 mode tunnel \
                      tmpl proto ah mode transport level use";
        assert_eq!(policy.to_string(), expected);
        let block = Policy { action: PolicyAction::Block, templates: vec![], ..policy };
        assert_eq!(block.to_string(), "src 10.1.0.0/16 dst 10.0.0.2/32 dir fwd action block priority 3");
    }
}
