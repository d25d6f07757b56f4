//! The forms of the command: check a file, load a file, save, one command, the prompt.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use zeroize::Zeroizing;

use super::args::{Args, Task};
use super::blocks::Blocks;
use super::exit::Exit;
use super::output::{Output, Source};
use super::prompt::{Prompt, Typed};
use super::session::{Session, Tally, Verdict, Watch};
use super::tools;
use crate::keyfile;
use crate::keyfile::{Checker, Code, Diagnostic, DuplicateTupleCounter, ParsedCommand, Setting};
use crate::names::Vocabulary;
use crate::redact::shown;
use crate::sa::SaType;
use crate::secret::{Buffer, SecretReader};
use crate::sys::fs::keys_file::FileError;
use crate::sys::process::hardening;

/// Does what the arguments say.
pub(super) fn run(args: &Args) -> Exit {
    let mut session = match Session::new(args) {
        Ok(session) => session,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(io::stderr(), "ipseckey: --hosts: {error}");
            return Exit::Failed;
        }
    };
    let exit = perform(&args.task, &mut session);
    if session.output.tell_loss() { Exit::Failed } else { exit }
}

fn perform(task: &Task, session: &mut Session<'_>) -> Exit {
    match task {
        Task::Check(file) => check(session, file).unwrap_or_else(|error| failed(session, &error)),
        Task::Load(file) => load(session, file).unwrap_or_else(|error| failed(session, &error)),
        Task::Save(file) => finished(session.save(SaType::UNSPEC, Some(file))),
        Task::Tool(tool) => tool.run(session),
        Task::Words(words) => one_command(session, words),
        Task::Interactive if io::stdin().is_terminal() => at_prompt(session),
        Task::Interactive => from_pipe(session),
    }
}

fn failed(session: &Session<'_>, error: &FileError) -> Exit {
    session.output.say(&error.to_string());
    Exit::Failed
}

fn finished(done: bool) -> Exit {
    if done { Exit::Done } else { Exit::Failed }
}

/// What is watched over while the blocks of a file go by: how far it is, and whether too many SAs are alike.
struct Course {
    output: Output,
    tuple_counter: DuplicateTupleCounter,
    is_linux: bool,
    commands: usize,
    /// Bytes of the blocks that are done.
    before: u64,
}

impl Course {
    fn new(session: &Session<'_>) -> Self {
        let is_linux = session.vocabulary() == Vocabulary::Linux;
        Self {
            output: session.output.clone(),
            tuple_counter: DuplicateTupleCounter::default(),
            is_linux,
            commands: 0,
            before: 0,
        }
    }

    fn passes(&mut self, item: &mut ParsedCommand) {
        self.commands += 1;
        self.output.progress().step(self.commands, self.before + item.location.start as u64);
        if self.is_linux {
            item.diagnostics.extend(self.tuple_counter.check(item));
        }
    }
}

/// `-c`: every error and warning of the file; no SADB.
fn check(session: &Session<'_>, file: &Path) -> Result<Exit, FileError> {
    let mut blocks = Blocks::open(file)?;
    let (name, mut tally) = (shown(file), Tally::default());
    session.output.warn(&blocks.take_findings());
    session.output.progress().begin("commands", Some(blocks.file_len()));
    let (mut checker, mut course) = (Checker::new(), Course::new(session));
    while let Some((text, first_line)) = blocks.next()? {
        let mut watch = |item: &mut ParsedCommand| {
            item.diagnostics.append(&mut checker.check(item, text));
            course.passes(item);
        };
        let source = Source { name: &name, text, first_line };
        session.read(source, &mut watch, &mut |_, command| tally.count(command.is_some().into()));
        course.before += text.len() as u64;
    }
    session.output.progress().end();
    session.output.tally(&name, tally.commands, tally.done, "are correct");
    Ok(tally.exit())
}

/// `-f`: the commands of the file in order; one with an error is skipped.
fn load(session: &mut Session<'_>, file: &Path) -> Result<Exit, FileError> {
    let mut blocks = Blocks::open_held(file)?;
    let (name, mut tally) = (shown(file), Tally::default());
    session.output.warn(&blocks.take_findings());
    if !session.acquire_load_lock() {
        return Ok(Exit::Failed);
    }
    session.begin_load(blocks.file_len());
    let loaded = load_blocks(session, &name, blocks, &mut tally);
    session.end_load();
    if tally.exit() != Exit::Done || session.output.always_tallies() {
        session.output.tally(&name, tally.commands, tally.done, "succeeded");
    }
    loaded.map(|()| tally.exit())
}

fn load_blocks(session: &mut Session<'_>, name: &str, mut blocks: Blocks, tally: &mut Tally) -> Result<(), FileError> {
    let (mut checker, mut course) = (Checker::new(), Course::new(session));
    while let Some((text, first_line)) = blocks.next()? {
        let source = Source { name, text, first_line };
        let mut watch = |item: &mut ParsedCommand| course.passes(item);
        if run_all(session, source, Setting::File, &mut checker, tally, &mut watch) == Verdict::Quit {
            break;
        }
        course.before += text.len() as u64;
    }
    Ok(())
}

/// Carries out the commands of `source` until one of them quits. The last command's verdict.
fn run_all(
    session: &mut Session<'_>,
    source: Source<'_>,
    setting: Setting,
    checker: &mut Checker,
    tally: &mut Tally,
    watch: Watch<'_>,
) -> Verdict {
    let resolver = session.resolver();
    let options = session.options(setting, &*resolver);
    let mut verdict = Verdict::Done;
    let mut commands = keyfile::commands(source.text, &options).from_line(source.first_line);
    for mut item in commands.by_ref() {
        watch(&mut item);
        if session.denies_weakness() {
            item.diagnostics.append(&mut checker.check(&item, source.text));
        }
        verdict = session.execute(item, source, tally);
        if verdict == Verdict::Quit {
            return verdict;
        }
    }
    session.settle(source, tally);
    let _ = session.accept(Some(()), &commands.take_trailing_warnings(), source);
    verdict
}

/// The shell's words as a command.
fn one_command(session: &mut Session<'_>, words: &[Vec<u8>]) -> Exit {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let resolver = session.resolver();
    let mut item = keyfile::command_from_words(&words, &session.options(Setting::Shell, &*resolver));
    if let Some(tool) = words.first().and_then(|word| tools::nearest(word)) {
        let is_unknown = |diagnostic: &&mut Diagnostic| diagnostic.code == Code::UnknownCommand;
        item.diagnostics.iter_mut().filter(is_unknown).for_each(|diagnostic| diagnostic.help = Some(tool.clone()));
    }
    let text = words.join(&b' ');
    let source = Source { name: "command line", text: &text, first_line: 1 };
    let mut tally = Tally::default();
    session.execute(item, source, &mut tally);
    tally.exit()
}

/// Commands from a terminal. Its status is 0: the user has seen what failed.
fn at_prompt(session: &mut Session<'_>) -> Exit {
    let mut prompt = match Prompt::new(session) {
        Ok(prompt) => prompt,
        Err(error) => {
            session.output.say(&format!("the terminal cannot be used for editing: {error}"));
            return from_pipe(session);
        }
    };
    loop {
        hardening::wipe_stack();
        match prompt.read(session) {
            Ok(Typed::Line(text)) => {
                let verdict = run_all(
                    session,
                    Source { name: "prompt", text: &text, first_line: 1 },
                    Setting::Prompt,
                    &mut Checker::new(),
                    &mut Tally::default(),
                    &mut |_| {},
                );
                if verdict == Verdict::Quit {
                    return Exit::Done;
                }
                if verdict == Verdict::Done && !mentions_key(&text) {
                    prompt.remember(&text);
                }
            }
            Ok(Typed::Interrupted) => {}
            Ok(Typed::End) => return Exit::Done,
            Err(error) => {
                session.output.say(&format!("standard input: {error}"));
                return Exit::Failed;
            }
        }
    }
}

/// Commands from a pipe or a file on standard input, each carried out as soon as it is complete.
fn from_pipe(session: &mut Session<'_>) -> Exit {
    let mut tally = Tally::default();
    match secret_stdin().and_then(|mut input| run_lines(session, &mut input, &mut tally)) {
        Ok(()) => tally.exit(),
        Err(error) => {
            session.output.say(&format!("standard input: {error}"));
            Exit::Failed
        }
    }
}

fn run_lines(session: &mut Session<'_>, input: &mut SecretReader<File>, tally: &mut Tally) -> io::Result<()> {
    let mut first_line = 1;
    loop {
        if keyfile::complete_lines_len(input.buffered()) == 0 {
            // The next command may be long in coming.
            hardening::wipe_stack();
        }
        let Some(text) = next_command(input)? else { return Ok(()) };
        let source = Source { name: "standard input", text: &text, first_line };
        if run_all(session, source, Setting::Prompt, &mut Checker::new(), tally, &mut |_| {}) == Verdict::Quit {
            return Ok(());
        }
        first_line += u32::try_from(text.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0);
    }
}

/// Standard input past the buffer of [`io::stdin`], which nobody wipes.
fn secret_stdin() -> io::Result<SecretReader<File>> {
    Ok(SecretReader::new(READ_AHEAD, File::from(io::stdin().as_fd().try_clone_to_owned()?)))
}

/// Whether a line that was carried out must stay out of the prompt's history. `add` and `update` may hold keys, comments anything.
fn mentions_key(line: &[u8]) -> bool {
    let first = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
    first.is_none_or(|word| word.starts_with(b"add") || word.starts_with(b"update") || word.starts_with(b"#"))
}

/// The next line of `input` with the lines that continue it; `None` at its end. A last line needs no newline.
fn next_command(input: &mut impl BufRead) -> io::Result<Option<Buffer>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LINE_CAPACITY));
    loop {
        let before = text.len();
        let read = input.read_until(b'\n', &mut text)?;
        let continued = text.get(before..).is_some_and(|line| line.ends_with(b"\\\n"));
        if read == 0 || !continued {
            return Ok((!text.is_empty()).then(|| Buffer::from_slice(&text)));
        }
    }
}

/// Room for a command; a longer one makes the buffer move, and the allocator wipes its old place.
const LINE_CAPACITY: usize = 4096;
/// Most bytes taken from standard input at once.
const READ_AHEAD: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(mut input: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(text) = next_command(&mut input).unwrap() {
            found.push(String::from_utf8(text.to_vec()).unwrap());
        }
        found
    }

    #[test]
    fn standard_input_is_cut_into_whole_commands() {
        assert_eq!(commands(b"flush\nadd \\\n esp\nquit"), ["flush\n", "add \\\n esp\n", "quit"]);
        assert_eq!(commands(b"flush \\\n"), ["flush \\\n"]);
        assert!(commands(b"").is_empty());
    }

    #[test]
    fn lines_that_may_hold_keys_stay_out_of_the_history() {
        assert!(mentions_key(b"  add esp encrkey 00\n") && mentions_key(b"update-pair esp\n") && mentions_key(b"\n"));
        assert!(!mentions_key(b"dump esp\n"));
    }
}
