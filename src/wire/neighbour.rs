//! The list of neighbours of rtnetlink(7): the addresses that the kernel has resolved on a link, or has failed to.
//!
//! ```text
//! nlmsghdr, 16 bytes: length 4 | type 2 | flags 2 | seq 4 | port 4
//! ndmsg, 12 bytes:    family 1 | pad 3 | interface 4 | state 2 | flags 1 | type 1      followed by attributes
//! ```

use std::net::IpAddr;

use super::reader::{ReadError, Reader};
use super::rtnetlink::{HEADER_LEN, NLMSG_DONE, NLMSG_ERROR, address, attributes, messages};
use super::writer::{WriteError, exact};
use crate::secret::Buffer;

// linux/rtnetlink.h
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP_REQUEST: u16 = 0x301;
const ENTRY_LEN: u16 = 12;

// linux/neighbour.h
const NDA_DST: u16 = 1;
const NUD_INCOMPLETE: u16 = 0x01;
const NUD_FAILED: u16 = 0x20;

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) addr: IpAddr,
    /// Index of the network interface.
    pub(crate) interface: u32,
    state: u16,
}

impl Neighbour {
    /// Whether solicitations have not been answered: packets to it wait (INCOMPLETE) or are dropped (FAILED).
    pub(crate) fn is_unresolved(&self) -> bool {
        self.state & (NUD_INCOMPLETE | NUD_FAILED) != 0
    }

    /// The word of ip-neighbour(8) for the state of an unresolved neighbour.
    pub(crate) fn state_word(&self) -> &'static str {
        if self.state & NUD_FAILED == 0 { "INCOMPLETE" } else { "FAILED" }
    }
}

/// The part of a list that a datagram contains.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) neighbours: Vec<Neighbour>,
    /// Whether the list ends with this datagram, be it with an error.
    pub(crate) is_last: bool,
}

/// The request for all neighbours of both address families.
///
/// # Errors
/// None: the length is constant.
pub(crate) fn request(seq: u32) -> Result<Buffer, WriteError> {
    exact(|writer| {
        writer.u32(u32::from(HEADER_LEN + ENTRY_LEN));
        writer.u16(RTM_GETNEIGH);
        writer.u16(DUMP_REQUEST);
        writer.u32(seq);
        writer.zeros(4 + usize::from(ENTRY_LEN));
        Ok(())
    })
}

/// Decodes a datagram with replies to the request `seq`.
///
/// # Errors
/// [`ReadError`] for a malformed message.
pub(crate) fn read(datagram: &[u8], seq: u32) -> Result<Part, ReadError> {
    let mut part = Part::default();
    for (kind, body) in messages(datagram, seq)? {
        match kind {
            RTM_NEWNEIGH => part.neighbours.extend(neighbour(body)?),
            NLMSG_DONE | NLMSG_ERROR => part.is_last = true,
            _ => {}
        }
    }
    Ok(part)
}

/// `None` for an entry without an IP address, such as one of a bridge.
fn neighbour(mut body: Reader<'_>) -> Result<Option<Neighbour>, ReadError> {
    body.skip(4)?;
    let (interface, state) = (body.u32()?, body.u16()?);
    body.skip(2)?;
    let found = attributes(body)?.into_iter().find_map(|(kind, value)| (kind == NDA_DST).then(|| address(value)).flatten());
    Ok(found.map(|addr| Neighbour { addr, interface, state }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with that body and its header.
    fn message(kind: u16, seq: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(16 + body.len()).unwrap();
        let header =
            [len.to_ne_bytes(), [kind.to_ne_bytes(), [2, 0]].concat().try_into().unwrap(), seq.to_ne_bytes(), [0; 4]];
        [header.concat(), body.to_vec()].concat()
    }

    /// `struct ndmsg` and attributes: a link-layer address, then the IP address.
    fn entry(state: u16, addr: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + addr.len()).unwrap();
        let fixed = [vec![10, 0, 0, 0], 3_u32.to_ne_bytes().to_vec(), state.to_ne_bytes().to_vec(), vec![0, 1]].concat();
        let link = [10_u16.to_ne_bytes().to_vec(), 2_u16.to_ne_bytes().to_vec(), vec![2, 0, 0, 0, 0, 1, 0, 0]].concat();
        [fixed, link, len.to_ne_bytes().to_vec(), NDA_DST.to_ne_bytes().to_vec(), addr.to_vec()].concat()
    }

    #[test]
    fn request_is_a_dump_of_all_families() {
        let mut expected = message(30, 7, &[0; 12]);
        expected[6..8].copy_from_slice(&0x301_u16.to_ne_bytes());
        assert_eq!(*request(7).unwrap(), *expected);
    }

    #[test]
    fn read_finds_unresolved_neighbours() {
        let (four, six) = ([192, 0, 2, 1], [0xfd; 16]);
        let datagram = [
            message(28, 7, &entry(NUD_FAILED, &six)),
            message(28, 7, &entry(0x02, &four)),
            message(28, 8, &entry(NUD_FAILED, &four)),
            message(28, 7, &entry(NUD_INCOMPLETE, &four)),
        ]
        .concat();
        let part = read(&datagram, 7).unwrap();
        let found: Vec<_> = part
            .neighbours
            .iter()
            .filter(|found| found.is_unresolved())
            .map(|found| (found.addr, found.state_word()))
            .collect();
        assert_eq!(found, [(IpAddr::from(six), "FAILED"), (IpAddr::from(four), "INCOMPLETE")]);
        assert_eq!((part.neighbours.len(), part.neighbours[0].interface, part.is_last), (3, 3, false));
        assert!(read(&message(3, 7, &[0; 4]), 7).unwrap().is_last);
    }

    #[test]
    fn read_of_any_prefix_ends() {
        let datagram = [message(28, 7, &entry(NUD_FAILED, &[0xfd; 16])), message(3, 7, &[0; 4])].concat();
        for len in 0..datagram.len() {
            let _ = read(&datagram[..len], 7);
        }
        assert!(read(&[15, 0, 0, 0, 28, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0], 7).is_err(), "shorter than its header");
    }
}
