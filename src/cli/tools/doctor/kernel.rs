//! The Linux kernel: modules, privileges, algorithms, and what it has dropped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::keys_file::DesiredSas;
use super::report::HealthReport;
use crate::cli::session::Session;
use crate::names::xfrm_stat;
use crate::sa::SaType;

/// Counters of the packets that XFRM has dropped, by reason.
const COUNTERS: &str = "/proc/net/xfrm_stat";
/// Number of CAP_NET_ADMIN, `linux/capability.h`.
const NET_ADMIN: u32 = 12;

/// A module that handles a protocol.
struct Module {
    sa_type: SaType,
    is_ipv6: bool,
    name: &'static str,
    option: &'static str,
}

const fn module(sa_type: SaType, is_ipv6: bool, name: &'static str, option: &'static str) -> Module {
    Module { sa_type, is_ipv6, name, option }
}

/// The modules and their options in `net/ipv4/Kconfig` and `net/ipv6/Kconfig`.
const MODULES: &[Module] = &[
    module(SaType::ESP, false, "esp4", "CONFIG_INET_ESP"),
    module(SaType::ESP, true, "esp6", "CONFIG_INET6_ESP"),
    module(SaType::AH, false, "ah4", "CONFIG_INET_AH"),
    module(SaType::AH, true, "ah6", "CONFIG_INET6_AH"),
];

struct Modules {
    /// The text of `/proc/modules`, one loaded module a line, name first.
    loaded: String,
    /// `modules.builtin` and `modules.dep` of this kernel; `None` if its directory of modules is missing, as in a container.
    known: Option<String>,
    release: String,
}

impl Modules {
    fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let release = text("/proc/sys/kernel/osrelease").trim().to_owned();
        let directory = Path::new("/lib/modules").join(&release);
        let known = fs::read_to_string(directory.join("modules.dep")).ok();
        let builtin = fs::read_to_string(directory.join("modules.builtin")).unwrap_or_default();
        Self { loaded: text("/proc/modules"), known: known.map(|known| known + &builtin), release }
    }

    /// Whether the kernel has the module or can load it; `None` if that is unknown.
    fn has(&self, name: &str) -> Option<bool> {
        // /proc/modules does not list what is built in; modules.builtin does.
        if self.loaded.lines().any(|line| line.split(' ').next() == Some(name)) {
            return Some(true);
        }
        self.known.as_ref().map(|known| known.contains(&format!("/{name}.ko")))
    }
}

/// `desired` are the SAs of the keys file.
pub(super) fn check(session: &Session<'_>, desired: Option<&DesiredSas>, report: &mut HealthReport) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        privileges(&status, report);
    }
    modules(&Modules::read(), &desired.map(DesiredSas::protocols).unwrap_or_default(), report);
    algorithms(session, desired, report);
    if let Ok(text) = fs::read_to_string(COUNTERS) {
        counters(&text, report);
    }
}

fn privileges(status: &str, report: &mut HealthReport) {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(effective) = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()) else { return };
    // The effective set, not the user ID: root in a container may lack the capability.
    if effective >> NET_ADMIN & 1 == 1 {
        report.ok("privileges", "CAP_NET_ADMIN is effective");
    } else {
        report.problem("privileges", "cannot read or change SAs without CAP_NET_ADMIN", "run `sudo ipseckey doctor`");
    }
}

fn modules(modules: &Modules, protocols: &BTreeSet<(SaType, bool)>, report: &mut HealthReport) {
    let needed = MODULES.iter().filter(|row| protocols.contains(&(row.sa_type, row.is_ipv6)));
    let (mut found, mut is_known) = (Vec::new(), true);
    for row in needed {
        match modules.has(row.name) {
            Some(true) => found.push(row.name),
            Some(false) => {
                let found = format!("the keys file needs {}, which this kernel does not have", row.name);
                let release = &modules.release;
                let fix = format!("install all modules of {release}, or a kernel with {}", row.option);
                report.problem("modules", found, fix);
            }
            // Not a problem: the kernel of a container has its modules outside.
            None => is_known = false,
        }
    }
    if is_known && !found.is_empty() {
        report.ok("modules", format!("available for the keys file: {}", found.join(", ")));
    }
}

/// Compares the algorithms of the SADB with those of the file.
pub(super) fn algorithms(session: &Session<'_>, desired: Option<&DesiredSas>, report: &mut HealthReport) {
    let vocabulary = session.vocabulary();
    let supported = match session.open().and_then(|mut sadb| sadb.supported()) {
        Ok(supported) => supported,
        // A warning: only the list needs AF_ALG. XFRM uses the crypto API directly.
        Err(error) => {
            return report.warn(
                "algorithms",
                error.to_string(),
                "load these modules to list algorithms; SAs do not need them",
            );
        }
    };
    let auth = vocabulary.auth_algs().filter(|row| !supported.auth.contains(&row.number)).map(|row| row.names[0]);
    let encr = vocabulary.encr_algs().filter(|row| !supported.encr.contains(&row.number)).map(|row| row.names[0]);
    compare_algorithms(&auth.chain(encr).collect(), desired, report);
}

fn compare_algorithms(missing: &BTreeSet<&'static str>, desired: Option<&DesiredSas>, report: &mut HealthReport) {
    // Without a readable keys file no algorithm counts as used, so that a missing one is no problem yet.
    let used = desired.map(|desired| &desired.algorithms).cloned().unwrap_or_default();
    for name in used.intersection(missing) {
        let found = format!("the keys file uses {name}, which this SADB does not support");
        report.problem(
            "algorithms",
            found,
            "load its module, or use a supported algorithm: run `ipseckey algs` to list them",
        );
    }
    let others: Vec<&str> = missing.difference(&used).copied().collect();
    if others.is_empty() {
        report.ok("algorithms", "all are supported");
    } else {
        report.ok("algorithms", format!("not supported, and not used by the keys file: {}", others.join(", ")));
    }
}

fn counters(text: &str, report: &mut HealthReport) {
    let mut none_dropped = true;
    for (row, count) in xfrm_stat::counted(text) {
        none_dropped = false;
        report.warn("dropped packets", format!("{count} {} ({})", row.what, row.name), row.next);
    }
    if none_dropped {
        report.ok("dropped packets", "none since boot");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::report::Level;

    fn report_of(check: impl FnOnce(&mut HealthReport)) -> HealthReport {
        let mut report = HealthReport::default();
        check(&mut report);
        report
    }

    #[test]
    fn counters_are_explained() {
        let report = report_of(|report| counters("XfrmInStateProtoError 4\nXfrmOutNoStates 0\n", report));
        assert_eq!(report.words(), [(Level::Warning, "dropped packets")]);
        assert!(report.findings()[0].found.starts_with("4 packets that failed decryption"));
        assert_eq!(report_of(|report| counters("XfrmInError 0\n", report)).words(), [(Level::Ok, "dropped packets")]);
    }

    #[test]
    fn privileges_need_cap_net_admin() {
        let level = |status: &str| report_of(|report| privileges(status, report)).words().first().map(|words| words.0);
        assert_eq!(level("Name:\tx\nCapEff:\t0000000000001000\n"), Some(Level::Ok));
        assert_eq!(level("CapEff:\t000001ffffffefff\n"), Some(Level::Problem));
        assert_eq!(level(""), None);
    }

    #[test]
    fn modules_reports_each_state() {
        let known = "kernel/net/ipv4/esp4.ko.xz: kernel/crypto/x.ko\nkernel/net/ipv6/ah6.ko\n";
        let of = |loaded: &str, known: Option<&str>| Modules {
            loaded: loaded.to_owned(),
            known: known.map(str::to_owned),
            release: "6.1".to_owned(),
        };
        let esp = [(SaType::ESP, false), (SaType::ESP, true)].into();
        let report = report_of(|report| modules(&of("esp6 16384 0 - Live\n", Some(known)), &esp, report));
        assert_eq!(report.findings()[0].found, "available for the keys file: esp4, esp6");
        let report = report_of(|report| modules(&of("", Some(known)), &esp, report));
        assert_eq!(report.words(), [(Level::Problem, "modules"), (Level::Ok, "modules")]);
        assert!(report.findings()[0].fix.contains("CONFIG_INET6_ESP"));
        assert!(report_of(|report| modules(&of("", None), &esp, report)).words().is_empty());
    }

    #[test]
    fn compare_algorithms_reports_those_of_the_file() {
        let desired = DesiredSas { algorithms: ["des-cbc"].into(), ..DesiredSas::default() };
        let missing = ["blowfish-cbc", "des-cbc"].into();
        let report = report_of(|report| compare_algorithms(&missing, Some(&desired), report));
        assert_eq!(report.words(), [(Level::Problem, "algorithms"), (Level::Ok, "algorithms")]);
        assert!(report.findings()[0].found.contains("des-cbc") && report.findings()[1].found.contains("blowfish-cbc"));
    }
}
