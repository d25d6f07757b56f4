//! Reconciliation on the model: it ends where flush and apply end, by no more requests than the difference; a refused step
//! leaves everything as it was; a plan tells what would be done, and no key.

mod pool;

use std::ops::ControlFlow;

use crate::apply::{self, Outcome};
use crate::internals::goal;
use crate::internals::reluctant::{Deeds, Reluctant};
use crate::keyfile::Command;
use crate::names::Vocabulary;
use crate::reconcile::{self, FingerprintKey, Goal, Plan, PlanOptions, PlanScope, Step};
use crate::sa::{SaType, Spi};
use crate::sadb::{Sadb, SadbTarget};
use crate::show::save::Saver;
use pool::{File, NAMES, file, spi, two_files};
use proptest::prelude::*;

fn each_command(text: &str, each: &mut dyn FnMut(u32, Command)) {
    goal::each_command(text, Vocabulary::Illumos, each);
}

fn goal(text: &str) -> Goal {
    goal::goal(text, Vocabulary::Illumos)
}

/// Flush and apply.
fn load(text: &str, sadb: &mut dyn Sadb) {
    sadb.flush(SaType::UNSPEC).expect("flushes");
    each_command(text, &mut |line, command| {
        let Command::Sa(command) = command else { panic!("another command") };
        apply::apply(command, sadb, &mut |_, outcome| {
            if let Outcome::Failed(error) = outcome {
                panic!("line {line}: {error}\n{text}");
            }
        });
    });
}

const SALT: [u8; 16] = [7; 16];

fn options() -> PlanOptions<'static> {
    PlanOptions { scope: PlanScope::All, fingerprint_key: FingerprintKey::from_bytes(SALT), saved_counters: &|_, _| None }
}

fn plan(text: &str, sadb: &mut dyn Sadb) -> Plan {
    reconcile::plan(&goal(text), sadb, &options()).expect("a plan")
}

/// Each SA as `save` writes it, sorted.
fn saved(sadb: &mut dyn Sadb) -> Vec<String> {
    let mut texts = Vec::new();
    sadb.dump(SaType::UNSPEC, &mut |message| {
        // A saver of its own for each, so that pairs are said by both.
        let mut text = Vec::new();
        Saver::new(false).save(&mut text, message).expect("writes");
        let pair = message.extensions.iter().find_map(|extension| match extension {
            crate::sa::Extension::Pair(spi) => Some(*spi),
            _ => None,
        });
        texts.push(format!("{}pair {:?}", String::from_utf8(text).expect("text"), pair));
        ControlFlow::Continue(())
    })
    .expect("dumps");
    texts.sort();
    texts.dedup();
    texts
}

fn model() -> Box<dyn Sadb> {
    SadbTarget::Model.open().expect("the model")
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn execute_ends_where_flush_and_apply_end((old, new) in two_files()) {
        let (mut other, mut sadb) = (model(), Reluctant::new(model()));
        load(&new.text(), &mut *other);
        load(&old.text(), &mut sadb);
        sadb.forget();
        let plan = plan(&new.text(), &mut sadb);
        prop_assert_eq!(sadb.deeds(), Deeds { dumps: 1, ..Deeds::default() });
        let steps = words(&plan.steps);
        reconcile::execute(plan, &mut sadb, &mut |_| {}).map_err(|error| TestCaseError::fail(format!("{error}\n{steps:#?}")))?;
        let deeds = sadb.deeds();
        prop_assert_eq!(saved(&mut sadb), saved(&mut *other), "{:#?}", steps);
        check_requests(&old, &new, deeds)?;
        let again = reconcile::plan(&goal(&new.text()), &mut sadb, &options()).expect("a plan");
        prop_assert!(again.steps.is_empty(), "{:#?}", words(&again.steps));
    }

    #[test]
    fn execute_rolls_back_after_a_refused_step((old, new) in two_files(), nth in 1usize..12) {
        let mut sadb = Reluctant::new(model());
        load(&old.text(), &mut sadb);
        let before = saved(&mut sadb);
        let plan = plan(&new.text(), &mut sadb);
        let steps = words(&plan.steps);
        sadb.refuse(nth);
        match reconcile::execute(plan, &mut sadb, &mut |_| {}) {
            Ok(()) => prop_assert!(sadb.was_not_asked_so_often()),
            Err(failed) => {
                prop_assert!(failed.not_restored.is_empty(), "{}\n{:#?}", failed, steps);
                prop_assert_eq!(saved(&mut sadb), before, "{:#?}", steps);
            }
        }
    }

    /// Whatever a load that was cut off leaves: some steps done, of a replacement only the first half.
    #[test]
    fn plan_converges_after_an_interrupted_execute((old, new) in two_files(), nth in 1usize..12) {
        let (mut other, mut sadb) = (model(), Reluctant::new(model()));
        load(&new.text(), &mut *other);
        load(&old.text(), &mut sadb);
        let first = plan(&new.text(), &mut sadb);
        sadb.die_after(nth);
        let _ = reconcile::execute(first, &mut sadb, &mut |_| {});
        sadb.revive();
        let again = plan(&new.text(), &mut sadb);
        reconcile::execute(again, &mut sadb, &mut |_| {}).expect("converges");
        prop_assert_eq!(saved(&mut sadb), saved(&mut *other));
    }

    #[test]
    fn plan_prints_no_key((old, new) in (file(), file())) {
        let mut sadb = model();
        load(&old.text(), &mut *sadb);
        let plan = plan(&new.text(), &mut *sadb);
        let mut told = Vec::new();
        reconcile::write_text(&mut told, &plan).expect("writes");
        reconcile::write_json(&mut told, &plan).expect("writes");
        let told = String::from_utf8(told).expect("text");
        for piece in ["00010203", "10010203", "01020304", "0c0d0e0f", "25262728"] {
            prop_assert!(!told.contains(piece), "{piece} is in\n{told}");
        }
    }
}

/// No request is about an SA that both files have in common, and none more than its step needs.
fn check_requests(old: &File, new: &File, deeds: Deeds) -> Result<(), TestCaseError> {
    let names = |wanted: fn(&File, &File, usize) -> bool| (0..NAMES).filter(|at| wanted(old, new, *at)).count();
    let came = names(|old, new, at| new.has(at) && !old.has(at));
    let went = names(|old, new, at| old.has(at) && !new.has(at));
    let changed = names(|old, new, at| old.has(at) && new.has(at) && !old.has_in_common(new, at));
    let replaced = deeds.adds.saturating_sub(came);
    prop_assert_eq!((deeds.adds, deeds.deletes), (came + replaced, went + replaced));
    prop_assert!(replaced + deeds.updates <= changed, "{:?}: {} changed", deeds, changed);
    Ok(())
}

#[test]
fn plan_adds_inbound_sas_first_and_removes_last() {
    let mut sadb = model();
    load(&pool_line(0x1001, "outbound"), &mut *sadb);
    let text = pool_line(0x1002, "outbound") + &pool_line(0x1003, "inbound");
    let order: Vec<Spi> = plan(&text, &mut *sadb).steps.iter().map(|step| step.id().spi).collect();
    assert_eq!(order, [Spi(0x1003), Spi(0x1002), Spi(0x1001)]);
    assert_eq!(spi(1), 0x1001);
}

fn pool_line(spi: u32, direction: &str) -> String {
    format!(
        "add esp spi {spi} src 192.0.2.1 dst 192.0.2.2 {direction} encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f\n"
    )
}

#[test]
fn plan_prints_the_differences() {
    let mut sadb = model();
    load(&pool_line(0x1001, "outbound hard_addtime 4000"), &mut *sadb);
    let longer = pool_line(0x1001, "outbound hard_addtime 5000");
    let told = words(&plan(&longer, &mut *sadb).steps);
    assert_eq!(told, ["update  esp spi 0x1001 dst 192.0.2.2 (line 1): hard_addtime 4000 -> 5000"]);
    let told = words(&plan(&longer.replace("0e0f", "0e0e"), &mut *sadb).steps);
    assert!(told[0].starts_with("replace esp spi 0x1001 dst 192.0.2.2 (line 1): encrkey #"), "{told:?}");
    assert_eq!(
        told[0].len(),
        "replace esp spi 0x1001 dst 192.0.2.2 (line 1): encrkey #01234567 -> #01234567, hard_addtime 4000 -> 5000".len()
    );
}

#[test]
fn goal_refuses_commands_that_change_an_sa() {
    let mut goal = Goal::default();
    let text = pool_line(0x1001, "outbound") + "update esp spi 0x1001 dst 192.0.2.2 hard_addtime 5\n";
    let mut refusals = Vec::new();
    each_command(&text, &mut |line, command| {
        if let Command::Sa(command) = command {
            refusals.extend(goal.take(line, command).err().map(|unfit| unfit.to_string()));
        }
    });
    assert_eq!(refusals, ["line 2: update is not allowed in a file used for reconcile; set the value in the add command"]);
}

#[test]
fn verify_names_the_differing_fields() {
    let mut sadb = Reluctant::new(model());
    let text = pool_line(0x1001, "outbound hard_addtime 4000") + &pool_line(0x1002, "outbound");
    let first = plan(&text, &mut sadb);
    sadb.lie();
    reconcile::execute(first, &mut sadb, &mut |_| {}).expect("says that it is done");
    let wrong = reconcile::verify(&goal(&text), &mut sadb, FingerprintKey::from_bytes(SALT)).expect("dumps");
    let told: Vec<String> = wrong.iter().map(|step| reconcile::Mismatch(step).to_string()).collect();
    assert_eq!(
        told,
        ["line 2: esp spi 0x1002 dst 192.0.2.2 is missing", "line 1: esp spi 0x1001 dst 192.0.2.2 differs in: hard_addtime"]
    );
}
