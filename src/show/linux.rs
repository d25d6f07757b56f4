//! The keywords of Linux XFRM in a saved SA.

use std::io::{self, Write};

use super::quoted::quotes;
use crate::names::linux;
use crate::sa::{LinuxExtras, Masked, XfrmFlags, XfrmMode};

/// Writes the keywords whose values differ from the defaults. With `has_inner`, inner addresses are written too, which imply
/// tunnel mode.
pub(super) fn save(out: &mut dyn Write, extras: &LinuxExtras, has_inner: bool) -> io::Result<()> {
    // Inner addresses imply tunnel mode, so only another mode has to be written.
    let implied = if has_inner { XfrmMode::TUNNEL } else { XfrmMode::TRANSPORT };
    if let Some(word) = extras.mode.filter(|mode| *mode != implied).and_then(linux::mode_word) {
        writeln!(out, "    mode {word} \\")?;
    }
    let numbers = [
        ("reqid", u64::from(extras.reqid)),
        ("if_id", u64::from(extras.if_id)),
        ("tfcpad", u64::from(extras.tfcpad)),
        ("soft_packets", extras.soft_packets),
        ("hard_packets", extras.hard_packets),
        ("icv", u64::from(extras.icv_bits.unwrap_or(0))),
    ];
    for (word, value) in numbers.into_iter().filter(|(_, value)| *value != 0) {
        writeln!(out, "    {word} {value} \\")?;
    }
    save_mark(out, "mark", extras.mark)?;
    save_mark(out, "output-mark", extras.output_mark)?;
    if let Some(offload) = &extras.offload
        && let Some(quote) = quotes(offload.device.as_bytes())
    {
        let word = if offload.whole_packet { "offload-packet" } else { "offload" };
        writeln!(out, "    {word} {quote}{}{quote} \\", offload.device)?;
    }
    save_flags(out, extras.flags)
}

fn save_mark(out: &mut dyn Write, word: &str, mark: Option<Masked>) -> io::Result<()> {
    mark.map_or(Ok(()), |mark| writeln!(out, "    {word} {:#x}/{:#x} \\", mark.value, mark.mask))
}

fn save_flags(out: &mut dyn Write, flags: XfrmFlags) -> io::Result<()> {
    // ESN has a keyword of its own.
    if flags.has(XfrmFlags::ESN) {
        writeln!(out, "    esn \\")?;
    }
    let words: Vec<_> = linux::flag_words(XfrmFlags(flags.0 & !XfrmFlags::ESN.0)).collect();
    if words.is_empty() { Ok(()) } else { writeln!(out, "    flag {} \\", words.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Offload;

    fn saved(extras: &LinuxExtras, has_inner: bool) -> String {
        let mut out = Vec::new();
        save(&mut out, extras, has_inner).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Linux accepts any byte in the name of an interface except `/`, `:` and white space.
    #[test]
    fn save_quotes_the_offload_device() {
        let offload = |device: &str| {
            let offload = Offload { device: device.to_owned(), inbound: false, whole_packet: false };
            saved(&LinuxExtras { offload: Some(offload), ..LinuxExtras::default() }, false)
        };
        assert_eq!(offload("eth0.5"), "    offload eth0.5 \\\n");
        assert_eq!(offload("a;b"), "    offload \"a;b\" \\\n");
        for refused in ["a\"b", "a$(b)", "a\\", "a\u{202e}b"] {
            assert_eq!(offload(refused), "", "{refused}");
        }
    }

    #[test]
    fn save_omits_defaults() {
        assert_eq!(saved(&LinuxExtras::default(), false), "");
        let tunnel = LinuxExtras { mode: Some(XfrmMode::TUNNEL), ..LinuxExtras::default() };
        assert_eq!(saved(&tunnel, true), "");
        assert_eq!(saved(&tunnel, false), "    mode tunnel \\\n");
        let extras = LinuxExtras {
            mark: Some(Masked { value: 1, mask: 255 }),
            flags: XfrmFlags::ESN | XfrmFlags::OSEQ_MAY_WRAP,
            hard_packets: 9,
            icv_bits: Some(96),
            ..LinuxExtras::default()
        };
        let expected = "    hard_packets 9 \\\n    icv 96 \\\n    mark 0x1/0xff \\\n    esn \\\n    flag oseq-may-wrap \\\n";
        assert_eq!(saved(&extras, false), expected);
    }
}
