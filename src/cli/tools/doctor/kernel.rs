//! The Linux kernel: modules, privileges, algorithms, and what it has dropped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::chart::Chart;
use super::keys_file::Wanted;
use crate::cli::session::Session;
use crate::names::xfrm_stat;
use crate::sa::SaType;
use crate::sadb::Sadb;

/// What XFRM dropped, and why.
const COUNTERS: &str = "/proc/net/xfrm_stat";
/// Number of CAP_NET_ADMIN, `linux/capability.h`.
const NET_ADMIN: u32 = 12;

/// What protects packets.
struct Module {
    sa_type: SaType,
    is_ipv6: bool,
    name: &'static str,
    option: &'static str,
}

const fn module(sa_type: SaType, is_ipv6: bool, name: &'static str, option: &'static str) -> Module {
    Module { sa_type, is_ipv6, name, option }
}

/// `net/ipv4/Kconfig`, `net/ipv6/Kconfig`.
const MODULES: &[Module] = &[
    module(SaType::ESP, false, "esp4", "CONFIG_INET_ESP"),
    module(SaType::ESP, true, "esp6", "CONFIG_INET6_ESP"),
    module(SaType::AH, false, "ah4", "CONFIG_INET_AH"),
    module(SaType::AH, true, "ah6", "CONFIG_INET6_AH"),
];

/// What the kernel and its modules' directory say about modules.
struct Modules {
    /// `/proc/modules`.
    loaded: String,
    /// `modules.builtin` and `modules.dep` of this kernel; `None` if its modules are nowhere.
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

    /// Whether the kernel has the module or can load it; `None` if that cannot be told.
    fn have(&self, name: &str) -> Option<bool> {
        if self.loaded.lines().any(|line| line.split(' ').next() == Some(name)) {
            return Some(true);
        }
        self.known.as_ref().map(|known| known.contains(&format!("/{name}.ko")))
    }
}

/// Looks at everything. `wanted` is what the keys file needs.
pub(super) fn look(session: &mut Session<'_>, wanted: Option<&Wanted>, chart: &mut Chart) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        privileges(&status, chart);
    }
    modules(&Modules::read(), &wanted.map(Wanted::protocols).unwrap_or_default(), chart);
    algorithms(session, wanted, chart);
    if let Ok(text) = fs::read_to_string(COUNTERS) {
        counters(&text, chart);
    }
}

fn privileges(status: &str, chart: &mut Chart) {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(effective) = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()) else { return };
    if effective >> NET_ADMIN & 1 == 1 {
        chart.ok("privileges", "CAP_NET_ADMIN, which is all it takes");
    } else {
        chart.problem("privileges", "without CAP_NET_ADMIN the kernel neither tells nor takes SAs", "sudo ipseckey doctor");
    }
}

fn modules(modules: &Modules, protocols: &BTreeSet<(SaType, bool)>, chart: &mut Chart) {
    let needed = MODULES.iter().filter(|row| protocols.contains(&(row.sa_type, row.is_ipv6)));
    let (mut there, mut is_told) = (Vec::new(), true);
    for row in needed {
        match modules.have(row.name) {
            Some(true) => there.push(row.name),
            Some(false) => {
                let found = format!("the keys file needs {}, which this kernel does not have", row.name);
                let release = &modules.release;
                let fix = format!("install the rest of the modules of {release}, or a kernel with {}", row.option);
                chart.problem("modules", found, fix);
            }
            None => is_told = false,
        }
    }
    if is_told && !there.is_empty() {
        chart.ok("modules", format!("{} for the keys file: there", there.join(", ")));
    }
}

/// The algorithms of the SADB, against those of the file.
pub(super) fn algorithms(session: &mut Session<'_>, wanted: Option<&Wanted>, chart: &mut Chart) {
    let vocabulary = session.vocabulary();
    let supported = match session.open().and_then(Sadb::supported) {
        Ok(supported) => supported,
        Err(error) => {
            return chart.warn("algorithms", error.to_string(), "load these modules to be told; SAs do without them");
        }
    };
    let auth = vocabulary.auth_algs().filter(|row| !supported.auth.contains(&row.number)).map(|row| row.names[0]);
    let encr = vocabulary.encr_algs().filter(|row| !supported.encr.contains(&row.number)).map(|row| row.names[0]);
    compare_algorithms(&auth.chain(encr).collect(), wanted, chart);
}

fn compare_algorithms(missing: &BTreeSet<&'static str>, wanted: Option<&Wanted>, chart: &mut Chart) {
    let used = wanted.map(|wanted| &wanted.algorithms).cloned().unwrap_or_default();
    for name in used.intersection(missing) {
        let found = format!("the keys file uses {name}, which this SADB does not have");
        chart.problem(
            "algorithms",
            found,
            "load the module that has it, or choose another: `ipseckey algs` lists what there is",
        );
    }
    let others: Vec<&str> = missing.difference(&used).copied().collect();
    if others.is_empty() {
        chart.ok("algorithms", "all that this program knows");
    } else {
        chart.ok("algorithms", format!("all but {}, which the keys file does not use", others.join(", ")));
    }
}

/// What was dropped since boot, and why.
fn counters(text: &str, chart: &mut Chart) {
    let mut is_well = true;
    for (row, count) in xfrm_stat::counted(text) {
        is_well = false;
        chart.warn("dropped packets", format!("{count} {} ({})", row.what, row.name), row.next);
    }
    if is_well {
        chart.ok("dropped packets", "none since boot");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tools::doctor::chart::Level;

    fn told(look: impl FnOnce(&mut Chart)) -> Chart {
        let mut chart = Chart::default();
        look(&mut chart);
        chart
    }

    #[test]
    fn counters_in_plain_words() {
        let chart = told(|chart| counters("XfrmInStateProtoError 4\nXfrmOutNoStates 0\n", chart));
        assert_eq!(chart.words(), [(Level::Warning, "dropped packets")]);
        assert!(chart.findings()[0].found.starts_with("4 packets that failed decryption"));
        assert_eq!(told(|chart| counters("XfrmInError 0\n", chart)).words(), [(Level::Ok, "dropped packets")]);
    }

    #[test]
    fn the_capability_and_nothing_else_counts() {
        let level = |status: &str| told(|chart| privileges(status, chart)).words().first().map(|words| words.0);
        assert_eq!(level("Name:\tx\nCapEff:\t0000000000001000\n"), Some(Level::Ok));
        assert_eq!(level("CapEff:\t000001ffffffefff\n"), Some(Level::Problem));
        assert_eq!(level(""), None);
    }

    #[test]
    fn modules_are_loaded_loadable_missing_or_unknown() {
        let known = "kernel/net/ipv4/esp4.ko.xz: kernel/crypto/x.ko\nkernel/net/ipv6/ah6.ko\n";
        let of = |loaded: &str, known: Option<&str>| Modules {
            loaded: loaded.to_owned(),
            known: known.map(str::to_owned),
            release: "6.1".to_owned(),
        };
        let esp = [(SaType::ESP, false), (SaType::ESP, true)].into();
        let chart = told(|chart| modules(&of("esp6 16384 0 - Live\n", Some(known)), &esp, chart));
        assert_eq!(chart.findings()[0].found, "esp4, esp6 for the keys file: there");
        let chart = told(|chart| modules(&of("", Some(known)), &esp, chart));
        assert_eq!(chart.words(), [(Level::Problem, "modules"), (Level::Ok, "modules")]);
        assert!(chart.findings()[0].fix.contains("CONFIG_INET6_ESP"));
        assert!(told(|chart| modules(&of("", None), &esp, chart)).words().is_empty());
    }

    #[test]
    fn only_algorithms_of_the_file_are_missed() {
        let wanted = Wanted { algorithms: ["des-cbc"].into(), ..Wanted::default() };
        let missing = ["blowfish-cbc", "des-cbc"].into();
        let chart = told(|chart| compare_algorithms(&missing, Some(&wanted), chart));
        assert_eq!(chart.words(), [(Level::Problem, "algorithms"), (Level::Ok, "algorithms")]);
        assert!(chart.findings()[0].found.contains("des-cbc") && chart.findings()[1].found.contains("blowfish-cbc"));
    }
}
