//! IKE daemons on this host. With its default configuration, the service flushes their SAs too.

use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::sys::process::key_managers::KEY_MANAGERS;

const CONFIG: &str = "/etc/inet/manual-key.toml";

pub(super) fn check(_: &Facts<'_>, findings: &mut Findings) {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    // A process may end between the two reads: it is skipped.
    let names = processes.filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok());
    // Without the file the defaults apply, which flush all SAs.
    let config = std::fs::read_to_string(CONFIG).unwrap_or_default();
    compare(names, &config, findings);
}

fn compare(processes: impl Iterator<Item = String>, config: &str, findings: &mut Findings) {
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
        findings.ok("key managers", format!("{found}; manual-key does not remove their SAs"));
    } else {
        findings.warn(
            "key managers",
            found,
            "set flush = \"owned\" in manual-key.toml; otherwise start, refresh and stop of manual-key remove their SAs",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;

    #[test]
    fn compare_warns_unless_flush_is_owned() {
        let processes = || ["bash\n", "pluto\n", "charon\n", "pluto\n"].map(str::to_owned).into_iter();
        let mut findings = Findings::default();
        compare(processes(), "", &mut findings);
        compare(processes(), "refresh = \"reconcile\"", &mut findings);
        assert_eq!(findings.words(), [(Level::Warning, "key managers"); 2]);
        assert!(findings.findings()[0].found.starts_with("running on this host: charon (strongSwan), pluto (libreswan)"));
        let mut spared = Findings::default();
        compare(processes(), "flush = \"owned\"", &mut spared);
        assert_eq!(spared.words(), [(Level::Ok, "key managers")]);
        let mut alone = Findings::default();
        compare(std::iter::once("sshd\n".to_owned()), "", &mut alone);
        assert!(alone.words().is_empty());
    }
}
