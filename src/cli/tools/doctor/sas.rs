//! Compares the SAs of the SADB with the keys file, and looks for other programs that add SAs.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use super::report::{HealthReport, counted};
use crate::cli::ownership::Ownership;
use crate::cli::session::Session;
use crate::policy::PolicySa;
use crate::policy::reqid::shared;
use crate::redact::shell_word;
use crate::sa::{Message, SaId, SaState, SaType};
use crate::sadb::SadbError;
use crate::service::ExpiredSa;
use crate::show;
use crate::sys::process::key_managers::KEY_MANAGERS;

const CONFIG: &str = "/etc/inet/manual-key.toml";

/// Findings about request IDs that are printed.
const REQIDS: usize = 3;

/// The SAs of the SADB, without larval ones: a key manager has reserved their SPIs, and they protect nothing yet.
#[derive(Default)]
pub(super) struct ActualSas {
    pub(super) ids: HashSet<SaId>,
    /// Those that this program or the service has added.
    pub(super) own: HashSet<SaId>,
    pub(super) policy_sas: Vec<PolicySa>,
    larval: usize,
}

impl ActualSas {
    fn visit(&mut self, sa: &Message, ownership: &Ownership) {
        let Some(id) = sa.id() else { return };
        if sa.association().is_some_and(|association| association.state == SaState::LARVAL) {
            self.larval += 1;
            return;
        }
        self.ids.insert(id);
        if ownership.has_message(sa) {
            self.own.insert(id);
        }
        self.policy_sas.extend(PolicySa::of_message(sa));
    }
}

/// The SAs of the SADB; `None` if they cannot be listed.
pub(super) fn list(session: &Session<'_>, report: &mut HealthReport) -> Option<ActualSas> {
    let mut actual = ActualSas::default();
    let ownership = Ownership::read(session.target());
    let listed = session.open().and_then(|mut sadb| {
        sadb.dump(SaType::UNSPEC, &mut |sa| {
            actual.visit(sa, &ownership);
            ControlFlow::Continue(())
        })
    });
    match listed {
        Ok(()) => {
            let larval = if actual.larval == 0 { String::new() } else { format!(", {} larval", actual.larval) };
            report.ok("SADB", format!("holds {}{larval}", counted(actual.ids.len(), "SA")));
            Some(actual)
        }
        Err(error) => {
            // A refusal is usually EPERM; any other error means that the SADB cannot be reached at all.
            let fix = match &error {
                SadbError::Refused { .. } => "run `sudo ipseckey doctor`",
                _ => "to check only the file, run `ipseckey --sadb model doctor`",
            };
            report.problem("SADB", error.to_string(), fix);
            None
        }
    }
}

/// `desired` are the SAs of the file, `actual` those of the SADB, `expired` those of the file whose lifetime is over.
pub(super) fn compare(
    path: &Path,
    desired: &HashSet<SaId>,
    actual: &ActualSas,
    expired: &[ExpiredSa],
    report: &mut HealthReport,
) {
    let gone = expired.iter().filter(|sa| !actual.ids.contains(&sa.id));
    let gone_count = gone.clone().count();
    if let Some(ExpiredSa { id, at, hard_addtime }) = gone.min_by_key(|sa| sa.at) {
        let found = format!(
            "of the file's {}, {gone_count} {} expired, the first {id} at {}, hard_addtime {hard_addtime}",
            counted(desired.len(), "SA"),
            if gone_count == 1 { "has" } else { "have" },
            show::local(*at)
        );
        report.problem("SAs", found, "replace the keys on both hosts (`ipseckey generate`), never load the same keys again");
    }
    let missing = desired.difference(&actual.ids).count().saturating_sub(gone_count);
    if missing > 0 {
        let found = format!("of the file's {}, {missing} {} not in the SADB", counted(desired.len(), "SA"), are(missing));
        report.problem("SAs", found, format!("run `manual-key refresh` or `ipseckey -f {}`", shell_word(path)));
    }
    let (own, foreign): (Vec<&SaId>, Vec<&SaId>) = actual.ids.difference(desired).partition(|id| actual.own.contains(id));
    if !own.is_empty() {
        let text = format!("{} of ipseckey or manual-key {} not in the file", counted(own.len(), "SA"), are(own.len()));
        report.warn("SAs", text, format!("run `ipseckey plan {}` to list them", shell_word(path)));
    }
    // On a host that also runs an IKE daemon, they are normal.
    if !foreign.is_empty() {
        report.ok("SAs", format!("{} of other programs", counted(foreign.len(), "SA")));
    }
}

/// Reports SAs of the file that share their reqid with others, `actual` being all SAs of the SADB.
pub(super) fn compare_reqids(desired: &HashSet<SaId>, actual: &[PolicySa], report: &mut HealthReport) {
    let (own, others): (Vec<&PolicySa>, Vec<&PolicySa>) = actual.iter().partition(|sa| desired.contains(&sa.id));
    for (at, other) in shared(&own, others.into_iter()).into_iter().take(REQIDS) {
        let found = format!(
            "{} has reqid {}, as {other} has, which is not in the file, and the same addresses and mode: packets of one may \
             pass through the other",
            own[at].id, own[at].reqid
        );
        report.warn(
            "SAs",
            found,
            "remove reqid from the command: with policy = \"from-sas\" the service sets one of its own",
        );
    }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Reports IKE daemons on this host. With its default configuration, the service flushes their SAs too.
pub(super) fn key_managers(report: &mut HealthReport) {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    // A process may end between the two reads: it is skipped.
    let names = processes.filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok());
    // Without the file the defaults apply, which flush all SAs.
    let config = std::fs::read_to_string(CONFIG).unwrap_or_default();
    compare_managers(names, &config, report);
}

fn compare_managers(processes: impl Iterator<Item = String>, config: &str, report: &mut HealthReport) {
    let known = |name: String| KEY_MANAGERS.iter().find(|row| row.0 == name.trim_end());
    let mut found: Vec<String> = processes.filter_map(known).map(|(name, of)| format!("{name} ({of})")).collect();
    found.sort();
    // A daemon may have several processes.
    found.dedup();
    if found.is_empty() {
        return;
    }
    // An invalid file counts as an empty one here: manual-key itself reports it.
    // `refresh = "reconcile"` is no protection: with `flush = "all"` its plan removes foreign SAs too.
    let is_spared = toml::from_str::<toml::Table>(config)
        .is_ok_and(|table| table.get("flush").and_then(toml::Value::as_str) == Some("owned"));
    let found = format!("running on this host: {}", found.join(", "));
    if is_spared {
        report.ok("key managers", format!("{found}; manual-key does not remove their SAs"));
    } else {
        report.warn(
            "key managers",
            found,
            "set flush = \"owned\" in manual-key.toml; otherwise start, refresh and stop of manual-key remove their SAs",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::report::Level;
    use crate::sa::{Endpoint, LinuxExtras, Request, Spi};

    fn ids(spis: &[u32]) -> HashSet<SaId> {
        let dst = [192, 0, 2, 1].into();
        spis.iter().map(|spi| SaId { sa_type: SaType::ESP, spi: Spi(*spi), dst, mark: None }).collect()
    }

    fn actual(all: &[u32], own: &[u32]) -> ActualSas {
        ActualSas { ids: ids(all), own: ids(own), ..ActualSas::default() }
    }

    #[test]
    fn compare_reports_missing_and_foreign_sas() {
        let mut report = HealthReport::default();
        compare(Path::new("keys"), &ids(&[1, 2]), &actual(&[2, 3, 4, 5], &[2, 3]), &[], &mut report);
        assert_eq!(report.words(), [(Level::Problem, "SAs"), (Level::Warning, "SAs"), (Level::Ok, "SAs")]);
        assert_eq!(report.findings()[0].found, "of the file's 2 SAs, 1 is not in the SADB");
        assert_eq!(report.findings()[1].found, "1 SA of ipseckey or manual-key is not in the file");
        assert_eq!(report.findings()[2].found, "2 SAs of other programs");
        let mut healthy = HealthReport::default();
        compare(Path::new("keys"), &ids(&[1]), &actual(&[1], &[1]), &[], &mut healthy);
        assert!(healthy.words().is_empty());
    }

    #[test]
    fn compare_reqids_reports_sas_of_other_programs() {
        let sa = |spi: u32, reqid: u32| {
            let end = |last| Some(Endpoint { addr: [192, 0, 2, last].into(), port: 0, proto: 0 });
            let linux = LinuxExtras { reqid, ..LinuxExtras::default() }.into();
            let sa_type = SaType::ESP;
            let request = Request { sa_type, spi: Spi(spi), src: end(2), dst: end(1), linux, ..Request::default() };
            PolicySa::of_request(&request).unwrap()
        };
        let mut report = HealthReport::default();
        compare_reqids(&ids(&[1]), &[sa(1, 7), sa(2, 7), sa(3, 8)], &mut report);
        assert_eq!(report.words(), [(Level::Warning, "SAs")]);
        let found = &report.findings()[0].found;
        assert!(found.starts_with("esp spi 0x1 dst 192.0.2.1 has reqid 7, as esp spi 0x2 "), "{found}");
        let mut apart = HealthReport::default();
        compare_reqids(&ids(&[1, 2]), &[sa(1, 7), sa(2, 7), sa(3, 8)], &mut apart);
        assert!(apart.words().is_empty());
    }

    #[test]
    fn compare_asks_for_new_keys_after_an_expiry() {
        let mut report = HealthReport::default();
        let expired = ids(&[1]).into_iter().map(|id| ExpiredSa { id, at: 7, hard_addtime: 5 }).collect::<Vec<_>>();
        compare(Path::new("keys"), &ids(&[1]), &actual(&[], &[]), &expired, &mut report);
        assert_eq!(report.words(), [(Level::Problem, "SAs")]);
        let [finding] = report.findings() else { panic!("one") };
        assert!(finding.found.starts_with("of the file's 1 SA, 1 has expired, the first esp spi 0x1 "), "{}", finding.found);
        assert!(finding.fix.contains("never load the same keys again") && !finding.fix.contains("refresh"));
    }

    #[test]
    fn compare_managers_warns_unless_flush_is_owned() {
        let processes = || ["bash\n", "pluto\n", "charon\n", "pluto\n"].map(str::to_owned).into_iter();
        let mut report = HealthReport::default();
        compare_managers(processes(), "", &mut report);
        compare_managers(processes(), "refresh = \"reconcile\"", &mut report);
        assert_eq!(report.words(), [(Level::Warning, "key managers"); 2]);
        assert!(report.findings()[0].found.starts_with("running on this host: charon (strongSwan), pluto (libreswan)"));
        let mut spared = HealthReport::default();
        compare_managers(processes(), "flush = \"owned\"", &mut spared);
        assert_eq!(spared.words(), [(Level::Ok, "key managers")]);
        let mut alone = HealthReport::default();
        compare_managers(std::iter::once("sshd\n".to_owned()), "", &mut alone);
        assert!(alone.words().is_empty());
    }
}
