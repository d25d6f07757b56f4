//! Parser of messages: length, then each extension (illumos `keysock.c`, `keysock_parse`).

use crate::model::frame::{EXTENSION_HEADER, Frame, HEADER, ext, field};
use crate::model::refusal::{Checked, Errno, Refusal, diagnostic as d, refuse_if};
use crate::sa::DiagnosticCode;

/// Length of a lifetime extension.
const LIFETIME: usize = 32;

/// Extension, diagnostic for a duplicate, diagnostic for malformed contents.
const EXTENSIONS: &[(u16, DiagnosticCode, DiagnosticCode)] = &[
    (ext::ADDRESS_SRC, d::DUPLICATE_SRC, d::MALFORMED_SRC),
    (ext::ADDRESS_DST, d::DUPLICATE_DST, d::MALFORMED_DST),
    (ext::SA, d::DUPLICATE_SA, d::NONE),
    (ext::KEY_ENCRYPT, d::DUPLICATE_EKEY, d::MALFORMED_EKEY),
    (ext::KEY_AUTH, d::DUPLICATE_AKEY, d::MALFORMED_AKEY),
    (ext::SPIRANGE, d::DUPLICATE_RANGE, d::MALFORMED_RANGE),
    (ext::INNER_SRC, d::DUPLICATE_INNER_SRC, d::MALFORMED_INNER_SRC),
    (ext::INNER_DST, d::DUPLICATE_INNER_DST, d::MALFORMED_INNER_DST),
];

fn codes(kind: u16) -> (DiagnosticCode, DiagnosticCode) {
    EXTENSIONS.iter().find(|row| row.0 == kind).map_or((d::NONE, d::NONE), |row| (row.1, row.2))
}

/// Finds the extensions of `message`, whatever its type. The version is not checked, as in the kernel.
pub(crate) fn parse(message: &[u8]) -> Checked<Frame> {
    // Before anything else, as in keysock_parse. The kernel does not check that there is a header; the model does.
    let declared = usize::from(u16::from_ne_bytes(field(message, 4))) * 8;
    if message.len() < HEADER || declared != message.len() {
        return Err(Refusal::plain(Errno::EMSGSIZE));
    }
    let mut frame = Frame::new(message);
    let mut at = HEADER;
    while let Some(rest) = message.get(at..).filter(|rest| !rest.is_empty()) {
        let len = parse_extension(&mut frame, rest, at)?;
        at += len;
    }
    Ok(frame)
}

/// Records the extension at the start of `rest`, `at` bytes into the message, and returns its length.
fn parse_extension(frame: &mut Frame, rest: &[u8], at: usize) -> Checked<usize> {
    // Type, length, duplicate, contents: the order of keysock_get_ext, which decides the diagnostic.
    let kind = u16::from_ne_bytes(field(rest, 2));
    refuse_if(kind == 0 || kind > ext::MAX, d::UNKNOWN_EXT)?;
    let len = usize::from(u16::from_ne_bytes(field(rest, 0))) * 8;
    let bytes = rest.get(..len).filter(|bytes| !bytes.is_empty()).ok_or(Refusal::invalid(d::BAD_EXTLEN))?;
    let (duplicate, malformed) = codes(kind);
    refuse_if(!frame.record_extension(kind, at, len), duplicate)?;
    refuse_if(!is_well_formed(kind, bytes) || is_zero_key(kind, bytes, rest), malformed)?;
    let is_identity = matches!(kind, ext::IDENTITY_SRC | ext::IDENTITY_DST);
    if is_identity && bytes.get(16..).is_some_and(|text| !text.contains(&0)) {
        // keysock_get_ext terminates the string instead of refusing it.
        frame.edit(kind, len - 1, &[0]);
    }
    Ok(len)
}

fn is_well_formed(kind: u16, bytes: &[u8]) -> bool {
    match kind {
        ext::ADDRESS_SRC | ext::ADDRESS_DST | ext::INNER_SRC | ext::INNER_DST => bytes.len() > EXTENSION_HEADER,
        ext::LIFETIME_CURRENT | ext::LIFETIME_HARD | ext::LIFETIME_SOFT => bytes.len() == LIFETIME,
        ext::SPIRANGE => u32::from_be_bytes(field(bytes, 4)) <= u32::from_be_bytes(field(bytes, 8)),
        ext::KEY_AUTH | ext::KEY_ENCRYPT => {
            let bits = u16::from_ne_bytes(field(bytes, 4));
            // The kernel divides by 8 without rounding up, so that 57 bits in 8 bytes pass and 65 bits in 16 bytes do not.
            bits != 0 && usize::from(bits / 8).next_multiple_of(8) + EXTENSION_HEADER == bytes.len()
        }
        // keysock.c does not check the length of other extensions, not even that of SA; missing fields read as zero.
        _ => true,
    }
}

/// The kernel means to refuse all-zero keys, but tests the 8 bytes behind the extension too: only in the last one this works.
fn is_zero_key(kind: u16, bytes: &[u8], rest: &[u8]) -> bool {
    // Keys in front of the addresses, as ipseckey(1M) sends them, are therefore accepted.
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    matches!(kind, ext::KEY_AUTH | ext::KEY_ENCRYPT)
        && bytes.get(EXTENSION_HEADER..).is_some_and(is_zero)
        && is_zero(&field::<8>(rest, bytes.len()))
}
