//! The SAs of a keys file, and the policies that they need.

use std::collections::HashSet;
use std::net::IpAddr;

use super::keys::{Action, FileCommand};
use crate::apply::aim_at;
use crate::keyfile::Verb;
use crate::policy::PolicySa;
use crate::policy::derive::{Derived, Rules, derive};
use crate::sa::SaType;

/// First line of the command that adds the SA, and the SA.
pub(crate) type FileSa = (u32, PolicySa);

/// The SAs that remain after `commands`, in the order of their lines.
pub(crate) fn file_sas(commands: &mut [FileCommand]) -> Vec<FileSa> {
    let mut sas: Vec<FileSa> = Vec::new();
    for FileCommand { line, action } in commands {
        match action {
            Action::Flush(sa_type) => sas.retain(|(_, sa)| *sa_type != SaType::UNSPEC && sa.id.sa_type != *sa_type),
            Action::Sa(command) => {
                // The request is aimed at each target in turn and restored: a copy for each would copy the keys, too.
                let addresses = (command.request.src, command.request.dst);
                for target in &command.targets {
                    aim_at(&mut command.request, *target);
                    let Some(sa) = PolicySa::of_request(&command.request) else { continue };
                    match command.verb {
                        Verb::Add => sas.push((*line, sa)),
                        Verb::Delete | Verb::DeletePair => sas.retain(|(_, other)| other.id != sa.id),
                        Verb::Update | Verb::UpdatePair | Verb::Get => {}
                    }
                }
                (command.request.src, command.request.dst) = addresses;
            }
        }
    }
    sas
}

/// The policies for `sas`. `local` are the addresses of this system.
pub(crate) fn derive_policies(sas: &[FileSa], local: &HashSet<IpAddr>, rules: Rules) -> Derived {
    let sas: Vec<&PolicySa> = sas.iter().map(|(_, sa)| sa).collect();
    derive(&sas, &|addr| local.contains(&addr), rules)
}
