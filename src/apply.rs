//! One command about SAs, carried out: every target in turn. Shared by the command line and the service.
#![forbid(unsafe_code)]

use crate::lang::{SaCommand, Target, Verb};
use crate::sa::{Message, Request};
use crate::sadb::{Reach, Sadb, SadbError};

/// What became of one target of a command.
pub enum Outcome {
    /// Done.
    Done,
    /// Done, and this is what the SADB says about the SA (`get`).
    Described(Message),
    /// Not done.
    Failed(SadbError),
}

/// Carries out `command` for each of its targets; `each` hears what became of it, with the request as it was sent.
///
/// Returns whether all targets succeeded: a command counts once, however many addresses its names stand for. Later targets are tried even if an earlier one failed, except
/// when the SADB itself is out of reach.
pub fn apply(mut command: SaCommand, sadb: &mut dyn Sadb, each: &mut dyn FnMut(&Request, Outcome)) -> bool {
    let mut all_done = true;
    sadb.begin_command();
    for target in std::mem::take(&mut command.targets) {
        set_target(&mut command.request, target);
        let outcome = carry_out(command.verb, &command.request, sadb);
        let lost = matches!(&outcome, Outcome::Failed(SadbError::Io(_) | SadbError::NoAnswer { .. }));
        all_done &= !matches!(outcome, Outcome::Failed(_));
        each(&command.request, outcome);
        if lost {
            break;
        }
    }
    all_done
}

fn set_target(request: &mut Request, target: Target) {
    if let (Some(src), Some(addr)) = (&mut request.src, target.src) {
        src.addr = addr;
    }
    if let (Some(dst), Some(addr)) = (&mut request.dst, target.dst) {
        dst.addr = addr;
    }
}

fn carry_out(verb: Verb, request: &Request, sadb: &mut dyn Sadb) -> Outcome {
    let done = match verb {
        Verb::Add => sadb.add(request),
        Verb::Update => sadb.update(request, Reach::One),
        Verb::UpdatePair => sadb.update(request, Reach::Pair),
        Verb::Delete => sadb.delete(request, Reach::One),
        Verb::DeletePair => sadb.delete(request, Reach::Pair),
        Verb::Get => return sadb.get(request).map_or_else(Outcome::Failed, Outcome::Described),
    };
    done.map_or_else(Outcome::Failed, |()| Outcome::Done)
}
