//! The values of keywords that only Linux XFRM has.

use crate::keyfile::diagnostics::{Code, Severity};
use crate::keyfile::lexer::{Word, WordSource};
use crate::keyfile::literals::number;
use crate::keyfile::parse::Parser;
use crate::keyfile::parse::draft::CommandDraft;
use crate::names::keywords::{Field, Keyword, Value};
use crate::names::linux::{FLAGS, MODES};
use crate::sa::{Masked, Offload, XfrmFlags, XfrmMode};

/// Longest name of a network interface: `IFNAMSIZ` without the NUL.
const DEVICE_LEN: usize = 15;

impl<'t, W: WordSource<'t> + Clone> Parser<'_, 't, W> {
    /// Parses the value of the keyword `row` into `draft`.
    pub(crate) fn linux_value(&mut self, row: &'static Keyword, draft: &mut CommandDraft<'t>) {
        match row.value {
            Value::Nothing => draft.request.linux.flags |= XfrmFlags::ESN,
            Value::Mode => self.mode(row, draft),
            Value::Mark => self.mark(row, draft),
            Value::Device => self.device(row, draft),
            Value::XfrmFlags => self.xfrm_flags(row, draft),
            Value::Number(max) => self.linux_number(row, max, draft),
            _ => {}
        }
    }

    fn linux_number(&mut self, row: &'static Keyword, max: u64, draft: &mut CommandDraft<'t>) {
        let Some((_, value)) = self.number(row, 0, max) else { return };
        let linux = &mut draft.request.linux;
        // The casts lose nothing: the limits in the table of keywords are those of the fields.
        let wide = value as u32;
        match row.field {
            Field::Reqid => linux.reqid = wide,
            Field::IfId => linux.if_id = wide,
            Field::Tfcpad => linux.tfcpad = wide,
            Field::SoftPackets => linux.soft_packets = value,
            Field::HardPackets => linux.hard_packets = value,
            Field::Icv => linux.icv_bits = Some(value as u16),
            _ => {}
        }
    }

    fn mode(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
        let expected = "transport, tunnel or beet";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        match by_word(MODES, word.bytes) {
            Some(mode) => draft.request.linux.mode = Some::<XfrmMode>(mode),
            None => self.unknown(Code::UnknownState, "mode", word, expected, MODES.iter().map(|row| row.1)),
        }
    }

    fn xfrm_flags(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
        let expected = "flags separated by commas";
        // `esn` is a keyword as well as a flag.
        let is_flag = self.peek().is_some_and(|word| by_word(FLAGS, word.bytes).is_some());
        let word = if is_flag { self.next() } else { self.next_value() };
        let Some(word) = word else { return self.missing_value(row.word, expected) };
        for name in word.bytes.split(|byte| *byte == b',') {
            match by_word(FLAGS, name) {
                Some(flag) => draft.request.linux.flags |= flag,
                None => return self.unknown(Code::UnknownState, "flag", word, expected, FLAGS.iter().map(|row| row.1)),
            }
        }
    }

    /// Parses `VALUE[/MASK]`; without a mask, all bits count.
    fn mark(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
        let expected = "VALUE or VALUE/MASK";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let Some(mark) = parse_mark(word.bytes) else {
            let message = format!("Invalid {} {}", row.title, self.quoted(word));
            return self.report(Severity::Error, Code::OutOfRange, Some(word), message, Some(expected), None);
        };
        match row.field {
            Field::Mark => draft.request.linux.mark = Some(mark),
            // Only `output-mark` is left.
            _ => draft.request.linux.output_mark = Some(mark),
        }
    }

    fn device(&mut self, row: &Keyword, draft: &mut CommandDraft<'t>) {
        let expected = "the name of a network interface";
        let Some(word) = self.next_value() else { return self.missing_value(row.word, expected) };
        let Some(device) = parse_device_name(word) else {
            let message = format!("Invalid {} {}", row.title, self.quoted(word));
            return self.report(Severity::Error, Code::OutOfRange, Some(word), message, Some(expected), None);
        };
        // Both keywords set the same field, so only the word distinguishes them.
        let whole_packet = row.word == "offload-packet";
        draft.request.linux.offload = Some(Offload { device, inbound: false, whole_packet });
    }
}

/// Looks up a word of `table` in any case.
fn by_word<T: Copy>(table: &[(T, &str)], word: &[u8]) -> Option<T> {
    table.iter().find(|row| row.1.as_bytes().eq_ignore_ascii_case(word)).map(|row| row.0)
}

fn parse_mark(word: &[u8]) -> Option<Masked> {
    let number = |digits: &[u8]| number::parse(digits, u64::from(u32::MAX)).ok().map(|value| value as u32);
    let mut parts = word.splitn(2, |byte| *byte == b'/');
    let value = number(parts.next()?)?;
    let mask = parts.next().map_or(Some(u32::MAX), number)?;
    Some(Masked { value, mask })
}

fn parse_device_name(word: Word<'_>) -> Option<String> {
    let name = std::str::from_utf8(word.bytes).ok()?;
    let fits = (1..=DEVICE_LEN).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() && c != '/');
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{Command, HostsFile, Options, Setting, commands};
    use crate::names::Vocabulary;
    use crate::sa::Request;

    fn parsed(vocabulary: Vocabulary, words: &str) -> Result<Request, String> {
        let text = format!("update esp spi 0x100 dst 10.0.0.1 {words}\n");
        let resolver = HostsFile::parse("");
        let options = Options { vocabulary, numeric: true, setting: Setting::File, resolver: &resolver };
        let item = commands(text.as_bytes(), &options).next().unwrap();
        match item.outcome {
            Ok(Command::Sa(command)) => Ok(*command.request),
            _ => Err(item.diagnostics.iter().map(|found| found.message.clone()).collect::<Vec<_>>().join("; ")),
        }
    }

    fn linux(words: &str) -> Result<Request, String> {
        parsed(Vocabulary::Linux, words)
    }

    #[test]
    fn linux_value_sets_each_field() {
        let words = "mode beet reqid 7 mark 0x10/0xff if_id 9 output-mark 3 offload-packet eth0 tfcpad 100 esn \
                     flag noecn,icmp soft_packets 5 hard_packets 6 icv 96";
        let extras = linux(words).unwrap().linux;
        assert_eq!(extras.mode, Some(XfrmMode::BEET));
        assert_eq!((extras.reqid, extras.if_id, extras.tfcpad), (7, 9, 100));
        assert_eq!(extras.mark, Some(Masked { value: 16, mask: 255 }));
        assert_eq!(extras.output_mark, Some(Masked { value: 3, mask: u32::MAX }));
        assert_eq!(extras.offload, Some(Offload { device: "eth0".into(), inbound: false, whole_packet: true }));
        assert_eq!(extras.flags, XfrmFlags::ESN | XfrmFlags::NOECN | XfrmFlags::ICMP);
        assert_eq!((extras.soft_packets, extras.hard_packets, extras.icv_bits), (5, 6, Some(96)));
    }

    #[test]
    fn each_flag_is_a_value_on_its_own() {
        for (flag, word) in FLAGS {
            assert_eq!(linux(&format!("flag {word} reqid 7")).unwrap().linux.flags, *flag, "{word}");
        }
        assert!(linux("flag reqid 7").is_err());
    }

    #[test]
    fn wrong_values_are_by_word() {
        assert_eq!(linux("mode tunel").err().unwrap(), "Unknown mode \"XXXXX\"");
        assert_eq!(linux("flag noecn,x").err().unwrap(), "Unknown flag \"XXXXXXX\"");
        assert_eq!(linux("mark 1/").err().unwrap(), "Invalid mark \"XX\"");
        assert!(linux("reqid 4294967296").is_err());
        assert!(linux("offload a/b").is_err());
    }

    #[test]
    fn iproto_without_inner_addresses_has_the_family_of_the_sa() {
        let inner = |vocabulary, words| parsed(vocabulary, words).unwrap().inner_src.map(|inner| inner.addr.to_string());
        for words in ["iproto 1", "isport 53", "iproto udp idport 53"] {
            assert_eq!(inner(Vocabulary::Linux, words).as_deref(), Some("0.0.0.0"), "{words}");
            assert_eq!(inner(Vocabulary::Illumos, words).as_deref(), Some("::"), "{words}");
        }
    }

    #[test]
    fn linux_keywords_are_errors_for_other_sadbs() {
        let refused = parsed(Vocabulary::Illumos, "tfcpad 100").err().unwrap();
        assert!(refused.starts_with("tfcpad is for Linux XFRM"), "{refused}");
    }
}
