//! The kernel modules of the protocols.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cli::tools::doctor::desired::DesiredSas;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::sa::SaType;

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

pub(super) struct Modules {
    /// The text of `/proc/modules`, one loaded module a line, name first.
    loaded: String,
    /// `modules.builtin` and `modules.dep` of this kernel; `None` if its directory of modules is missing, as in a container.
    known: Option<String>,
    release: String,
}

impl Modules {
    pub(super) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let release = text("/proc/sys/kernel/osrelease").trim().to_owned();
        let directory = Path::new("/lib/modules").join(&release);
        let known = fs::read_to_string(directory.join("modules.dep")).ok();
        let builtin = fs::read_to_string(directory.join("modules.builtin")).unwrap_or_default();
        Self { loaded: text("/proc/modules"), known: known.map(|known| known + &builtin), release }
    }

    /// Whether the kernel has the module or can load it; `None` if that is unknown.
    pub(super) fn has(&self, name: &str) -> Option<bool> {
        // /proc/modules does not list what is built in; modules.builtin does.
        if self.loaded.lines().any(|line| line.split(' ').next() == Some(name)) {
            return Some(true);
        }
        self.known.as_ref().map(|known| known.contains(&format!("/{name}.ko")))
    }
}

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let protocols = facts.desired.as_ref().map(DesiredSas::protocols).unwrap_or_default();
    modules(&Modules::read(), &protocols, findings);
}

fn modules(modules: &Modules, protocols: &BTreeSet<(SaType, bool)>, findings: &mut Findings) {
    let needed = MODULES.iter().filter(|row| protocols.contains(&(row.sa_type, row.is_ipv6)));
    let (mut found, mut is_known) = (Vec::new(), true);
    for row in needed {
        match modules.has(row.name) {
            Some(true) => found.push(row.name),
            Some(false) => {
                let found = format!("the keys file needs {}, which this kernel does not have", row.name);
                let release = &modules.release;
                let fix = format!("install all modules of {release}, or a kernel with {}", row.option);
                findings.problem("modules", found, fix);
            }
            // Not a problem: the kernel of a container has its modules outside.
            None => is_known = false,
        }
    }
    if is_known && !found.is_empty() {
        findings.ok("modules", format!("available for the keys file: {}", found.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::finding::Level;

    fn findings_of(check: impl FnOnce(&mut Findings)) -> Findings {
        let mut findings = Findings::default();
        check(&mut findings);
        findings
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
        let findings = findings_of(|findings| modules(&of("esp6 16384 0 - Live\n", Some(known)), &esp, findings));
        assert_eq!(findings.findings()[0].found, "available for the keys file: esp4, esp6");
        let findings = findings_of(|findings| modules(&of("", Some(known)), &esp, findings));
        assert_eq!(findings.words(), [(Level::Problem, "modules"), (Level::Ok, "modules")]);
        assert!(findings.findings()[0].fix.contains("CONFIG_INET6_ESP"));
        assert!(findings_of(|findings| modules(&of("", None), &esp, findings)).words().is_empty());
    }
}
