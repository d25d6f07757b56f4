//! The SAs there are, against the keys file, and who else may have added some.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use super::chart::{Chart, counted};
use crate::cli::session::Session;
use crate::policy::PolicySa;
use crate::redact::shell_word;
use crate::sa::{SaId, SaType};
use crate::sadb::SadbError;

/// Properties of the service.
const CONFIG: &str = "/etc/inet/manual-key.toml";

/// Programs that exchange keys, by the names of their processes.
const KEY_MANAGERS: &[(&str, &str)] = &[
    ("charon", "strongSwan"),
    ("charon-systemd", "strongSwan"),
    ("charon-nm", "strongSwan"),
    ("pluto", "libreswan"),
    ("racoon", "ipsec-tools"),
    ("iked", "an IKE daemon"),
    ("isakmpd", "an IKE daemon"),
];

/// The SAs there are.
#[derive(Default)]
pub(super) struct There {
    /// Their names.
    pub(super) ids: HashSet<SaId>,
    /// What policies look at.
    pub(super) associations: Vec<PolicySa>,
}

/// Asks for the SAs; `None` if the SADB does not say.
pub(super) fn ask(session: &mut Session<'_>, chart: &mut Chart) -> Option<There> {
    let mut there = There::default();
    let asked = session.open().and_then(|sadb| {
        sadb.dump(SaType::UNSPEC, &mut |sa| {
            there.ids.extend(sa.id());
            there.associations.extend(PolicySa::of_message(sa));
            ControlFlow::Continue(())
        })
    });
    match asked {
        Ok(()) => {
            chart.ok("SADB", format!("it answers, and holds {}", counted(there.ids.len(), "SA")));
            Some(there)
        }
        Err(error) => {
            let fix = match &error {
                SadbError::Refused { .. } => "sudo ipseckey doctor",
                _ => "ipseckey --sadb model doctor looks at the file alone",
            };
            chart.problem("SADB", error.to_string(), fix);
            None
        }
    }
}

/// The SAs of the file against those of the SADB.
pub(super) fn compare(path: &Path, wanted: &HashSet<SaId>, there: &HashSet<SaId>, chart: &mut Chart) {
    let missing = wanted.difference(there).count();
    if missing > 0 {
        let found = format!("of the file's {}, {missing} {} not in the SADB", counted(wanted.len(), "SA"), are(missing));
        chart.problem("SAs", found, format!("manual-key refresh, or ipseckey -f {}", shell_word(path)));
    }
    let foreign = there.difference(wanted).count();
    if foreign > 0 {
        let found = format!("{} of the SADB {} not in the file", counted(foreign, "SA"), are(foreign));
        let fix = format!("`ipseckey plan {}` lists them: another program's, or added by hand", shell_word(path));
        chart.warn("SAs", found, fix);
    }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Other key managers that run here. What the service flushes is theirs too, unless it is told.
pub(super) fn key_managers(chart: &mut Chart) {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok());
    let config = std::fs::read_to_string(CONFIG).unwrap_or_default();
    neighbours(names, &config, chart);
}

fn neighbours(processes: impl Iterator<Item = String>, config: &str, chart: &mut Chart) {
    let known = |name: String| KEY_MANAGERS.iter().find(|row| row.0 == name.trim_end());
    let mut found: Vec<String> = processes.filter_map(known).map(|(name, of)| format!("{name} ({of})")).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return;
    }
    let spares = toml::from_str::<toml::Table>(config).is_ok_and(|table| {
        table.get("flush").and_then(toml::Value::as_str) == Some("owned")
            || table.get("refresh").and_then(toml::Value::as_str) == Some("reconcile")
    });
    let found = format!("{} runs here and has SAs of its own", found.join(", "));
    if spares {
        chart.ok("key managers", format!("{found}; manual-key spares them"));
    } else {
        chart.warn(
            "key managers",
            found,
            "flush = \"owned\" in manual-key.toml, or start, refresh and stop remove them too",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::chart::Level;
    use crate::sa::Spi;

    fn ids(spis: &[u32]) -> HashSet<SaId> {
        let dst = [192, 0, 2, 1].into();
        spis.iter().map(|spi| SaId { sa_type: SaType::ESP, spi: Spi(*spi), dst, mark: None }).collect()
    }

    #[test]
    fn sas_that_are_missing_or_foreign() {
        let mut chart = Chart::default();
        compare(Path::new("keys"), &ids(&[1, 2]), &ids(&[2, 3]), &mut chart);
        assert_eq!(chart.words(), [(Level::Problem, "SAs"), (Level::Warning, "SAs")]);
        assert_eq!(chart.findings()[0].found, "of the file's 2 SAs, 1 is not in the SADB");
        let mut healthy = Chart::default();
        compare(Path::new("keys"), &ids(&[1]), &ids(&[1]), &mut healthy);
        assert!(healthy.words().is_empty());
    }

    #[test]
    fn other_key_managers_are_spared_only_if_so_configured() {
        let processes = || ["bash\n", "pluto\n", "charon\n", "pluto\n"].map(str::to_owned).into_iter();
        let mut chart = Chart::default();
        neighbours(processes(), "", &mut chart);
        assert_eq!(chart.words(), [(Level::Warning, "key managers")]);
        assert!(chart.findings()[0].found.starts_with("charon (strongSwan), pluto (libreswan) runs here"));
        let mut spared = Chart::default();
        neighbours(processes(), "flush = \"owned\"", &mut spared);
        assert_eq!(spared.words(), [(Level::Ok, "key managers")]);
        let mut alone = Chart::default();
        neighbours(std::iter::once("sshd\n".to_owned()), "", &mut alone);
        assert!(alone.words().is_empty());
    }
}
