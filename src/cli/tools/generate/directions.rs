//! The directions of SAs, which differ from host to host.

use crate::cli::tools::failure::Failure;
use crate::secret::Buffer;

const INBOUND: &str = " inbound ";
const OUTBOUND: &str = " outbound ";

/// The keyword of an SA on the host with the address `src`. `back` is the SA from `dst` to `src`.
pub(super) fn word(back: bool) -> &'static str {
    if back { INBOUND } else { OUTBOUND }.trim()
}

/// The first line of the file of `host`.
pub(super) fn comment(host: &str, peer: &str) -> String {
    format!(
        "# No other user may read this file. It is for the host {host}. On {peer} `inbound` and `outbound` are exchanged."
    )
}

/// The keys file `text` for the other host, with `comment` as the first line.
///
/// # Errors
/// None in practice: the buffer is large enough.
pub(super) fn exchanged(text: &[u8], comment: &str) -> Result<Buffer, Failure> {
    // A direction may become longer by one byte.
    let mut out = Buffer::with_capacity(text.len() + comment.len() + text.len() / INBOUND.len() + 1);
    let mut append = |part: &[u8]| out.append(part).map_err(Failure::of);
    append(comment.as_bytes())?;
    append(b"\n")?;
    for line in text.split_inclusive(|byte| *byte == b'\n').skip(1) {
        match direction(line) {
            Some((before, word, after)) => {
                [before, word.as_bytes(), after].into_iter().try_for_each(&mut append)?;
            }
            None => append(line)?,
        }
    }
    Ok(out)
}

/// The part of a command before its direction, the other direction, and the part behind it.
fn direction(line: &[u8]) -> Option<(&[u8], &'static str, &[u8])> {
    let places = [(OUTBOUND, INBOUND), (INBOUND, OUTBOUND)]
        .map(|(from, to)| Some((memchr::memmem::find(line, from.as_bytes())?, from, to)));
    // The first of these words: it comes before the values from the command line.
    let (at, from, to) = places.into_iter().flatten().min().filter(|_| line.starts_with(b"add "))?;
    Some((line.get(..at)?, to, line.get(at + from.len()..)?))
}
