//! The keys file as a whole: all its commands, or the lines of all its errors. Nothing of a file with an error is applied.

use crate::keyfile::{self, Command, Options, SaCommand, Setting, SystemResolver};
use crate::names::Vocabulary;
use crate::sa::SaType;

/// What a keys file of the service can ask for.
pub(crate) enum Action {
    /// A command about SAs.
    Sa(SaCommand),
    /// Remove all SAs of a type.
    Flush(SaType),
}

/// A command of the file with its first line.
pub(crate) struct Numbered {
    pub(crate) line: u32,
    pub(crate) action: Action,
}

impl Numbered {
    /// A second copy, its keys wiped on their own.
    pub(crate) fn duplicate(&self) -> Self {
        let action = match &self.action {
            Action::Sa(command) => Action::Sa(command.duplicate()),
            Action::Flush(sa_type) => Action::Flush(*sa_type),
        };
        Self { line: self.line, action }
    }
}

/// What is wrong with a keys file. Only numbers: the words of the errors may hold keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Commands in the file.
    pub(crate) commands: usize,
    /// First lines of the wrong ones, in order.
    pub(crate) lines: Vec<u32>,
}

/// All commands of `text`, up to a `quit` if there is one. What follows it is checked all the same, as `ipseckey -c` does.
///
/// # Errors
/// [`Faults`] if any of them is wrong.
pub(crate) fn parse(text: &[u8], vocabulary: Vocabulary) -> Result<Vec<Numbered>, Faults> {
    let resolver = SystemResolver::default();
    let options = Options { vocabulary, numeric: false, setting: Setting::File, resolver: &resolver };
    let mut sound = Vec::new();
    let mut lines = Vec::new();
    let mut commands = 0;
    let mut ended = false;
    for item in keyfile::commands(text, &options) {
        let line = item.location.line;
        commands += 1;
        match item.outcome.map(action) {
            Ok(Wanted::Action(action)) if !ended => sound.push(Numbered { line, action }),
            Ok(Wanted::Action(_)) => {}
            Ok(Wanted::End) => ended = true,
            Ok(Wanted::Misplaced) | Err(_) => lines.push(line),
        }
    }
    if lines.is_empty() { Ok(sound) } else { Err(Faults { commands, lines }) }
}

enum Wanted {
    Action(Action),
    End,
    Misplaced,
}

fn action(command: Command) -> Wanted {
    match command {
        Command::Sa(command) => Wanted::Action(Action::Sa(command)),
        Command::Flush(sa_type) => Wanted::Action(Action::Flush(sa_type)),
        Command::Quit => Wanted::End,
        Command::Dump(_) | Command::Save(..) | Command::Monitor | Command::PassiveMonitor | Command::Help(_) => {
            Wanted::Misplaced
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str =
        "add ah spi 0x90125 src 192.0.2.1 dst 192.0.2.2 authalg md5 authkey 1234567890abcdef1234567890abcdef\n";

    fn parsed(text: &str) -> Result<Vec<u32>, Faults> {
        let commands = parse(text.as_bytes(), Vocabulary::Illumos)?;
        Ok(commands.iter().map(|numbered| numbered.line).collect())
    }

    #[test]
    fn commands_keep_their_lines() {
        assert_eq!(parsed(&format!("# keys\n\nflush esp\n{SOUND}")), Ok(vec![3, 4]));
        assert_eq!(parsed("# nothing\n"), Ok(vec![]));
    }

    #[test]
    fn one_error_spoils_the_file_and_all_are_told() {
        let text = format!("{SOUND}bogus\n{SOUND}add esp spi\ndump\n");
        assert_eq!(parsed(&text), Err(Faults { commands: 5, lines: vec![2, 4, 5] }));
    }

    #[test]
    fn what_follows_quit_is_checked_but_not_applied() {
        assert_eq!(parsed(&format!("{SOUND}quit\n{SOUND}")), Ok(vec![1]));
        assert_eq!(parsed(&format!("{SOUND}quit\nbogus\n")), Err(Faults { commands: 3, lines: vec![3] }));
    }
}
