//! The keys file: whether it is there, private and correct, and what it needs of the SADB.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::Path;

use super::chart::{Chart, counted};
use crate::cli::session::Session;
use crate::keyfile;
use crate::keyfile::{Checker, Code, SaCommand, Setting, Verb};
use crate::names::Vocabulary;
use crate::redact::{shell_word, shown};
use crate::sa::{AuthAlg, EncrAlg, SaId, SaType};
use crate::sys::fs::keys_file;
use crate::sys::fs::keys_file::{FileContents, FileOrigin};

/// What the file adds.
#[derive(Default)]
pub(super) struct Wanted {
    /// The SAs.
    pub(super) ids: HashSet<SaId>,
    /// Algorithms, by name.
    pub(super) algorithms: BTreeSet<&'static str>,
}

impl Wanted {
    /// The protocols, and whether over IPv6.
    pub(super) fn protocols(&self) -> BTreeSet<(SaType, bool)> {
        self.ids.iter().map(|id| (id.sa_type, id.dst.is_ipv6())).collect()
    }

    fn take(&mut self, command: &SaCommand, vocabulary: Vocabulary) {
        let SaCommand { request, targets, .. } = command;
        let (sa_type, spi, mark) = (request.sa_type, request.spi, request.linux.mark);
        let id = |dst: std::net::IpAddr| SaId { sa_type, spi, dst: dst.to_canonical(), mark };
        self.ids.extend(targets.iter().filter_map(|target| target.dst.map(id)));
        let auth = vocabulary.auth_algs().filter(|row| request.auth_alg != AuthAlg::NONE && row.number == request.auth_alg);
        let encr = vocabulary.encr_algs().filter(|row| request.encr_alg != EncrAlg::NONE && row.number == request.encr_alg);
        self.algorithms.extend(auth.map(|row| row.names[0]).chain(encr.map(|row| row.names[0])));
    }
}

/// Looks at the file; what it adds, if it can be read.
pub(super) fn look(path: &Path, session: &Session<'_>, chart: &mut Chart) -> Option<Wanted> {
    let file = match keys_file::read(path, FileOrigin::User) {
        Ok(file) => file,
        Err(error) => {
            let is_missing = std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            let fix = if is_missing {
                "make one with `ipseckey generate`, or name another: `ipseckey doctor FILE`"
            } else {
                "sudo ipseckey doctor, if root can read it"
            };
            chart.problem("keys file", error.to_string(), fix);
            return None;
        }
    };
    for finding in &file.findings {
        // The finding's own words end in the command that mends it.
        let text = finding.to_string();
        let (found, fix) = text.rsplit_once(": ").unwrap_or((&text, ""));
        chart.problem("keys file", found, fix);
    }
    Some(contents(path, &file, session, chart))
}

/// Parses it: errors, warnings, names.
fn contents(path: &Path, file: &FileContents, session: &Session<'_>, chart: &mut Chart) -> Wanted {
    let resolver = session.resolver();
    let options = session.options(Setting::File, &*resolver);
    let mut checker = Checker::new();
    let (mut errors, mut warnings, mut has_names) = (0, 0, false);
    let mut wanted = Wanted::default();
    for item in keyfile::commands(&file.contents, &options) {
        let all: Vec<_> = item.diagnostics.iter().cloned().chain(checker.check(&item, &file.contents)).collect();
        has_names |= all.iter().any(|diagnostic| diagnostic.code == Code::HostName);
        errors += all.iter().filter(|diagnostic| diagnostic.is_error()).count();
        warnings += all.iter().filter(|diagnostic| !diagnostic.is_error()).count();
        match item.outcome {
            Ok(keyfile::Command::Sa(command)) if command.verb == Verb::Add => wanted.take(&command, session.vocabulary()),
            _ => {}
        }
    }
    let name = shown(path);
    let check = format!("ipseckey -c {} tells each with its line", shell_word(path));
    match (errors, warnings) {
        (0, 0) => chart.ok("keys file", format!("{name} adds {}", counted(wanted.ids.len(), "SA"))),
        (0, _) => chart.warn("keys file", format!("{name} has {}", counted(warnings, "warning")), check),
        _ => chart.problem("keys file", format!("{name} has {}", counted(errors, "error")), check),
    }
    if has_names {
        let fix = "write addresses, or order the service after the name service";
        chart.warn("names", "names stand in the file, and at boot nobody may know them yet", fix);
    }
    wanted
}
