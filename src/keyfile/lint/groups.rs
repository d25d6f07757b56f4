//! SAs of multicast groups, which several hosts share, so that other rules apply to them than to SAs of two hosts.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::keyfile::command::{SaCommand, Target};
use crate::keyfile::diagnostics::Code;
use crate::names::Vocabulary;
use crate::names::keywords::Field;
use crate::names::protocols::uses_raw_sockets;
use crate::sa::direction::Directions;
use crate::sa::{Request, SaType, XfrmMode};

/// A warning about the value of a field of an `add`.
pub(super) struct Warning {
    pub(super) code: Code,
    pub(super) field: Field,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// Of an SA of IPv4 for a protocol whose daemons write the IP header themselves.
fn raw_sockets(command: &SaCommand) -> Option<Warning> {
    let request = &command.request;
    let proto = request.dst.map_or(0, |dst| dst.proto).max(request.src.map_or(0, |src| src.proto));
    let is_ipv4 = command.targets.iter().any(|target| target.dst.is_some_and(|dst| dst.is_ipv4()));
    (is_ipv4 && uses_raw_sockets(proto) && request.mode() == XfrmMode::TRANSPORT).then(|| Warning {
        code: Code::RawSockets,
        field: Field::Proto,
        message: format!("Linux may not see the protocol {proto} of packets that a routing daemon sends"),
        help: "remove proto: daemons of OSPF and PIM write the IPv4 header themselves, and their packets would pass in the clear",
    })
}

/// Packets to a group that the kernel sends through the newest of their SAs, on all interfaces: type, group, protocol, port, reqid.
type Traffic = (SaType, IpAddr, u8, u16, u32);

/// The SAs of groups of one text.
#[derive(Default)]
pub(super) struct Groups {
    /// Those that an SA protects inbound.
    inbound: HashSet<IpAddr>,
    /// SPI and line of the last outbound SA for any source.
    outbound: HashMap<Traffic, (u32, u32)>,
}

impl Groups {
    /// The warnings about the SAs that the command in this line adds.
    pub(super) fn check(&mut self, command: &SaCommand, line: u32, vocabulary: Vocabulary) -> Vec<Warning> {
        let request = &command.request;
        let groups = command.targets.iter().filter_map(|target| Some((target.dst.filter(IpAddr::is_multicast)?, *target)));
        let found = groups.flat_map(|(group, target)| self.check_group(request, group, target, (line, vocabulary)));
        let found: Vec<Warning> = found.collect();
        let raw = raw_sockets(command).filter(|_| vocabulary == Vocabulary::Linux);
        found.into_iter().chain(raw).collect()
    }

    fn check_group(
        &mut self,
        request: &Request,
        group: IpAddr,
        target: Target,
        (line, vocabulary): (u32, Vocabulary),
    ) -> Vec<Warning> {
        let declared = Directions::declared(request.flags);
        let is_from_any = target.src.is_none_or(|src| src.is_unspecified());
        if declared.inbound || (is_from_any && !declared.outbound) {
            self.inbound.insert(group);
        }
        let mut found = Vec::new();
        if is_from_any && declared == Directions::OUTBOUND && !self.inbound.contains(&group) {
            found.push(Warning {
                code: Code::OutboundGroup,
                field: Field::Dst,
                message: format!("What other hosts send to the group {group} is not protected: its SA is outbound only"),
                help: "remove outbound, or add inbound: without a direction the SA is for both",
            });
        }
        let is_outbound = is_from_any && declared != Directions::INBOUND;
        if is_outbound && vocabulary == Vocabulary::Linux {
            found.extend(self.other_key(request, group, line));
        }
        found
    }

    fn other_key(&mut self, request: &Request, group: IpAddr, line: u32) -> Option<Warning> {
        let (port, proto) = request.dst.map(|dst| (dst.port, dst.proto)).unwrap_or_default();
        let traffic = (request.sa_type, group, proto, port, request.linux.reqid);
        let (spi, first) = self.outbound.insert(traffic, (request.spi.0, line))?;
        (spi != request.spi.0).then(|| Warning {
            code: Code::SeveralGroupKeys,
            field: Field::Spi,
            message: format!("Another SPI for the group {group} than in line {first}: the SA there is never used for sending"),
            help: "Linux sends through the newest, on all interfaces: use one SPI and key on all links, or for a change of keys \
                   another reqid",
        })
    }
}
