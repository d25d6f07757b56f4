//! `doctor`: what keeps manual keys from working here, each finding with what mends it.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use serde::Serialize;

use super::Failure;
use crate::cli::exit::Exit;
use crate::cli::report;
use crate::cli::session::Session;
use crate::lang::{self, Checker, Code, SaCommand, Setting, Verb};
use crate::names::{Vocabulary, xfrm_stat};
use crate::policy::Direction;
use crate::sa::{SaId, SaType};
use crate::sadb::{Sadb, SadbError, Spd};
use crate::sys::secure_file::{self, Origin, SecureFile, shell_word, shown};

/// The keys file of the service, as ipseckey(1M) has it.
const KEYS_FILE: &str = "/etc/inet/secret/ipseckeys";
/// Linux: what XFRM dropped, and why.
const COUNTERS: &str = "/proc/net/xfrm_stat";

/// The arguments.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Doctor {
    file: PathBuf,
}

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Look for what keeps manual keys from working here, and say what mends it")
        .after_help("Example: ipseckey doctor\n\nIt changes nothing. The exit status is 1 if there is a problem.")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value(KEYS_FILE)
                .help("The keys file that should be loaded"),
        )
}

impl From<&mut ArgMatches> for Doctor {
    fn from(matches: &mut ArgMatches) -> Self {
        Self { file: matches.remove_one("file").unwrap_or_default() }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Problem,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    level: Level,
    about: &'static str,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

/// What was found so far.
#[derive(Default)]
struct Chart(Vec<Finding>);

impl Chart {
    fn add(&mut self, level: Level, about: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { level, about, found: found.into(), fix: fix.into() });
    }
}

impl Doctor {
    pub(super) fn run(&self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut chart = Chart::default();
        let wanted = self.keys_file(session, &mut chart);
        if let Some(there) = sas(session, &mut chart) {
            compare(&self.file, wanted.as_ref(), &there, &mut chart);
            policies(session, there.len(), &mut chart);
        }
        algorithms(session, &mut chart);
        if session.vocabulary() == Vocabulary::Linux
            && let Ok(text) = std::fs::read_to_string(COUNTERS)
        {
            counters(&text, &mut chart);
        }
        print(&chart, session.json())?;
        let is_ill = chart.0.iter().any(|finding| finding.level == Level::Problem);
        Ok(if is_ill { Exit::Failed } else { Exit::Done })
    }

    /// Looks at the keys file; the SAs it adds, if it can be read.
    fn keys_file(&self, session: &Session<'_>, chart: &mut Chart) -> Option<HashSet<SaId>> {
        let name = shown(&self.file);
        let file = match secure_file::read(&self.file, Origin::ByHand) {
            Ok(file) => file,
            Err(error) => {
                let is_missing =
                    std::fs::symlink_metadata(&self.file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
                let fix = if is_missing {
                    "make one with `ipseckey generate`, or name another: `ipseckey doctor FILE`"
                } else {
                    ""
                };
                chart.add(Level::Problem, "keys file", error.to_string(), fix);
                return None;
            }
        };
        for finding in &file.findings {
            // The finding's own words end in the command that mends it.
            let text = finding.to_string();
            let (found, fix) = text.rsplit_once(": ").unwrap_or((&text, ""));
            chart.add(Level::Problem, "keys file", found, fix);
        }
        Some(contents(&name, &self.file, &file, session, chart))
    }
}

/// Parses the keys file: errors, warnings, names.
fn contents(name: &str, path: &Path, file: &SecureFile, session: &Session<'_>, chart: &mut Chart) -> HashSet<SaId> {
    let resolver = session.resolver();
    let options = session.options(Setting::File, &*resolver);
    let mut checker = Checker::new();
    let (mut errors, mut warnings, mut has_names) = (0, 0, false);
    let mut ids = HashSet::new();
    for item in lang::commands(&file.contents, &options) {
        let all: Vec<_> = item.diagnostics.iter().cloned().chain(checker.check(&item, &file.contents)).collect();
        has_names |= all.iter().any(|diagnostic| diagnostic.code == Code::NameInFile);
        errors += all.iter().filter(|diagnostic| diagnostic.is_error()).count();
        warnings += all.iter().filter(|diagnostic| !diagnostic.is_error()).count();
        if let Ok(lang::Command::Sa(command)) = item.outcome
            && command.verb == Verb::Add
        {
            let SaCommand { request, targets, .. } = &command;
            let (sa_type, spi, mark) = (request.sa_type, request.spi, request.linux.mark);
            ids.extend(
                targets.iter().filter_map(|target| Some(SaId { sa_type, spi, dst: target.dst?.to_canonical(), mark })),
            );
        }
    }
    let check = format!("ipseckey -c {}", shell_word(path));
    match (errors, warnings) {
        (0, 0) => chart.add(Level::Ok, "keys file", format!("{name} adds {} SAs", ids.len()), ""),
        (0, _) => chart.add(Level::Warning, "keys file", format!("{name} has {warnings} warnings"), check),
        _ => chart.add(Level::Problem, "keys file", format!("{name} has {errors} errors"), check),
    }
    if has_names {
        let fix = "write addresses, or order the service after the name service";
        chart.add(Level::Warning, "names", "names stand in the file, and at boot nobody may know them yet", fix);
    }
    ids
}

/// The SAs there are; `None` if the SADB does not say.
fn sas(session: &mut Session<'_>, chart: &mut Chart) -> Option<HashSet<SaId>> {
    let mut found = HashSet::new();
    let asked = session.open().and_then(|sadb| {
        sadb.dump(SaType::UNSPEC, &mut |sa| {
            found.extend(sa.id());
            ControlFlow::Continue(())
        })
    });
    match asked {
        Ok(()) => {
            chart.add(Level::Ok, "SADB", format!("it answers, and holds {} SAs", found.len()), "");
            Some(found)
        }
        Err(error) => {
            let fix = match &error {
                SadbError::Refused { .. } => "sudo ipseckey doctor",
                _ => "ipseckey --sadb model doctor looks at the file alone",
            };
            chart.add(Level::Problem, "SADB", error.to_string(), fix);
            None
        }
    }
}

/// The SAs of the file against those of the SADB.
fn compare(path: &Path, wanted: Option<&HashSet<SaId>>, there: &HashSet<SaId>, chart: &mut Chart) {
    let Some(wanted) = wanted else { return };
    let missing = wanted.difference(there).count();
    if missing > 0 {
        let found = format!("{missing} of the file's {} SAs are not in the SADB", wanted.len());
        chart.add(Level::Problem, "SAs", found, format!("manual-key refresh, or ipseckey -f {}", shell_word(path)));
    }
    let foreign = there.difference(wanted).count();
    if foreign > 0 {
        let found = format!("{foreign} SAs of the SADB are not in the file: another key manager's, or added by hand");
        let fix =
            "if another key manager runs here, set flush = \"owned\" in manual-key.toml, so that a refresh spares them";
        chart.add(Level::Warning, "SAs", found, fix);
    }
}

/// Linux protects what a policy names, and nothing else.
fn policies(session: &mut Session<'_>, sas: usize, chart: &mut Chart) {
    let Ok(Some(listed)) = session.open().and_then(|sadb| sadb.spd().map(Spd::policies).transpose()) else { return };
    let count = |direction| listed.iter().filter(|listed| listed.policy.name.direction == direction).count();
    let (inbound, outbound) = (count(Direction::In), count(Direction::Out));
    if sas > 0 && (inbound == 0 || outbound == 0) {
        let found = format!(
            "{sas} SAs, but {outbound} outbound and {inbound} inbound policies: Linux uses an SA where a policy says so"
        );
        chart.add(
            Level::Problem,
            "policies",
            found,
            "`ip xfrm policy add`, as docs/guide.md shows; `ipseckey generate` writes the commands",
        );
    } else {
        chart.add(Level::Ok, "policies", format!("{outbound} outbound, {inbound} inbound"), "");
    }
}

fn algorithms(session: &mut Session<'_>, chart: &mut Chart) {
    let Ok(supported) = session.open().and_then(Sadb::supported) else { return };
    let vocabulary = session.vocabulary();
    let auth = vocabulary.auth_algs().filter(|row| !supported.auth.contains(&row.number)).map(|row| row.names[0]);
    let encr = vocabulary.encr_algs().filter(|row| !supported.encr.contains(&row.number)).map(|row| row.names[0]);
    let missing: Vec<&str> = auth.chain(encr).collect();
    if missing.is_empty() {
        chart.add(Level::Ok, "algorithms", "all that this program knows", "");
    } else {
        let fix = "only if the keys file uses one: load its module, or choose another";
        chart.add(Level::Warning, "algorithms", format!("the SADB has no {}", missing.join(", ")), fix);
    }
}

/// What was dropped since boot, and why.
fn counters(text: &str, chart: &mut Chart) {
    let before = chart.0.len();
    for (row, count) in xfrm_stat::counted(text) {
        chart.add(Level::Warning, "dropped packets", format!("{count} {} ({})", row.what, row.name), row.next);
    }
    if chart.0.len() == before {
        chart.add(Level::Ok, "dropped packets", "none since boot", "");
    }
}

fn print(chart: &Chart, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let colors = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    for finding in &chart.0 {
        if json {
            report::write_object(&mut out, finding)?;
            continue;
        }
        let (word, color) = match finding.level {
            Level::Ok => ("ok", "\x1b[32m"),
            Level::Warning => ("warning", "\x1b[1;33m"),
            Level::Problem => ("problem", "\x1b[1;31m"),
        };
        let (on, off) = if colors { (color, "\x1b[0m") } else { ("", "") };
        writeln!(out, "{on}{word:<8}{off} {}: {}", finding.about, finding.found)?;
        if !finding.fix.is_empty() {
            writeln!(out, "         fix: {}", finding.fix)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Spi;

    fn ids(spis: &[u32]) -> HashSet<SaId> {
        let dst = [192, 0, 2, 1].into();
        spis.iter().map(|spi| SaId { sa_type: SaType::ESP, spi: Spi(*spi), dst, mark: None }).collect()
    }

    fn words(chart: &Chart) -> Vec<(Level, &str)> {
        chart.0.iter().map(|finding| (finding.level, finding.about)).collect()
    }

    #[test]
    fn sas_that_are_missing_or_foreign() {
        let mut chart = Chart::default();
        compare(Path::new("keys"), Some(&ids(&[1, 2])), &ids(&[2, 3]), &mut chart);
        assert_eq!(words(&chart), [(Level::Problem, "SAs"), (Level::Warning, "SAs")]);
        assert!(chart.0[0].found.starts_with("1 of the file's 2 SAs"), "{}", chart.0[0].found);
        let mut healthy = Chart::default();
        compare(Path::new("keys"), Some(&ids(&[1])), &ids(&[1]), &mut healthy);
        assert!(healthy.0.is_empty());
    }

    #[test]
    fn counters_in_plain_words() {
        let mut chart = Chart::default();
        counters("XfrmInStateProtoError 4\nXfrmOutNoStates 0\n", &mut chart);
        assert_eq!(words(&chart), [(Level::Warning, "dropped packets")]);
        assert!(chart.0[0].found.starts_with("4 packets that did not decrypt"), "{}", chart.0[0].found);
        let mut healthy = Chart::default();
        counters("XfrmInError 0\n", &mut healthy);
        assert_eq!(words(&healthy), [(Level::Ok, "dropped packets")]);
    }
}
