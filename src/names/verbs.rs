//! The commands of the language. The parser, `help`, the messages about unknown commands and the completion scripts use this table.

/// A command about SAs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Update,
    UpdatePair,
    Delete,
    DeletePair,
    Get,
}

/// The source of a command, which decides whether it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A keys file: only commands that change the SADB, and `quit`.
    File,
    /// The prompt, or standard input.
    Prompt,
    /// The arguments of a shell command: no `add` and no `update`, because every user can read the arguments of a process.
    Shell,
}

/// The meaning of a command word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A command about SAs.
    Sa(Verb),
    Flush,
    Dump,
    Show,
    Save,
    Monitor,
    PassiveMonitor,
    Help,
    Quit,
}

/// A row of the table of commands.
pub(crate) struct Row {
    /// Its words, case-sensitive; messages use the first.
    pub(crate) words: &'static [&'static str],
    pub(crate) action: Action,
    /// Where it is allowed.
    pub(crate) allowed: &'static [Setting],
    /// The syntax, with variable parts in capital letters.
    pub(crate) form: &'static str,
    /// The help text. The list of commands shows the first sentence.
    pub(crate) about: &'static str,
    /// A complete command, as a user would type it.
    pub(crate) example: &'static str,
}

const EVERYWHERE: &[Setting] = &[Setting::File, Setting::Prompt, Setting::Shell];
/// Commands that may hold keys.
const NOT_IN_SHELL: &[Setting] = &[Setting::File, Setting::Prompt];
/// Commands that only print.
const NOT_IN_FILE: &[Setting] = &[Setting::Prompt, Setting::Shell];

/// From the shell it is a tool, which has options.
const PROMPT_ONLY: &[Setting] = &[Setting::Prompt];

/// Every command, in the order of the help.
pub(crate) const TABLE: &[Row] = &[
    Row {
        words: &["add"],
        action: Action::Sa(Verb::Add),
        allowed: NOT_IN_SHELL,
        form: "add SA_TYPE KEYWORD VALUE ...",
        about: "Add an SA. Only in a file or at the prompt, so that ps(1) shows no key.",
        example: "add esp spi 0x2112 src 192.0.2.1 dst 198.51.100.7 encr_alg aes encrkey KEY auth_alg sha256 authkey KEY",
    },
    Row {
        words: &["update"],
        action: Action::Sa(Verb::Update),
        allowed: NOT_IN_SHELL,
        form: "update SA_TYPE spi SPI dst ADDRESS KEYWORD VALUE ...",
        about: "Change the lifetimes or the pair of an SA. Only in a file or at the prompt.",
        example: "update esp spi 0x2112 dst 198.51.100.7 hard_bytes 16000000",
    },
    Row {
        words: &["update-pair"],
        action: Action::Sa(Verb::UpdatePair),
        allowed: NOT_IN_SHELL,
        form: "update-pair SA_TYPE spi SPI dst ADDRESS KEYWORD VALUE ...",
        about: "Update an SA and its paired SA. Only in a file or at the prompt.",
        example: "update-pair esp spi 0x2112 dst 198.51.100.7 hard_addtime 28800",
    },
    Row {
        words: &["delete"],
        action: Action::Sa(Verb::Delete),
        allowed: EVERYWHERE,
        form: "delete SA_TYPE spi SPI dst ADDRESS",
        about: "Remove an SA. Its paired SA stays, without a pair.",
        example: "delete esp spi 0x2112 dst 198.51.100.7",
    },
    Row {
        words: &["delete-pair"],
        action: Action::Sa(Verb::DeletePair),
        allowed: EVERYWHERE,
        form: "delete-pair SA_TYPE spi SPI dst ADDRESS",
        about: "Remove an SA and its paired SA.",
        example: "delete-pair esp spi 0x2112 dst 198.51.100.7",
    },
    Row {
        words: &["get"],
        action: Action::Sa(Verb::Get),
        allowed: EVERYWHERE,
        form: "get SA_TYPE spi SPI dst ADDRESS",
        about: "Show an SA, with its keys unless -p is given.",
        example: "get ah spi 0x5150 dst 198.51.100.7",
    },
    Row {
        words: &["flush"],
        action: Action::Flush,
        allowed: EVERYWHERE,
        form: "flush [SA_TYPE]",
        about: "Remove all SAs, or all of one type.",
        example: "flush ah",
    },
    Row {
        words: &["dump"],
        action: Action::Dump,
        allowed: NOT_IN_FILE,
        form: "dump [SA_TYPE]",
        about: "Show all SAs, or all of one type.",
        example: "dump esp",
    },
    Row {
        words: &["show", "list", "ls", "status"],
        action: Action::Show,
        allowed: PROMPT_ONLY,
        form: "show [PEER]",
        about: "Show the links to other hosts in a table, and what looks wrong. PEER is an address or a network.",
        example: "show 198.51.100.7",
    },
    Row {
        words: &["save"],
        action: Action::Save,
        allowed: NOT_IN_FILE,
        form: "save SA_TYPE [FILE]",
        about: "Write all SAs of a type (or `all`) as commands that -f reads. Without FILE, or with '-', to standard output.",
        example: "save esp /root/snapshot",
    },
    Row {
        words: &["monitor"],
        action: Action::Monitor,
        allowed: NOT_IN_FILE,
        form: "monitor",
        about: "Show all PF_KEY messages, with the replies to other programs, until interrupted.",
        example: "monitor",
    },
    Row {
        words: &["passive_monitor", "pmonitor"],
        action: Action::PassiveMonitor,
        allowed: NOT_IN_FILE,
        form: "passive_monitor",
        about: "Show the PF_KEY messages that the kernel sends to every socket, until interrupted.",
        example: "pmonitor",
    },
    Row {
        words: &["help", "?"],
        action: Action::Help,
        allowed: NOT_IN_FILE,
        form: "help [COMMAND | attr]",
        about: "Show this list, one command, or the keywords (attributes) of an SA.",
        example: "help attr",
    },
    Row {
        words: &["quit", "exit"],
        action: Action::Quit,
        allowed: EVERYWHERE,
        form: "quit",
        about: "Leave the prompt. In a file: ignore the rest of it.",
        example: "quit",
    },
];

/// The command spelt `word`.
#[must_use]
pub(crate) fn by_word(word: &[u8]) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.words.iter().any(|known| known.as_bytes() == word))
}

pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|row| row.words).copied()
}

/// The words that are of use as arguments of a shell command.
pub(crate) fn shell_words() -> impl Iterator<Item = &'static str> {
    // `quit` is allowed there and does nothing; `?` is a pattern of the shell.
    let rows = TABLE.iter().filter(|row| row.allowed.contains(&Setting::Shell) && row.action != Action::Quit);
    rows.flat_map(|row| row.words).copied().filter(|word| *word != "?")
}

/// The commands that are allowed there, for a message: `a, b or c`.
#[must_use]
pub(crate) fn expected(setting: Setting) -> String {
    let allowed = TABLE.iter().filter(|row| row.allowed.contains(&setting)).map(|row| row.words[0]);
    let tool = (setting == Setting::Shell).then_some("a tool");
    let mut words: Vec<&str> = allowed.chain(tool).collect();
    let last = words.pop().unwrap_or_default();
    format!("{} or {last}", words.join(", "))
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

    /// Whether the command sets properties of an SA: `add`, `update`, `update-pair`.
    #[must_use]
    pub(crate) fn changes(self) -> bool {
        matches!(self, Self::Add | Self::Update | Self::UpdatePair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_word_finds_each_verb() {
        for verb in [Verb::Add, Verb::Update, Verb::UpdatePair, Verb::Delete, Verb::DeletePair, Verb::Get] {
            let row = by_word(verb.word().as_bytes()).unwrap();
            assert_eq!(row.action, Action::Sa(verb));
            assert_eq!(row.allowed.contains(&Setting::Shell), !verb.changes());
        }
        assert_eq!(by_word(b"pmonitor").map(|row| row.words[0]), Some("passive_monitor"));
        assert!(by_word(b"FLUSH").is_none());
    }

    #[test]
    fn form_and_example_begin_with_the_command() {
        for row in TABLE {
            assert!(row.form.starts_with(row.words[0]), "{}", row.form);
            let first = row.example.split(' ').next().unwrap();
            assert!(row.words.contains(&first), "{}", row.example);
        }
    }

    #[test]
    fn expected_lists_the_allowed_commands() {
        assert_eq!(expected(Setting::File), "add, update, update-pair, delete, delete-pair, get, flush or quit");
        assert!(expected(Setting::Shell).starts_with("delete, ") && expected(Setting::Shell).ends_with(" or a tool"));
    }
}
