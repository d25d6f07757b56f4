//! The keys file as a whole: all its commands, or the lines of all its errors. Nothing of a file with an error is applied.

use crate::apply::aim_at;
use crate::chain::Chains;
use crate::keyfile::{self, Command, Options, SaCommand, Setting, SystemResolver, Verb};
use crate::names::Vocabulary;
use crate::reconcile::{Goal, GoalError};
use crate::sa::{SaId, SaType};
use crate::sadb::AddCheck;
use crate::sys::net::interfaces::is_local;

/// The commands that a keys file of the service may contain.
pub(crate) enum Action {
    Sa(SaCommand),
    /// Remove all SAs of a type.
    Flush(SaType),
}

/// A command and its first line.
pub(crate) struct FileCommand {
    pub(crate) line: u32,
    pub(crate) action: Action,
}

impl FileCommand {
    /// A copy, written out since keys have no `Clone`.
    pub(crate) fn duplicate(&self) -> Self {
        let action = match &self.action {
            Action::Sa(command) => Action::Sa(command.duplicate()),
            Action::Flush(sa_type) => Action::Flush(*sa_type),
        };
        Self { line: self.line, action }
    }

    /// Whether it adds SAs with a cipher that breaks if a counter is used twice with the same key.
    pub(super) fn uses_counter_mode(&self, vocabulary: Vocabulary) -> bool {
        let algorithm = self.addition().map(|command| command.request.encr_alg);
        vocabulary.encr_algs().any(|row| row.counter_mode && Some(row.number) == algorithm)
    }

    pub(crate) fn is_addition(&self) -> bool {
        self.addition().is_some()
    }

    /// The command, if it adds SAs.
    pub(super) fn addition(&self) -> Option<&SaCommand> {
        match &self.action {
            Action::Sa(command) if command.verb == Verb::Add => Some(command),
            Action::Sa(_) | Action::Flush(_) => None,
        }
    }
}

/// Identities of the SAs that `commands` add.
pub(crate) fn added_ids(commands: &[FileCommand]) -> impl Iterator<Item = SaId> {
    commands.iter().filter_map(FileCommand::addition).flat_map(ids)
}

/// Identities of the SAs that an addition has as targets.
pub(super) fn ids(command: &SaCommand) -> impl Iterator<Item = SaId> {
    let id = command.request.id();
    let of_target =
        move |dst: Option<std::net::IpAddr>| id.map(|id| SaId { dst: dst.map_or(id.dst, |dst| dst.to_canonical()), ..id });
    command.targets.iter().filter_map(move |target| of_target(target.dst))
}

/// The desired state that `commands` define.
pub(crate) fn goal(commands: impl IntoIterator<Item = FileCommand>) -> Result<Goal, GoalError> {
    let mut goal = Goal::default();
    for FileCommand { line, action } in commands {
        match action {
            Action::Sa(command) => goal.take(line, command)?,
            Action::Flush(sa_type) => goal.flush(sa_type),
        }
    }
    goal.finish()
}

/// The SAs of a keys file at a time.
pub(crate) struct AtTime {
    /// The commands without the additions that are not wanted then.
    pub(crate) commands: Vec<FileCommand>,
    /// When the SAs that are wanted change next, in seconds since 1970; `None` if they do not.
    pub(crate) next_change: Option<u64>,
    /// When the first of the key chains ends, in seconds since 1970; `None` if none ends.
    pub(crate) end: Option<u64>,
    /// The number of the present key, from 1, and the number of keys: of the chain that ends first.
    pub(crate) progress: Option<(usize, usize)>,
}

/// When the SAs that are wanted change next after `time`, in seconds since 1970.
pub(crate) fn next_change(commands: &[FileCommand], time: u64) -> Option<u64> {
    chains(commands).next_change(time)
}

fn chains(commands: &[FileCommand]) -> Chains {
    Chains::new(commands.iter().filter_map(FileCommand::addition).map(|command| &*command.request), &is_local)
}

/// The commands that hold at `time`, in seconds since 1970.
///
/// # Errors
/// A file with key chains may only have `add`, and `flush` before it: the chains are about the file as a whole.
pub(crate) fn at(mut commands: Vec<FileCommand>, time: u64) -> Result<AtTime, GoalError> {
    let chains = chains(&commands);
    if chains.is_empty() {
        return Ok(AtTime { commands, next_change: None, end: None, progress: None });
    }
    let first = commands.iter().position(FileCommand::is_addition).unwrap_or(0);
    if let Some(other) = commands.iter().skip(first).find(|command| !command.is_addition()) {
        let message = "only add is allowed in a file with key chains, and flush before the first add".to_owned();
        return Err(GoalError { line: other.line, message });
    }
    let unwanted = chains.unwanted(time);
    let mut position = 0;
    commands.retain(|command| {
        let is_wanted = !command.is_addition() || !unwanted.contains(&position);
        position += usize::from(command.is_addition());
        is_wanted
    });
    let (next_change, end, progress) = (chains.next_change(time), chains.end(), chains.progress(time));
    Ok(AtTime { commands, next_change, end, progress })
}

/// The errors of a keys file. Only numbers: the texts of the errors may contain keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Commands in the file.
    pub(crate) commands: usize,
    /// First line of each command with an error, in order.
    pub(crate) lines: Vec<u32>,
}

/// All commands of `text`, up to a `quit` if there is one. The commands after it are checked as well, as `ipseckey -c` does.
///
/// Additions without a reqid get `reqid`.
///
/// # Errors
/// [`Faults`] if any command has an error.
pub(crate) fn parse(text: &[u8], vocabulary: Vocabulary, reqid: u32) -> Result<Vec<FileCommand>, Faults> {
    let resolver = SystemResolver::default();
    let options = Options { vocabulary, numeric: false, setting: Setting::File, resolver: &resolver };
    let mut valid = Vec::new();
    let mut lines = Vec::new();
    let mut commands = 0;
    let mut has_quit = false;
    for item in keyfile::commands(text, &options) {
        let line = item.location.line;
        commands += 1;
        match item.outcome.map(classify) {
            Ok(Class::Action(action)) if !has_quit => valid.push(FileCommand { line, action }),
            // After quit: checked, not applied.
            Ok(Class::Action(_)) => {}
            Ok(Class::Quit) => has_quit = true,
            // The text of the error may contain a key, and is dropped.
            Ok(Class::NotAllowed) | Err(_) => lines.push(line),
        }
    }
    valid.iter_mut().for_each(|command| set_reqid(command, reqid));
    if lines.is_empty() { Ok(valid) } else { Err(Faults { commands, lines }) }
}

/// The lines of the additions that the SADB will refuse whatever it holds.
pub(crate) fn refused_lines(commands: &mut [FileCommand], check: &mut AddCheck) -> Vec<u32> {
    commands.iter_mut().filter_map(|command| is_refused(&mut command.action, check).then_some(command.line)).collect()
}

fn is_refused(action: &mut Action, check: &mut AddCheck) -> bool {
    let Action::Sa(command @ SaCommand { verb: Verb::Add, .. }) = action else { return false };
    command.targets.clone().into_iter().any(|target| {
        aim_at(&mut command.request, target);
        check.refusal(&command.request).is_some()
    })
}

fn set_reqid(command: &mut FileCommand, reqid: u32) {
    if let Action::Sa(SaCommand { verb: Verb::Add, request, .. }) = &mut command.action
        && request.linux.reqid == 0
        && reqid != 0
    {
        request.linux.reqid = reqid;
    }
}

enum Class {
    Action(Action),
    Quit,
    /// A command for a terminal: the service has no reader for its output.
    NotAllowed,
}

fn classify(command: Command) -> Class {
    match command {
        Command::Sa(command) => Class::Action(Action::Sa(command)),
        Command::Flush(sa_type) => Class::Action(Action::Flush(sa_type)),
        Command::Quit => Class::Quit,
        Command::Dump(_)
        | Command::Show(_)
        | Command::Save(..)
        | Command::Monitor
        | Command::PassiveMonitor
        | Command::Help(_) => Class::NotAllowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str =
        "add ah spi 0x90125 src 192.0.2.1 dst 192.0.2.2 authalg md5 authkey 1234567890abcdef1234567890abcdef\n";

    fn lines_of(text: &str) -> Result<Vec<u32>, Faults> {
        let commands = parse(text.as_bytes(), Vocabulary::Illumos, 0)?;
        Ok(commands.iter().map(|command| command.line).collect())
    }

    #[test]
    fn parse_keeps_the_lines_of_commands() {
        assert_eq!(lines_of(&format!("# keys\n\nflush esp\n{VALID}")), Ok(vec![3, 4]));
        assert_eq!(lines_of("# nothing\n"), Ok(vec![]));
    }

    #[test]
    fn parse_returns_all_errors_and_no_command() {
        let text = format!("{VALID}bogus\n{VALID}add esp spi\ndump\n");
        assert_eq!(lines_of(&text), Err(Faults { commands: 5, lines: vec![2, 4, 5] }));
    }

    #[test]
    fn at_drops_what_is_not_wanted_and_refuses_other_commands() {
        let add = |words: &str| VALID.replace(" src", &format!(" outbound {words} src"));
        let text = format!("flush\n{}{VALID}{}", add("send_from 100 send_until 200"), add("send_from 200"));
        let commands = |text: &str| parse(text.as_bytes(), Vocabulary::Illumos, 0).ok().unwrap();
        let lines_at = |time| {
            let found = at(commands(&text), time).ok().unwrap();
            (found.commands.iter().map(|command| command.line).collect::<Vec<_>>(), found.next_change)
        };
        assert_eq!(lines_at(0), (vec![1, 3], Some(100)));
        assert_eq!(lines_at(100), (vec![1, 2, 3], Some(200)));
        assert_eq!(lines_at(200), (vec![1, 3, 4], None));
        assert_eq!(at(commands(&format!("{text}flush\n")), 0).err().map(|error| error.line), Some(5));
        assert!(at(commands(&format!("{VALID}flush\n")), 0).is_ok());
    }

    #[test]
    fn parse_checks_commands_after_quit_and_drops_them() {
        assert_eq!(lines_of(&format!("{VALID}quit\n{VALID}")), Ok(vec![1]));
        assert_eq!(lines_of(&format!("{VALID}quit\nbogus\n")), Err(Faults { commands: 3, lines: vec![3] }));
    }
}
