//! The algorithms that the SADB supports.

use std::collections::BTreeSet;
use std::fs;

use super::modules::Modules;
use crate::cli::tools::doctor::desired::DesiredSas;
use crate::cli::tools::doctor::facts::Facts;
use crate::cli::tools::doctor::finding::Findings;
use crate::names::algorithms::{AUTH, ENCR};
use crate::sadb::module_of;

/// Compares the algorithms of the SADB with those of the file.
pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let vocabulary = facts.session.vocabulary();
    let supported = match facts.session.open().and_then(|mut sadb| sadb.supported()) {
        Ok(supported) => supported,
        // Only the list needs AF_ALG. XFRM uses the crypto API directly.
        Err(error) => return without_list(facts, error.to_string(), findings),
    };
    let auth = vocabulary.auth_algs().filter(|row| !supported.auth.contains(&row.number)).map(|row| row.names[0]);
    let encr = vocabulary.encr_algs().filter(|row| !supported.encr.contains(&row.number)).map(|row| row.names[0]);
    compare_algorithms(&auth.chain(encr).collect(), facts.desired.as_ref(), findings);
}

/// Without a list: an algorithm of an SA in the SADB is there. For the others the list of those that the kernel has loaded must do.
fn without_list(facts: &Facts<'_>, reason: String, findings: &mut Findings) {
    let (Some(desired), Some(actual)) = (&facts.desired, &facts.actual) else { return };
    let loaded = fs::read_to_string("/proc/crypto").unwrap_or_default();
    let in_use: Vec<_> = actual.details.iter().map(|details| (details.auth, details.encr)).collect();
    let auth =
        AUTH.iter().filter(|row| !in_use.iter().any(|(auth, _)| *auth == row.number)).map(|row| (row.names[0], row.xfrm));
    let encr =
        ENCR.iter().filter(|row| !in_use.iter().any(|(_, encr)| *encr == row.number)).map(|row| (row.names[0], row.xfrm));
    let mut is_complete = true;
    for (name, xfrm) in auth.chain(encr).filter(|(name, _)| desired.algorithms.contains(name)) {
        let base = base_of(xfrm);
        if has_loaded(&loaded, base) {
            continue;
        }
        is_complete = false;
        findings
            .warn("algorithms", format!("{name} of the keys file: the kernel has not loaded {base}"), how_to_load(xfrm))
            .because(&*reason);
    }
    if is_complete && !desired.algorithms.is_empty() {
        findings.ok("algorithms", "those of the keys file are available");
    }
}

/// The remedy for an algorithm that the kernel does not have.
fn how_to_load(xfrm: &str) -> String {
    match module_of(xfrm) {
        // This kernel has no such module, which `modprobe` could not find either.
        Some(module) if Modules::read().has(module) == Some(false) => {
            format!(
                "this kernel has no module {module}: install all modules of the kernel, or use another algorithm on both hosts"
            )
        }
        Some(module) => format!("run `modprobe {module}`"),
        None => "use another algorithm on both hosts".to_owned(),
    }
}

/// The innermost algorithm of a name such as `hmac(sha256)`.
fn base_of(xfrm: &str) -> &str {
    let inner = xfrm.rsplit('(').next().unwrap_or(xfrm);
    inner.trim_end_matches(')')
}

/// Whether the text of /proc/crypto has an algorithm of that name.
fn has_loaded(list: &str, base: &str) -> bool {
    let names = list.lines().filter_map(|line| line.strip_prefix("name").and_then(|rest| rest.split_once(": ")));
    names.map(|(_, name)| name.trim()).any(|name| name == base)
}

fn compare_algorithms(missing: &BTreeSet<&'static str>, desired: Option<&DesiredSas>, findings: &mut Findings) {
    // Without a readable keys file no algorithm counts as used, so that a missing one is no problem yet.
    let used = desired.map(|desired| &desired.algorithms).cloned().unwrap_or_default();
    for name in used.intersection(missing) {
        let found = format!("the keys file uses {name}, which this SADB does not support");
        let auth = AUTH.iter().filter(|row| row.names[0] == *name).map(|row| row.xfrm);
        let xfrm = auth.chain(ENCR.iter().filter(|row| row.names[0] == *name).map(|row| row.xfrm)).next();
        let load = xfrm.filter(|xfrm| !xfrm.is_empty()).map_or_else(|| "load its module".to_owned(), how_to_load);
        findings.problem(
            "algorithms",
            found,
            format!("{load}, or use a supported algorithm: run `ipseckey algs` to list them"),
        );
    }
    let others: Vec<&str> = missing.difference(&used).copied().collect();
    if others.is_empty() {
        findings.ok("algorithms", "all are supported");
    } else {
        findings.ok("algorithms", format!("not supported, and not used by the keys file: {}", others.join(", ")));
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
    fn compare_algorithms_reports_those_of_the_file() {
        let desired = DesiredSas { algorithms: ["des-cbc"].into(), ..DesiredSas::default() };
        let missing = ["blowfish-cbc", "des-cbc"].into();
        let findings = findings_of(|findings| compare_algorithms(&missing, Some(&desired), findings));
        assert_eq!(findings.words(), [(Level::Problem, "algorithms"), (Level::Ok, "algorithms")]);
        assert!(findings.findings()[0].found.contains("des-cbc") && findings.findings()[1].found.contains("blowfish-cbc"));
    }

    #[test]
    fn has_loaded_reads_the_innermost_algorithm() {
        let list = "name         : sha256\ndriver       : sha256-generic\n\nname         : cbc(aes)\n";
        assert_eq!(["hmac(sha256)", "rfc4106(gcm(aes))", "des3_ede"].map(base_of), ["sha256", "aes", "des3_ede"]);
        assert!(has_loaded(list, "sha256") && !has_loaded(list, "sha512") && !has_loaded(list, "aes"));
    }
}
