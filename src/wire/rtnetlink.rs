//! Messages and attributes of rtnetlink(7).
//!
//! ```text
//! nlmsghdr, 16 bytes: length 4 | type 2 | flags 2 | seq 4 | port 4     followed by a body
//! rtattr, 4 bytes:    length 2 | type 2                                followed by a value
//! ```

use std::net::IpAddr;

use super::reader::{ReadError, Reader};

// linux/netlink.h
pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const NLMSG_DONE: u16 = 3;
pub(super) const HEADER_LEN: u16 = 16;

/// The messages of a datagram that reply to the request `seq`: type and body.
///
/// # Errors
/// [`ReadError`] for a malformed message.
pub(super) fn messages(datagram: &[u8], seq: u32) -> Result<Vec<(u16, Reader<'_>)>, ReadError> {
    let mut reader = Reader::new(datagram);
    let mut found = Vec::new();
    while reader.left() > 0 {
        let at = reader.position();
        let len = reader.u32()? as usize;
        let (kind, _flags, found_seq, _port) = (reader.u16()?, reader.u16()?, reader.u32()?, reader.u32()?);
        let body = part(&mut reader, at, len, HEADER_LEN)?;
        if found_seq == seq {
            found.push((kind, body));
        }
    }
    Ok(found)
}

/// The attributes that fill the rest of a body: type and value.
///
/// # Errors
/// [`ReadError`] for a malformed attribute.
pub(super) fn attributes(mut body: Reader<'_>) -> Result<Vec<(u16, Reader<'_>)>, ReadError> {
    let mut found = Vec::new();
    while body.left() > 0 {
        let at = body.position();
        let (len, kind) = (usize::from(body.u16()?), body.u16()?);
        found.push((kind, part(&mut body, at, len, 4)?));
    }
    Ok(found)
}

/// The address in an attribute; `None` for one of another length.
pub(super) fn address(mut value: Reader<'_>) -> Option<IpAddr> {
    match value.left() {
        4 => value.array::<4>().ok().map(IpAddr::from),
        16 => value.array::<16>().ok().map(IpAddr::from),
        _ => None,
    }
}

/// What follows a header of `header_len` bytes, if `len` is the length of both.
fn part<'a>(reader: &mut Reader<'a>, at: usize, len: usize, header_len: u16) -> Result<Reader<'a>, ReadError> {
    let expected = usize::from(header_len);
    let Some(len) = len.checked_sub(expected) else { return Err(ReadError::Short { at, expected, left: len }) };
    let part = reader.part(len)?;
    // Messages and attributes begin at multiples of 4; the last one may lack the padding.
    reader.skip(reader.left().min(len.next_multiple_of(4) - len))?;
    Ok(part)
}
