//! The forms of the command: check a file, load a file, save, one command, a tool, the prompt.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::args::{Args, Task};
use super::chains;
use super::command_loop::{CommandLoop, Handler, InputError, Lints, Outcome};
use super::execute::Executor;
use super::exit::Exit;
use super::input_blocks::InputBlocks;
use super::prompt::Prompt;
use super::report::{Counts, Excerpt};
use super::session::Session;
use super::standard_input::StandardInput;
use super::tools;
use crate::keyfile::{self, Code, Command, Diagnostic, Location, ParsedCommand, Setting, Severity, Verb};
use crate::names::times;
use crate::redact::{shown, without_error_numbers};
use crate::sa::SaType;

pub(super) fn run(args: &Args) -> Exit {
    let mut session = match Session::new(&args.settings) {
        Ok(session) => session,
        Err(error) => {
            // Best effort: standard error may be closed.
            let _ = writeln!(io::stderr(), "ipseckey: --hosts: {}", without_error_numbers(&error.to_string()));
            return Exit::Failed;
        }
    };
    let exit = run_task(&args.task, &mut session).unwrap_or_else(|error| {
        session.output.print_message(&error.to_string());
        Exit::Failed
    });
    // Last, because every other message may have failed as well.
    if session.output.report_write_error() { Exit::Failed } else { exit }
}

fn run_task(task: &Task, session: &mut Session<'_>) -> Result<Exit, InputError> {
    match task {
        Task::Check(file) => check(session, file),
        Task::Load(file) => load(session, file),
        Task::Save(file) => Ok(if session.save(SaType::UNSPEC, Some(file)) { Exit::Done } else { Exit::Failed }),
        Task::Tool(tool) => Ok(tool.run(session)),
        Task::Words(words) => Ok(one_command(session, words)),
        Task::Interactive if io::stdin().is_terminal() => prompt(session),
        Task::Interactive => standard_input(session),
    }
}

/// `-c`: prints every error and warning of the file, without an SADB; also the refusals of that SADB that are sure.
fn check(session: &Session<'_>, file: &Path) -> Result<Exit, InputError> {
    // Without a lease: nothing is changed, and an editor should be able to save the file meanwhile.
    let mut blocks = InputBlocks::open(file)?;
    session.output.warn_of_findings(&blocks.take_findings());
    session.output.progress().begin("commands", Some(blocks.file_len()));
    let name = shown(file);
    let mut check = Check { session, name: &name, counts: Counts::default(), additions: 0, has_quit: false };
    CommandLoop::new(session, Lints::all(session).and_many_sas_per_tuple(session).and_refusals(session))
        .run(&mut blocks, &mut check)?;
    session.output.progress().end();
    // With other errors it is not known what the file was meant to add.
    let lacks_addition = check.counts.all_good() && check.additions == 0 && !session.allows_empty();
    if lacks_addition {
        let text = Excerpt { name: &shown(file), text: b"", first_line: 1, setting: Setting::File };
        session.output.print_diagnostic(&nothing_to_add(), text);
    }
    session.output.print_summary(&shown(file), check.counts, "correct");
    Ok(if check.counts.all_good() && !lacks_addition { Exit::Done } else { Exit::Failed })
}

/// The error of a file without an `add`.
fn nothing_to_add() -> Diagnostic {
    let start = Location { line: 1, last_line: 1, start: 0, end: 0 };
    let error =
        Diagnostic::new(Severity::Error, Code::NothingToAdd, start, "The file adds no SA: expected at least one add");
    error.help("restore the file; if it is meant to be empty, use --allow-empty")
}

/// Prints diagnostics and counts the commands without errors.
struct Check<'s> {
    session: &'s Session<'s>,
    /// That of the file, for messages.
    name: &'s str,
    counts: Counts,
    /// `add` commands up to `quit`.
    additions: usize,
    has_quit: bool,
}

impl Handler for Check<'_> {
    fn command(&mut self, item: ParsedCommand, text: Excerpt<'_>) -> ControlFlow<()> {
        // `quit` does not end the check: mistakes after it are worth a message too.
        let command = self.session.accept(item.outcome.ok(), &item.diagnostics, text);
        self.has_quit |= matches!(command, Some(Command::Quit));
        let adds = matches!(&command, Some(Command::Sa(command)) if command.verb == Verb::Add);
        self.additions += usize::from(adds && !self.has_quit);
        self.counts.add(command.is_some());
        ControlFlow::Continue(())
    }

    fn end_block(&mut self, rest: &[Diagnostic], text: Excerpt<'_>) -> Outcome {
        let _ = self.session.accept(Some(()), rest, text);
        Outcome::Done
    }

    fn end_file(&mut self, lints: &mut Lints) {
        // The lines that these are about are not in memory any more.
        let text = Excerpt { name: self.name, text: b"", first_line: 1, setting: Setting::File };
        let _ = self.session.accept(Some(()), &lints.finish(), text);
        if let Some(time) = self.session.time_of_check() {
            let lines: Vec<String> = lints.chain_lines_at(time).iter().map(u32::to_string).collect();
            let lines = if lines.is_empty() { "none".to_owned() } else { format!("lines {}", lines.join(", ")) };
            let time = times::text(time);
            self.session.output.print_message(&format!("{}: SAs of key chains at {time}: {lines}", self.name));
        }
        if let Some(end) = lints.chain_end() {
            let end = times::text(end);
            self.session
                .output
                .print_message(&format!("{}: a key chain ends at {end}: there is no key after that", self.name));
        }
    }
}

/// `-f`: carries out the commands of the file in order; one with an error is skipped.
fn load(session: &mut Session<'_>, file: &Path) -> Result<Exit, InputError> {
    // The lease before the load lock: a file that cannot be read must not make other programs wait.
    let mut blocks = InputBlocks::open_locked(file)?;
    session.output.warn_of_findings(&blocks.take_findings());
    if !session.acquire_load_lock() {
        return Ok(Exit::Failed);
    }
    // Other warnings are for -c: at load time the SADB decides, and its refusals are reported.
    let commands = CommandLoop::new(session, Lints::denied(session).and_many_sas_per_tuple(session));
    let output = session.output.clone();
    let chains = chains::of_file(&mut blocks, session)?;
    let mut executor = Executor::new(session);
    executor.set_chains(chains);
    executor.begin_load(blocks.file_len());
    let loaded = commands.run(&mut blocks, &mut executor);
    executor.end_load(file);
    // On success -f prints nothing, as ipseckey(1M) does.
    if executor.exit() != Exit::Done || !output.reports_text() {
        output.print_summary(&shown(file), executor.counts(), "succeeded");
    }
    loaded.map(|()| executor.exit())
}

/// Carries out the arguments of the shell as one command.
fn one_command(session: &mut Session<'_>, words: &[Vec<u8>]) -> Exit {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let resolver = session.resolver();
    let mut item = keyfile::command_from_words(&words, &session.options(Setting::Shell, &*resolver));
    if let Some(tool) = words.first().and_then(|word| tools::nearest(word)) {
        let is_unknown = |diagnostic: &&mut Diagnostic| diagnostic.code == Code::UnknownCommand;
        item.diagnostics.iter_mut().filter(is_unknown).for_each(|diagnostic| diagnostic.help = Some(tool.clone()));
    }
    // Only for messages. The words were parsed one by one, so a blank in a word is not a separator.
    let text = words.join(&b' ');
    let text = Excerpt { name: "command line", text: &text, first_line: 1, setting: Setting::Shell };
    let mut executor = Executor::new(session);
    // `quit` has nothing to end here.
    let _ = executor.command(item, text);
    executor.end_block(&[], text);
    executor.exit()
}

/// Commands from a terminal. The status is 0: the user has seen what failed.
fn prompt(session: &mut Session<'_>) -> Result<Exit, InputError> {
    let mut prompt = match Prompt::new(session) {
        Ok(prompt) => prompt,
        Err(error) => {
            // A serial line or an editor's shell may be no full terminal; commands work there anyway.
            session.output.print_message(&format!("cannot edit lines on this terminal: {error}"));
            return standard_input(session);
        }
    };
    let commands = CommandLoop::new(session, Lints::denied(session));
    commands.run(&mut prompt, &mut Executor::new(session))?;
    Ok(Exit::Done)
}

fn standard_input(session: &mut Session<'_>) -> Result<Exit, InputError> {
    let mut input = StandardInput::open()?;
    let commands = CommandLoop::new(session, Lints::denied(session));
    let mut executor = Executor::new(session);
    commands.run(&mut input, &mut executor)?;
    Ok(executor.exit())
}
