//! The commands: words, and what each one is.

use crate::keyfile::command::Verb;

/// What a command word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Sa(Verb),
    Flush,
    Dump,
    Save,
    Monitor,
    PassiveMonitor,
    Help,
    Quit,
}

/// One command word.
pub(crate) struct Row {
    pub(crate) word: &'static str,
    pub(crate) action: Action,
}

/// Every command word. They are case-sensitive.
pub(crate) const TABLE: &[Row] = &[
    Row { word: "add", action: Action::Sa(Verb::Add) },
    Row { word: "update", action: Action::Sa(Verb::Update) },
    Row { word: "update-pair", action: Action::Sa(Verb::UpdatePair) },
    Row { word: "delete", action: Action::Sa(Verb::Delete) },
    Row { word: "delete-pair", action: Action::Sa(Verb::DeletePair) },
    Row { word: "get", action: Action::Sa(Verb::Get) },
    Row { word: "flush", action: Action::Flush },
    Row { word: "dump", action: Action::Dump },
    Row { word: "save", action: Action::Save },
    Row { word: "monitor", action: Action::Monitor },
    Row { word: "passive_monitor", action: Action::PassiveMonitor },
    Row { word: "pmonitor", action: Action::PassiveMonitor },
    Row { word: "help", action: Action::Help },
    Row { word: "?", action: Action::Help },
    Row { word: "quit", action: Action::Quit },
    Row { word: "exit", action: Action::Quit },
];

/// The command spelt `word`.
pub(crate) fn by_word(word: &[u8]) -> Option<Action> {
    TABLE.iter().find(|row| row.word.as_bytes() == word).map(|row| row.action)
}

impl Verb {
    /// The word of the command.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::UpdatePair => "update-pair",
            Self::Delete => "delete",
            Self::DeletePair => "delete-pair",
            Self::Get => "get",
        }
    }

    /// Whether the command says what an SA is to be: `add`, `update`, `update-pair`.
    #[must_use]
    pub(crate) fn changes(self) -> bool {
        matches!(self, Self::Add | Self::Update | Self::UpdatePair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_to_their_verbs() {
        for verb in [Verb::Add, Verb::Update, Verb::UpdatePair, Verb::Delete, Verb::DeletePair, Verb::Get] {
            assert_eq!(by_word(verb.word().as_bytes()), Some(Action::Sa(verb)));
        }
        assert_eq!(by_word(b"pmonitor"), by_word(b"passive_monitor"));
        assert_eq!(by_word(b"FLUSH"), None);
    }
}
