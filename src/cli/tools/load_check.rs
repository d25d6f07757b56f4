//! Whether the SAs of a new file can be loaded.

use crate::apply::aim_at;
use crate::cli::session::Session;
use crate::keyfile::{SaCommand, Verb};
use crate::names::Vocabulary;
use crate::sadb::AddCheck;

/// Prints a message for each SA that Linux will refuse whatever it holds. Returns whether there is none. `ipseckey -c` reports the
/// same with the place in the file.
pub(super) fn can_be_loaded(commands: &mut [SaCommand], session: &Session<'_>) -> bool {
    if session.vocabulary() != Vocabulary::Linux {
        // The answer of illumos depends on the addresses of the host.
        return true;
    }
    let mut check = AddCheck::new(session.target());
    let additions = commands.iter_mut().filter(|command| command.verb == Verb::Add);
    additions.fold(true, |all, command| all & command_can_be_loaded(command, &mut check, session))
}

fn command_can_be_loaded(command: &mut SaCommand, check: &mut AddCheck, session: &Session<'_>) -> bool {
    for target in command.targets.clone() {
        aim_at(&mut command.request, target);
        if let Some(error) = check.refusal(&command.request) {
            let spi = command.request.spi;
            session.output.print_message(&format!("not loadable: Linux refuses the SA with spi {spi}: {error}"));
            return false;
        }
    }
    true
}
