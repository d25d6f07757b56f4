//! A command about an SA while its extensions are being read.

use std::net::IpAddr;

use crate::keyfile::command::Verb;
use crate::keyfile::lexer::Word;
use crate::names::keywords::Field;
use crate::sa::Request;

/// Addresses as given: one, or those of a name.
pub(crate) struct Given<'t> {
    /// The word in the command.
    pub(crate) word: Word<'t>,
    /// What it stands for; never empty.
    pub(crate) list: Found,
}

/// One address or several; one does not need an allocation.
pub(crate) enum Found {
    One([IpAddr; 1]),
    Many(Vec<IpAddr>),
}

impl Found {
    pub(crate) fn list(&self) -> &[IpAddr] {
        match self {
            Self::One(one) => one,
            Self::Many(list) => list,
        }
    }

    /// The address, if there is just one.
    pub(crate) fn single(&self) -> Option<IpAddr> {
        match self.list() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// Ports and protocols, kept apart until the addresses they go with are known. 0 is none.
#[derive(Default)]
pub(crate) struct Ports {
    pub(crate) src: u16,
    pub(crate) dst: u16,
    pub(crate) inner_src: u16,
    pub(crate) inner_dst: u16,
    pub(crate) nat_local: u16,
    pub(crate) nat_remote: u16,
    pub(crate) proto: u8,
    pub(crate) inner_proto: u8,
}

/// What has been read so far.
pub(crate) struct Draft<'t> {
    pub(crate) verb: Verb,
    /// The word of the verb.
    pub(crate) word: Word<'t>,
    /// Fields that are complete as soon as they are read.
    pub(crate) request: Box<Request>,
    /// Fields that were given, rightly or wrongly, by bit.
    seen: u64,
    pub(crate) src: Option<Given<'t>>,
    pub(crate) dst: Option<Given<'t>>,
    pub(crate) inner_src: Option<(IpAddr, u8)>,
    pub(crate) inner_dst: Option<(IpAddr, u8)>,
    pub(crate) nat_local: Option<IpAddr>,
    pub(crate) nat_remote: Option<IpAddr>,
    pub(crate) ports: Ports,
    pub(crate) reserved_bits: u16,
}

impl<'t> Draft<'t> {
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
            ports: Ports::default(),
            reserved_bits: 0,
        }
    }

    /// Notes that `field` was given; says whether it was given before. Directions may be repeated.
    pub(crate) fn is_second(&mut self, field: Field) -> bool {
        let before = self.saw(field);
        self.seen |= 1 << field as u8;
        before && !matches!(field, Field::Inbound | Field::Outbound)
    }

    /// Whether `field` was given, rightly or wrongly.
    pub(crate) fn saw(&self, field: Field) -> bool {
        self.seen & (1 << field as u8) != 0
    }

    /// Whether one of `fields` was given.
    pub(crate) fn saw_any(&self, fields: &[Field]) -> bool {
        fields.iter().any(|field| self.saw(*field))
    }
}
