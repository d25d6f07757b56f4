use std::fs;

use super::*;
use crate::names::Vocabulary;
use crate::sa::Diagnostic;
use crate::service::load::keys;

/// A policy database in memory, whose clock stands at `now`.
#[derive(Default)]
struct Memory {
    policies: Vec<ListedPolicy>,
    now: u64,
    /// Messages that changed something.
    changes: usize,
    refuses: Option<PolicyId>,
    /// Takes it, and has it not.
    loses: Option<PolicyId>,
}

fn refusal(errno: i32) -> Result<(), SadbError> {
    Err(SadbError::Refused { errno, diagnostic: Diagnostic::default(), text: "no".to_owned() })
}

impl Memory {
    fn put(&mut self, policy: &Policy) {
        self.policies.retain(|listed| listed.policy.id != policy.id);
        self.policies.push(ListedPolicy { policy: policy.clone(), added: self.now });
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
            if self.loses != Some(policy.id) {
                self.put(policy);
            }
            Ok(())
        };
        policies.iter().map(insert).collect()
    }

    fn replace(&mut self, policies: &[Policy]) -> Vec<Result<(), SadbError>> {
        self.changes += policies.len();
        policies.iter().for_each(|policy| self.put(policy));
        policies.iter().map(|_| Ok(())).collect()
    }

    fn remove(&mut self, names: &[PolicyId]) -> Vec<Result<(), SadbError>> {
        self.changes += names.len();
        self.policies.retain(|listed| !names.contains(&listed.policy.id));
        names.iter().map(|_| Ok(())).collect()
    }
}

const KEYS: &str = "encr_alg null auth_alg sha1 authkey 53e0b4ed29b1a2e0e4a5d9c2f4a7b6c8d1e3f507";

fn commands(text: &str) -> Vec<Numbered> {
    let text = text.replace("KEYS", KEYS);
    keys::parse(text.as_bytes(), Vocabulary::Linux).unwrap_or_else(|faults| panic!("{faults:?} in {text}"))
}

fn derived(text: &str, local: &[IpAddr]) -> Derived {
    wanted(&asked(&mut commands(text)), &local.iter().copied().collect())
}

fn policies(text: &str) -> Derived {
    let derived = derived(text, &[IpAddr::from([10, 0, 0, 1])]);
    assert_eq!(derived.without, []);
    derived
}

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

const OUT: &str = "add esp spi 0x1000 src 10.0.0.1 dst 10.0.0.2 KEYS\n";
const IN: &str = "add esp spi 0x2000 src 10.0.0.2 dst 10.0.0.1 KEYS\n";

#[test]
fn what_is_deleted_or_flushed_again_asks_for_nothing() {
    let lines = |text: &str| asked(&mut commands(text)).iter().map(|(line, _)| *line).collect::<Vec<_>>();
    assert_eq!(lines(&format!("flush all\n{OUT}{IN}")), [2, 3]);
    assert_eq!(lines(&format!("{OUT}{IN}delete esp spi 0x1000 dst 10.0.0.2\n")), [2]);
    assert_eq!(lines(&format!("{OUT}flush ah\n{IN}flush esp\n{OUT}")), [5]);
}

#[test]
fn addresses_of_a_command_are_as_they_were() {
    let mut commands = commands(OUT);
    let sas = asked(&mut commands);
    assert_eq!(sas[0].1.id.dst, IpAddr::from([10, 0, 0, 2]));
    let Action::Sa(command) = &commands[0].action else { panic!("an SA") };
    let Action::Sa(before) = &self::commands(OUT)[0].action else { panic!("an SA") };
    assert_eq!((command.request.src, command.request.dst), (before.request.src, before.request.dst));
}

#[test]
fn own_policies_come_change_and_go_and_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let mut spd = Memory { now: now(), ..Memory::default() };
    let foreign = &policies("add esp spi 1 src 10.0.0.1 dst 10.0.0.9 KEYS\n").policies[0];
    spd.put(foreign);
    spd.policies[0].added = 7;
    let read = || Policies::read(directory.path()).unwrap();
    let both = policies(&format!("{OUT}{IN}"));
    let raised = read().raise(&both, &mut spd).unwrap();
    assert!(raised.is_whole() && raised.steps.add.len() == 2, "{raised:?}");
    // Unchanged: nothing is sent.
    let before = spd.changes;
    assert_eq!(read().raise(&both, &mut spd).unwrap().steps.kept, 2);
    assert_eq!(read().lower(&both, &mut spd).unwrap(), 0);
    assert_eq!(spd.changes, before);
    // Another template: the policy changes in place, and no other one goes before the SAs do.
    spd.now += 1;
    let numbered = policies(&OUT.replace("KEYS", "reqid 7 KEYS"));
    let raised = read().raise(&numbered, &mut spd).unwrap();
    assert_eq!((raised.steps.replace.len(), raised.steps.remove.len(), spd.policies.len()), (1, 1, 3));
    assert_eq!(read().lower(&numbered, &mut spd).unwrap(), 1);
    assert_eq!(spd.names(), [foreign.id.to_string(), numbered.policies[0].id.to_string()]);
    assert_eq!(read().lower(&Derived::default(), &mut spd).unwrap(), 1);
    assert_eq!(spd.names(), [foreign.id.to_string()]);
    assert!(read().is_empty());
}

#[test]
fn a_policy_stays_while_the_address_is_gone_that_tells_its_direction() {
    let directory = tempfile::tempdir().unwrap();
    let mut spd = Memory { now: now(), ..Memory::default() };
    let mut policies_of = Policies::read(directory.path()).unwrap();
    policies_of.raise(&policies(&format!("{OUT}{IN}")), &mut spd).unwrap();
    let (only_out, nowhere) = (derived(OUT, &[]), derived("", &[]));
    assert_eq!((only_out.policies.len(), policies_of.lower(&only_out, &mut spd).unwrap()), (0, 1));
    assert_eq!(policies_of.steps(&policies(OUT), &spd.policies).kept, 1);
    assert_eq!(policies_of.lower(&nowhere, &mut spd).unwrap(), 1);
}

#[test]
fn what_is_in_the_place_of_a_policy_stays() {
    let directory = tempfile::tempdir().unwrap();
    let mut policies_of = Policies::read(directory.path()).unwrap();
    let wanted = policies(OUT);
    let same = Policy { priority: 3, ..wanted.policies[0].clone() };
    let mut spd = Memory::default();
    spd.put(&same);
    assert_eq!(policies_of.raise(&wanted, &mut spd).unwrap().steps.kept, 1, "somebody else's that does it");
    spd.put(&Policy { templates: Vec::new(), ..same.clone() });
    let raised = policies_of.raise(&wanted, &mut spd).unwrap();
    assert!(!raised.is_whole() && raised.steps.taken == [same.id], "{raised:?}");
    assert_eq!((spd.changes, policies_of.lower(&Derived::default(), &mut spd).unwrap(), spd.policies.len()), (0, 0, 1));
}

#[test]
fn what_somebody_has_put_in_the_place_of_an_own_policy_is_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let mut policies_of = Policies::read(directory.path()).unwrap();
    let wanted = policies(OUT);
    let mut spd = Memory { now: now(), ..Memory::default() };
    policies_of.raise(&wanted, &mut spd).unwrap();
    spd.now += 5;
    spd.put(&wanted.policies[0].clone());
    assert_eq!(policies_of.lower(&Derived::default(), &mut spd).unwrap(), 0);
    assert_eq!(spd.policies.len(), 1);
}

#[test]
fn a_crash_between_record_and_kernel_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut spd = Memory { now: now(), ..Memory::default() };
    let wanted = policies(&format!("{OUT}{IN}"));
    let mut policies_of = Policies::read(directory.path()).unwrap();
    policies_of.intend(&policies_of.steps(&wanted, &[])).unwrap();
    // One of two was added when the end came.
    spd.put(&wanted.policies[0]);
    drop(policies_of);
    let mut policies_of = Policies::read(directory.path()).unwrap();
    assert_eq!(policies_of.steps(&wanted, &spd.policies).add, wanted.policies[1..]);
    assert_eq!(policies_of.lower(&Derived::default(), &mut spd).unwrap(), 1);
    assert!(spd.policies.is_empty() && policies_of.is_empty());
}

#[test]
fn a_refusal_is_told_and_the_rest_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = policies(&format!("{OUT}{IN}"));
    let mut spd = Memory { now: now(), refuses: Some(wanted.policies[0].id), ..Memory::default() };
    let raised = Policies::read(directory.path()).unwrap().raise(&wanted, &mut spd).unwrap();
    assert_eq!((raised.refused.len(), raised.missing.len(), spd.policies.len()), (1, 0, 1));
    assert!(!raised.is_whole());
}

#[test]
fn what_was_taken_and_is_not_there_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = policies(&format!("{OUT}{IN}"));
    let lost = wanted.policies[0].id;
    let mut spd = Memory { now: now(), loses: Some(lost), ..Memory::default() };
    let raised = Policies::read(directory.path()).unwrap().raise(&wanted, &mut spd).unwrap();
    assert!(!raised.is_whole() && raised.refused.is_empty() && raised.missing == [lost], "{raised:?}");
}

#[test]
fn a_record_that_is_not_understood_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!("policies-{}.json", network_namespace().unwrap_or(0))), "[[").unwrap();
    let error = Policies::read(directory.path()).err().unwrap().to_string();
    assert!(error.contains("the record of the service's own policies"), "{error}");
}
