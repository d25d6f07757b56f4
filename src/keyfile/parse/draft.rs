//! A command about an SA while its keywords are parsed.

use std::net::IpAddr;

use crate::keyfile::lexer::Word;
use crate::names::keywords::Field;
use crate::names::verbs::Verb;
use crate::sa::Request;

/// An address or host name of a command, with its addresses.
pub(crate) struct AddressArg<'t> {
    pub(crate) word: Word<'t>,
    /// Never empty.
    pub(crate) list: Resolved,
}

/// The addresses of a literal or host name. A single one, the usual case, needs no allocation.
pub(crate) enum Resolved {
    One([IpAddr; 1]),
    Many(Vec<IpAddr>),
}

impl Resolved {
    pub(crate) fn as_slice(&self) -> &[IpAddr] {
        match self {
            Self::One(one) => one,
            Self::Many(list) => list,
        }
    }

    /// The address, if there is exactly one.
    pub(crate) fn single(&self) -> Option<IpAddr> {
        match self.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// Ports and protocols, separate until their addresses are known. 0 means none.
#[derive(Default)]
pub(crate) struct DraftPorts {
    pub(crate) src: u16,
    pub(crate) dst: u16,
    pub(crate) inner_src: u16,
    pub(crate) inner_dst: u16,
    pub(crate) nat_local: u16,
    pub(crate) nat_remote: u16,
    pub(crate) proto: u8,
    pub(crate) inner_proto: u8,
}

impl DraftPorts {
    /// Whether there are inner ports or an inner protocol.
    pub(crate) fn has_inner(&self) -> bool {
        self.inner_src != 0 || self.inner_dst != 0 || self.inner_proto != 0
    }
}

/// The keywords parsed so far.
pub(crate) struct CommandDraft<'t> {
    pub(crate) verb: Verb,
    pub(crate) word: Word<'t>,
    /// The fields that are complete once their keyword is parsed.
    pub(crate) request: Box<Request>,
    /// A bit for each field whose keyword was given, with a valid value or not.
    seen: u64,
    pub(crate) src: Option<AddressArg<'t>>,
    pub(crate) dst: Option<AddressArg<'t>>,
    pub(crate) inner_src: Option<(IpAddr, u8)>,
    pub(crate) inner_dst: Option<(IpAddr, u8)>,
    pub(crate) nat_local: Option<IpAddr>,
    pub(crate) nat_remote: Option<IpAddr>,
    pub(crate) ports: DraftPorts,
    pub(crate) reserved_bits: u16,
}

impl<'t> CommandDraft<'t> {
    pub(crate) fn new(verb: Verb, word: Word<'t>) -> Self {
        Self {
            verb,
            word,
            request: Box::default(),
            seen: 0,
            src: None,
            dst: None,
            inner_src: None,
            inner_dst: None,
            nat_local: None,
            nat_remote: None,
            ports: DraftPorts::default(),
            reserved_bits: 0,
        }
    }

    /// Records that `field` was given, and returns whether it was given before.
    pub(crate) fn record(&mut self, field: Field) -> bool {
        let before = self.has(field);
        self.seen |= 1 << field as u8;
        // A direction may be given any number of times.
        before && !matches!(field, Field::Inbound | Field::Outbound)
    }

    /// Whether `field` was given, with a valid value or not.
    pub(crate) fn has(&self, field: Field) -> bool {
        self.seen & (1 << field as u8) != 0
    }

    pub(crate) fn has_any(&self, fields: &[Field]) -> bool {
        fields.iter().any(|field| self.has(*field))
    }
}
