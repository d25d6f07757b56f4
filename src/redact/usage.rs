//! Usage errors without the words of the user: a key may be any argument, and clap cites them.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::citable::mask;

/// `error` with the arguments of the user masked. The names of options, the possible values and suggestions remain.
#[must_use]
pub(crate) fn without_values(mut error: clap::Error) -> clap::Error {
    if let Some(text) = range_error(&error) {
        return clap::Error::raw(error.kind(), text);
    }
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    let kinds = [ContextKind::InvalidValue, ContextKind::InvalidSubcommand];
    for kind in kinds.into_iter().chain(is_unknown.then_some(ContextKind::InvalidArg)) {
        let masked = match error.get(kind) {
            // An empty value has a text of its own: a value is required.
            Some(ContextValue::String(word)) if !word.is_empty() => ContextValue::String(mask(word.chars().count())),
            Some(ContextValue::Strings(words)) => ContextValue::Strings(words.iter().map(|word| mask(word.len())).collect()),
            _ => continue,
        };
        error.insert(kind, masked);
    }
    // "to pass 'WORD' as a value, use '-- WORD'"
    error.remove(ContextKind::Suggested);
    error
}

/// The text for a number out of range, whose cause cites the number.
fn range_error(error: &clap::Error) -> Option<String> {
    let (_, range) =
        error.source()?.to_string().rsplit_once(" is not in ").map(|(word, range)| (word.len(), range.to_owned()))?;
    let option = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    Some(format!("invalid value for '{option}': expected a number in {range}\n"))
}

#[cfg(test)]
mod tests {
    use clap::builder::PossibleValuesParser;
    use clap::{Arg, Command, value_parser};

    use super::*;

    fn text(words: &[&str]) -> String {
        let command = Command::new("p")
            .arg(Arg::new("color").long("color").value_parser(PossibleValuesParser::new(["auto", "never"])))
            .arg(Arg::new("bits").long("bits").value_name("BITS").value_parser(value_parser!(u16)))
            .subcommand(Command::new("dump"))
            .subcommand_required(true);
        without_values(command.try_get_matches_from(words).unwrap_err()).render().to_string()
    }

    #[test]
    fn without_values_shows_options_and_no_words() {
        let key = "Dx4tPEtaaXiHlqW0w9Lh8A==";
        let option = format!("--{key}");
        let value = format!("--color={key}");
        for words in [&["p", key][..], &["p", &option], &["p", &value], &["p", "dump", key], &["p", "--bits", key]] {
            let text = text(words);
            assert!(!text.contains("Dx4t") && text.contains("XXXX"), "{text}");
        }
        let text = text(&["p", "--bits", "1234567890123456", "dump"]);
        assert!(
            text.contains("expected a number in 0..=65535") && text.contains("--bits") && !text.contains("1234"),
            "{text}"
        );
    }

    #[test]
    fn without_values_keeps_possible_values_and_suggestions() {
        assert!(text(&["p", "--color", "nevr"]).contains("[possible values: auto, never]"));
        assert!(text(&["p", "--colour", "auto"]).contains("--color"));
        assert!(text(&["p", "dmp"]).contains("dump"));
    }
}
