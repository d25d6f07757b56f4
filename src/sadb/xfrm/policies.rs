//! How many policies the kernel has: XFRM_MSG_GETSPDINFO (`linux/xfrm.h`, `net/xfrm/xfrm_user.c`).

use std::io;
use std::time::{Duration, Instant};

use crate::sadb::Policies;
use crate::secret::Buffer;
use crate::sys::netlink::NetlinkSocket;
use crate::wire::reader::Reader;

const GETSPDINFO: u16 = 0x25;
const NEWSPDINFO: u16 = 0x24;
const NLM_F_REQUEST: u16 = 1;
/// `XFRMA_SPD_INFO`: `struct xfrmu_spdinfo`, whose first words count what is inbound, outbound and forwarded.
const SPD_INFO: u16 = 1;
const HEADER_LEN: usize = 16;
const DEADLINE: Duration = Duration::from_secs(10);

/// Asks the kernel.
pub(super) fn count() -> io::Result<Option<Policies>> {
    let mut socket = NetlinkSocket::xfrm(0)?;
    socket.send(&[Buffer::copied(&request())])?;
    match socket.receive(Some(Instant::now() + DEADLINE))? {
        Some(answer) => Ok(read(&answer)),
        None => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// A header, and the four bytes of flags that the message is made of.
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + 4);
    bytes.extend(20_u32.to_ne_bytes());
    bytes.extend(GETSPDINFO.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes
}

/// The counts of an answer; `None` if it is a refusal or of another kind.
fn read(answer: &[u8]) -> Option<Policies> {
    let mut reader = Reader::new(answer);
    reader.skip(4).ok()?;
    if reader.u16().ok()? != NEWSPDINFO {
        return None;
    }
    reader.skip(HEADER_LEN - 6 + 4).ok()?;
    while reader.left() >= 4 {
        let (len, kind) = (reader.u16().ok()?, reader.u16().ok()?);
        if kind == SPD_INFO {
            let (inbound, outbound, forwarded) = (reader.u32().ok()?, reader.u32().ok()?, reader.u32().ok()?);
            return Some(Policies { inbound, outbound, forwarded });
        }
        reader.skip(usize::from(len).next_multiple_of(4).checked_sub(4)?).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u16, attributes: &[(u16, &[u32])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN + 4];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        for (number, words) in attributes {
            bytes.extend(u16::try_from(4 + 4 * words.len()).unwrap().to_ne_bytes());
            bytes.extend(number.to_ne_bytes());
            words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
        }
        bytes
    }

    #[test]
    fn counts_of_an_answer() {
        let counts = [3, 2, 1, 0, 0, 0];
        let wanted = Policies { inbound: 3, outbound: 2, forwarded: 1 };
        assert_eq!(read(&answer(NEWSPDINFO, &[(2, &[9, 9]), (SPD_INFO, &counts)])), Some(wanted));
        assert_eq!(read(&answer(2, &[(SPD_INFO, &counts)])), None);
        let whole = answer(NEWSPDINFO, &[(SPD_INFO, &counts)]);
        assert!((0..whole.len() - 12).all(|len| read(&whole[..len]).is_none()));
        assert_eq!(request().len(), 20);
    }
}
