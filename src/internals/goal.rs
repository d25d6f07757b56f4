//! Keys files as the library reads them.

use crate::keyfile::{Command, HostsFile, Options, Setting, commands};
use crate::names::Vocabulary;
use crate::reconcile::Goal;

/// Calls `each` with every command of a file, none of which may be wrong.
pub(crate) fn each_command(text: &str, vocabulary: Vocabulary, each: &mut dyn FnMut(u32, Command)) {
    let resolver = HostsFile::parse("");
    let options = Options { vocabulary, numeric: true, setting: Setting::File, resolver: &resolver };
    for item in commands(text.as_bytes(), &options) {
        let line = item.location.line;
        match item.outcome {
            Ok(command) => each(line, command),
            Err(_) => panic!("line {line} of\n{text}"),
        }
    }
}

/// What a file asks for.
pub(crate) fn goal(text: &str, vocabulary: Vocabulary) -> Goal {
    let mut goal = Goal::default();
    each_command(text, vocabulary, &mut |line, command| match command {
        Command::Sa(command) => goal.take(line, command).expect("fits"),
        Command::Flush(sa_type) => goal.flush(sa_type),
        _ => panic!("another command"),
    });
    goal.finish().expect("pairs")
}
