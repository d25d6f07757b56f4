//! The explanations that `journalctl -x` shows (systemd.io/CATALOG). systemd/manual-key.catalog is generated from the entries
//! of the events: `SNAPSHOTS=overwrite cargo test --lib catalogue` writes it.

/// Explains the events with one `MESSAGE_ID`. The journal replaces `@FIELD@` by the event's field.
#[cfg_attr(not(test), expect(dead_code, reason = "only the catalogue file has the texts"))]
pub(crate) struct Entry {
    /// 32 hexadecimal digits.
    pub(super) id: &'static str,
    pub(super) subject: &'static str,
    /// URIs of man pages, separated by spaces.
    pub(super) documentation: &'static str,
    /// Lines without indentation.
    pub(super) text: &'static str,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::env;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::service::log::event::{self, tests::samples};

    fn entries() -> impl Iterator<Item = &'static Entry> {
        [
            event::load::ENTRIES,
            event::counter_mode::ENTRIES,
            event::foreign::ENTRIES,
            event::confirm::ENTRIES,
            event::policy::ENTRIES,
            event::daemon::ENTRIES,
        ]
        .into_iter()
        .flatten()
        .copied()
    }

    fn render() -> String {
        let mut text = String::from(
            "# Explanations of the messages of manual-key for journalctl -x (systemd.io/CATALOG).\n\
             # Generated from src/service/log/event: SNAPSHOTS=overwrite cargo test --lib catalogue\n",
        );
        for Entry { id, subject, documentation, text: explanation } in entries() {
            text += &format!(
                "\n-- {id}\nSubject: {subject}\nDefined-By: ipseckey\nDocumentation: {documentation}\n\n{explanation}\n"
            );
        }
        text
    }

    #[test]
    fn catalogue_file_is_generated_from_the_events() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/manual-key.catalog");
        if env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
            fs::write(&path, render()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), render(), "run: SNAPSHOTS=overwrite cargo test --lib catalogue");
    }

    #[test]
    fn every_entry_is_that_of_an_event_and_names_its_fields() {
        let samples = samples();
        let ids: BTreeSet<&str> = samples.iter().filter_map(event::Event::message_id).collect();
        assert_eq!(entries().map(|entry| entry.id).collect::<BTreeSet<_>>(), ids);
        assert_eq!(entries().count(), ids.len(), "two entries share an id");
        for entry in entries() {
            assert!(entry.id.len() == 32 && entry.id.chars().all(|c| c.is_ascii_hexdigit()), "{}", entry.id);
            for field in entry.text.split('@').filter(|word| word.starts_with("IPSECKEY_")) {
                let with_id = || samples.iter().filter(|event| event.message_id() == Some(entry.id));
                assert!(with_id().all(|event| event.fields().iter().any(|(name, _)| *name == field)), "{field}");
            }
        }
    }
}
