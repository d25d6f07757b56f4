use std::fs;
use std::net::IpAddr;

use super::*;
use crate::names::Vocabulary;
use crate::policy::derive::Rules;
use crate::policy::{PolicyAction, PolicyDirection, Selector};
use crate::sa::DiagnosticCode;
use crate::service::load::file_sas::{derive_policies, file_sas};
use crate::service::load::keys::{self, Action, FileCommand};
use crate::sys::time::unix_now;

/// What a kernel makes of a request.
type Reading = fn(&mut Policy);

/// An SPD in memory with the clock `now`.
#[derive(Default)]
struct Memory {
    policies: Vec<ListedPolicy>,
    now: u64,
    /// Number of messages that change policies.
    changes: usize,
    refuses: Option<PolicyId>,
    /// What the kernel makes of a request, of addition as of removal.
    reads: Option<Reading>,
    /// What the kernel makes of a request of addition only.
    reads_new: Option<Reading>,
    never_removes: bool,
}

fn refusal(errno: i32) -> Result<(), SadbError> {
    Err(SadbError::Refused { errno, diagnostic: DiagnosticCode::default(), text: "no".to_owned() })
}

impl Memory {
    fn put(&mut self, policy: &Policy) {
        let mut policy = policy.clone();
        self.reads.into_iter().chain(self.reads_new).for_each(|read| read(&mut policy));
        self.policies.retain(|listed| listed.policy.id != policy.id);
        self.policies.push(ListedPolicy { policy, added: self.now });
    }

    fn id_as_read(&self, id: PolicyId) -> PolicyId {
        let mut policy = Policy { id, action: PolicyAction::Allow, priority: 0, templates: Vec::new() };
        self.reads.into_iter().for_each(|read| read(&mut policy));
        policy.id
    }

    fn names(&self) -> Vec<String> {
        self.policies.iter().map(|listed| listed.policy.id.to_string()).collect()
    }
}

impl Spd for Memory {
    fn policies(&mut self) -> Result<Vec<ListedPolicy>, SadbError> {
        Ok(self.policies.clone())
    }

    fn insert(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>> {
        self.changes += policies.len();
        let insert = |policy: &Policy| {
            let is_taken = self.policies.iter().any(|listed| listed.policy.id == policy.id);
            if is_taken || self.refuses == Some(policy.id) {
                return refusal(17);
            }
            self.put(policy);
            Ok(())
        };
        policies.iter().map(insert).collect()
    }

    fn replace(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>> {
        self.changes += policies.len();
        policies.iter().for_each(|policy| self.put(policy));
        policies.iter().map(|_| Ok(())).collect()
    }

    fn remove(&mut self, ids: &[PolicyId]) -> Vec<Result<(), SadbError>> {
        self.changes += ids.len();
        let ids: Vec<PolicyId> = ids.iter().map(|id| self.id_as_read(*id)).collect();
        self.policies.retain(|listed| self.never_removes || !ids.contains(&listed.policy.id));
        ids.iter().map(|_| Ok(())).collect()
    }
}

const KEYS: &str = "encr_alg null auth_alg sha1 authkey 53e0b4ed29b1a2e0e4a5d9c2f4a7b6c8d1e3f507";

fn commands(text: &str) -> Vec<FileCommand> {
    let text = text.replace("KEYS", KEYS);
    keys::parse(text.as_bytes(), Vocabulary::Linux, 0).unwrap_or_else(|faults| panic!("{faults:?} in {text}"))
}

fn derived(text: &str, local: &[IpAddr]) -> Derived {
    derive_policies(&file_sas(&mut commands(text)), &local.iter().copied().collect(), Rules::default())
}

fn policies(text: &str) -> Derived {
    let derived = derived(text, &[IpAddr::from([10, 0, 0, 1])]);
    assert_eq!(derived.without, []);
    derived
}

const OUT: &str = "add esp spi 0x1000 src 10.0.0.1 dst 10.0.0.2 KEYS\n";
const IN: &str = "add esp spi 0x2000 src 10.0.0.2 dst 10.0.0.1 KEYS\n";

#[test]
fn file_sas_are_those_that_no_later_command_removes() {
    let lines = |text: &str| file_sas(&mut commands(text)).iter().map(|(line, _)| *line).collect::<Vec<_>>();
    assert_eq!(lines(&format!("flush all\n{OUT}{IN}")), [2, 3]);
    assert_eq!(lines(&format!("{OUT}{IN}delete esp spi 0x1000 dst 10.0.0.2\n")), [2]);
    assert_eq!(lines(&format!("{OUT}flush ah\n{IN}flush esp\n{OUT}")), [5]);
}

#[test]
fn file_sas_restores_the_addresses_of_a_command() {
    let mut commands = commands(OUT);
    let sas = file_sas(&mut commands);
    assert_eq!(sas[0].1.id.dst, IpAddr::from([10, 0, 0, 2]));
    let Action::Sa(command) = &commands[0].action else { panic!("an SA") };
    let Action::Sa(before) = &self::commands(OUT)[0].action else { panic!("an SA") };
    assert_eq!((command.request.src, command.request.dst), (before.request.src, before.request.dst));
}

#[test]
fn install_and_remove_stale_change_own_policies_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut spd = Memory { now: unix_now(), ..Memory::default() };
    let foreign = &policies("add esp spi 1 src 10.0.0.1 dst 10.0.0.9 KEYS\n").policies[0];
    spd.put(foreign);
    spd.policies[0].added = 7;
    let read = || OwnedPolicies::read(directory.path()).unwrap();
    let both = policies(&format!("{OUT}{IN}"));
    let installation = read().install(&both, &mut spd).unwrap();
    assert!(installation.failures() == 0 && installation.steps.add.len() == 2, "{installation:?}");
    // Unchanged: nothing is sent.
    let before = spd.changes;
    assert_eq!(read().install(&both, &mut spd).unwrap().steps.kept, 2);
    assert_eq!(read().remove_stale(&both, &mut spd).unwrap(), 0);
    assert_eq!(spd.changes, before);
    // Another template: the policy is replaced, and none is removed before the SAs.
    spd.now += 1;
    let numbered = policies(&OUT.replace("KEYS", "reqid 7 KEYS"));
    let installation = read().install(&numbered, &mut spd).unwrap();
    assert_eq!((installation.steps.replace.len(), installation.steps.remove.len(), spd.policies.len()), (1, 1, 3));
    assert_eq!(read().remove_stale(&numbered, &mut spd).unwrap(), 1);
    assert_eq!(spd.names(), [foreign.id.to_string(), numbered.policies[0].id.to_string()]);
    assert_eq!(read().remove_stale(&Derived::default(), &mut spd).unwrap(), 1);
    assert_eq!(spd.names(), [foreign.id.to_string()]);
    assert!(read().is_empty());
}

#[test]
fn remove_stale_keeps_policies_whose_direction_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let mut spd = Memory { now: unix_now(), ..Memory::default() };
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    owned.install(&policies(&format!("{OUT}{IN}")), &mut spd).unwrap();
    let (only_out, nowhere) = (derived(OUT, &[]), derived("", &[]));
    assert_eq!((only_out.policies.len(), owned.remove_stale(&only_out, &mut spd).unwrap()), (0, 1));
    assert_eq!(owned.steps(&policies(OUT), &spd.policies).kept, 1);
    assert_eq!(owned.remove_stale(&nowhere, &mut spd).unwrap(), 1);
}

#[test]
fn install_reports_conflicts_with_foreign_policies() {
    let directory = tempfile::tempdir().unwrap();
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    let desired = policies(OUT);
    let same = Policy { priority: 3, ..desired.policies[0].clone() };
    let mut spd = Memory::default();
    spd.put(&same);
    assert_eq!(owned.install(&desired, &mut spd).unwrap().steps.kept, 1, "a foreign policy with the same effect");
    spd.put(&Policy { templates: Vec::new(), ..same.clone() });
    let installation = owned.install(&desired, &mut spd).unwrap();
    assert!(installation.failures() > 0 && installation.steps.conflicts == [same.id], "{installation:?}");
    assert_eq!((spd.changes, owned.remove_stale(&Derived::default(), &mut spd).unwrap(), spd.policies.len()), (0, 0, 1));
}

#[test]
fn remove_stale_keeps_a_foreign_policy_added_later() {
    let directory = tempfile::tempdir().unwrap();
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    let desired = policies(OUT);
    let mut spd = Memory { now: unix_now(), ..Memory::default() };
    owned.install(&desired, &mut spd).unwrap();
    spd.now += 5;
    spd.put(&desired.policies[0].clone());
    assert_eq!(owned.remove_stale(&Derived::default(), &mut spd).unwrap(), 0);
    assert_eq!(spd.policies.len(), 1);
}

#[test]
fn owns_no_policy_that_replaced_its_own_within_the_same_second() {
    let directory = tempfile::tempdir().unwrap();
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    let desired = policies(OUT);
    let mut spd = Memory { now: unix_now(), ..Memory::default() };
    owned.install(&desired, &mut spd).unwrap();
    assert_eq!(owned.unlisted(&spd.policies), []);
    spd.put(&Policy { templates: Vec::new(), ..desired.policies[0].clone() });
    for owned in [&owned, &OwnedPolicies::read(directory.path()).unwrap()] {
        let id = desired.policies[0].id;
        assert_eq!(owned.unlisted(&spd.policies), [LostPolicy { id, is_replaced: true }]);
    }
    assert_eq!((owned.remove_stale(&Derived::default(), &mut spd).unwrap(), spd.policies.len()), (0, 1));
}

#[test]
fn read_accepts_a_record_of_times() {
    let directory = tempfile::tempdir().unwrap();
    let desired = policies(OUT);
    let now = unix_now();
    let mut spd = Memory { now, ..Memory::default() };
    spd.put(&desired.policies[0]);
    let record = serde_json::to_string(&[(desired.policies[0].id, Added::At(now))]).unwrap();
    fs::write(directory.path().join(format!("policies-{}.json", network_namespace().unwrap_or(0))), record).unwrap();
    let owned = OwnedPolicies::read(directory.path()).unwrap();
    assert!(owned.owns(&spd.policies[0]) && owned.unlisted(&spd.policies).is_empty());
}

#[test]
fn intend_survives_a_crash_before_confirm() {
    let directory = tempfile::tempdir().unwrap();
    let mut spd = Memory { now: unix_now(), ..Memory::default() };
    let desired = policies(&format!("{OUT}{IN}"));
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    owned.intend(&owned.steps(&desired, &[])).unwrap();
    // One of two was added before the crash.
    spd.put(&desired.policies[0]);
    drop(owned);
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    assert_eq!(owned.steps(&desired, &spd.policies).add, desired.policies[1..]);
    assert_eq!(owned.remove_stale(&Derived::default(), &mut spd).unwrap(), 1);
    assert!(spd.policies.is_empty() && owned.is_empty());
}

#[test]
fn install_reports_refused_policies() {
    let directory = tempfile::tempdir().unwrap();
    let desired = policies(&format!("{OUT}{IN}"));
    let mut spd = Memory { now: unix_now(), refuses: Some(desired.policies[0].id), ..Memory::default() };
    let installation = OwnedPolicies::read(directory.path()).unwrap().install(&desired, &mut spd).unwrap();
    assert_eq!((installation.refused.len(), installation.missing.len(), spd.policies.len()), (1, 0, 1));
    assert!(installation.failures() > 0);
}

/// Installs the policies of two SAs with a mark and an XFRM interface in `spd`, beside one of another program. Returns the outcome,
/// and the identities of all other policies that are there then.
fn install_beside_another(mut spd: Memory) -> (Installation, Vec<String>, Derived) {
    let directory = tempfile::tempdir().unwrap();
    let words = "mark 7 if_id 42";
    let desired = policies(&format!("{OUT}{IN}").replace("KEYS", &format!("{words} KEYS")));
    let mut foreign = policies(OUT).policies[0].clone();
    foreign.id.direction = PolicyDirection::Forward;
    spd.policies.push(ListedPolicy { policy: foreign.clone(), added: 7 });
    spd.now = unix_now();
    let mut owned = OwnedPolicies::read(directory.path()).unwrap();
    let installation = owned.install(&desired, &mut spd).unwrap();
    assert!(spd.policies.iter().any(|listed| listed.policy == foreign), "{:?}", spd.names());
    spd.policies.retain(|listed| listed.policy != foreign);
    (installation, spd.names(), desired)
}

/// Whatever the kernel makes of a policy: if it would let packets pass in the clear, nothing of it is left, and the load fails.
#[test]
fn install_removes_policies_that_the_kernel_misreads() {
    let ways: &[(&str, Reading)] = &[
        ("no template", |policy| policy.templates.clear()),
        ("optional template", |policy| policy.templates.iter_mut().for_each(|template| template.optional = true)),
        ("no mark", |policy| policy.id.mark = None),
        ("no interface", |policy| policy.id.if_id = 0),
        ("attributes shifted", |policy| {
            policy.templates.clear();
            (policy.id.mark, policy.id.if_id) = (None, 0);
        }),
        ("other addresses", |policy| {
            policy.id.selector = Selector { proto: 99, ..policy.id.selector };
            policy.templates.clear();
        }),
    ];
    for (way, read) in ways {
        for also_removals in [true, false].into_iter().filter(|both| *both || *way != "other addresses") {
            let spd = Memory { reads: also_removals.then_some(*read), reads_new: Some(*read), ..Memory::default() };
            let (installation, names, desired) = install_beside_another(spd);
            assert_eq!(names, [""; 0], "{way}, {also_removals}: {installation:?}");
            assert_eq!((installation.misread.len(), installation.left.len()), (desired.policies.len(), 0), "{way}");
            assert_eq!(installation.failures(), desired.policies.len(), "{way}");
        }
    }
    let (installation, names, desired) = install_beside_another(Memory::default());
    assert_eq!((installation.failures(), names.len()), (0, desired.policies.len()));
}

#[test]
fn install_names_what_the_kernel_does_not_remove() {
    let spd = Memory { reads: Some(|policy| policy.templates.clear()), never_removes: true, ..Memory::default() };
    let (installation, names, desired) = install_beside_another(spd);
    assert_eq!((installation.left.len(), names.len()), (desired.policies.len(), desired.policies.len()));
    assert_eq!(installation.failures(), desired.policies.len());
}

/// Another program that replaces a policy at once, as an IKE daemon does, keeps its own.
#[test]
fn install_keeps_policies_that_replace_its_own() {
    let spd = Memory { reads_new: Some(|policy| policy.priority = 1), ..Memory::default() };
    let (installation, names, desired) = install_beside_another(spd);
    assert_eq!((installation.missing.len(), names.len()), (desired.policies.len(), desired.policies.len()));
    assert!(installation.misread.is_empty(), "{installation:?}");
}

#[test]
fn read_fails_for_a_malformed_record() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!("policies-{}.json", network_namespace().unwrap_or(0))), "[[").unwrap();
    let error = OwnedPolicies::read(directory.path()).err().unwrap().to_string();
    assert!(error.contains("the record of the service's own policies"), "{error}");
}
