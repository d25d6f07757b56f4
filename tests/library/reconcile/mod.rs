//! Reconciliation on the model: the result is that of a flush and a load, with no more requests than the differences need; a
//! refused step causes a rollback; a plan shows the steps, and no key.

mod kinds;
mod pool;

use std::ops::ControlFlow;

use crate::apply::{self, Outcome};
use crate::internals::faulty_sadb::{FaultySadb, RequestCounts};
use crate::internals::goal;
use crate::internals::saved_text::without_soft_addtime;
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

/// Flushes, then loads `text`.
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

/// Each SA as `save` writes it, sorted. The plans compare the soft addtime, with the tolerance that illumos needs.
fn saved(sadb: &mut dyn Sadb) -> Vec<String> {
    let mut texts = Vec::new();
    sadb.dump(SaType::UNSPEC, &mut |message| {
        // A separate saver for each SA, so that both SAs of a pair name their paired SA.
        let mut text = Vec::new();
        Saver::new(false).save(&mut text, message).expect("writes");
        let pair = message.extensions.iter().find_map(|extension| match extension {
            crate::sa::Extension::Pair(spi) => Some(*spi),
            _ => None,
        });
        let text = without_soft_addtime(&String::from_utf8(text).expect("text"));
        texts.push(format!("{text}pair {pair:?}"));
        ControlFlow::Continue(())
    })
    .expect("dumps");
    texts.sort();
    texts.dedup();
    texts
}

fn model() -> Box<dyn Sadb> {
    SadbTarget::Model(Vocabulary::Illumos).open().expect("the model")
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn execute_ends_where_flush_and_apply_end((old, new) in two_files()) {
        let (mut other, mut sadb) = (model(), FaultySadb::new(model()));
        load(&new.text(), &mut *other);
        load(&old.text(), &mut sadb);
        sadb.reset_counts();
        let plan = plan(&new.text(), &mut sadb);
        prop_assert_eq!(sadb.counts(), RequestCounts { dumps: 1, ..RequestCounts::default() });
        let steps = words(&plan.steps);
        reconcile::execute(plan, &mut sadb, &mut |_| {}).map_err(|error| TestCaseError::fail(format!("{error}\n{steps:#?}")))?;
        let counts = sadb.counts();
        prop_assert_eq!(saved(&mut sadb), saved(&mut *other), "{:#?}", steps);
        check_requests(&old, &new, counts)?;
        let again = reconcile::plan(&goal(&new.text()), &mut sadb, &options()).expect("a plan");
        prop_assert!(again.steps.is_empty(), "{:#?}", words(&again.steps));
    }

    #[test]
    fn execute_rolls_back_after_a_refused_step((old, new) in two_files(), nth in 1usize..12) {
        let mut sadb = FaultySadb::new(model());
        load(&old.text(), &mut sadb);
        let before = saved(&mut sadb);
        let plan = plan(&new.text(), &mut sadb);
        let steps = words(&plan.steps);
        sadb.refuse(nth);
        match reconcile::execute(plan, &mut sadb, &mut |_| {}) {
            Ok(()) => prop_assert!(sadb.refusal_is_pending()),
            Err(failed) => {
                prop_assert!(failed.not_restored.is_empty(), "{}\n{:#?}", failed, steps);
                prop_assert_eq!(saved(&mut sadb), before, "{:#?}", steps);
            }
        }
    }

    /// Some steps are done, and possibly only the deletion of a replacement.
    #[test]
    fn plan_converges_after_an_interrupted_execute((old, new) in two_files(), nth in 1usize..12) {
        let (mut other, mut sadb) = (model(), FaultySadb::new(model()));
        load(&new.text(), &mut *other);
        load(&old.text(), &mut sadb);
        let first = plan(&new.text(), &mut sadb);
        sadb.stop_replying_at(nth);
        let _ = reconcile::execute(first, &mut sadb, &mut |_| {});
        sadb.recover();
        let again = plan(&new.text(), &mut sadb);
        reconcile::execute(again, &mut sadb, &mut |_| {}).expect("converges");
        prop_assert_eq!(saved(&mut sadb), saved(&mut *other));
    }

    #[test]
    fn plan_prints_no_key((old, new) in (file(), file())) {
        let mut sadb = model();
        load(&old.text(), &mut *sadb);
        let plan = plan(&new.text(), &mut *sadb);
        let mut printed = Vec::new();
        reconcile::write_text(&mut printed, &plan).expect("writes");
        reconcile::write_json(&mut printed, &plan).expect("writes");
        let printed = String::from_utf8(printed).expect("text");
        for piece in ["00010203", "10010203", "01020304", "0c0d0e0f", "25262728"] {
            prop_assert!(!printed.contains(piece), "{piece} is in\n{printed}");
        }
    }
}

/// No request concerns an SA that both files define in the same way, and no step sends more requests than it needs.
fn check_requests(old: &File, new: &File, counts: RequestCounts) -> Result<(), TestCaseError> {
    let count = |condition: fn(&File, &File, usize) -> bool| (0..NAMES).filter(|at| condition(old, new, *at)).count();
    let added = count(|old, new, at| new.has(at) && !old.has(at));
    let removed = count(|old, new, at| old.has(at) && !new.has(at));
    let changed = count(|old, new, at| old.has(at) && new.has(at) && !old.has_in_common(new, at));
    let replaced = counts.adds.saturating_sub(added);
    prop_assert_eq!((counts.adds, counts.deletes), (added + replaced, removed + replaced));
    prop_assert!(replaced + counts.updates <= changed, "{:?}: {} changed", counts, changed);
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
    let printed = words(&plan(&longer, &mut *sadb).steps);
    assert_eq!(printed, ["update  esp spi 0x1001 dst 192.0.2.2 (line 1): hard_addtime 4000 -> 5000"]);
    let printed = words(&plan(&longer.replace("0e0f", "0e0e"), &mut *sadb).steps);
    assert!(printed[0].starts_with("replace esp spi 0x1001 dst 192.0.2.2 (line 1): encrkey #"), "{printed:?}");
    assert_eq!(
        printed[0].len(),
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
    let mut sadb = FaultySadb::new(model());
    let text = pool_line(0x1001, "outbound hard_addtime 4000") + &pool_line(0x1002, "outbound");
    let first = plan(&text, &mut sadb);
    sadb.ignore_additions();
    reconcile::execute(first, &mut sadb, &mut |_| {}).expect("reports success");
    let wrong = reconcile::verify(&goal(&text), &mut sadb, FingerprintKey::from_bytes(SALT)).expect("dumps");
    let printed: Vec<String> = wrong.iter().map(|step| reconcile::Mismatch(step).to_string()).collect();
    assert_eq!(
        printed,
        ["line 2: esp spi 0x1002 dst 192.0.2.2 is missing", "line 1: esp spi 0x1001 dst 192.0.2.2 differs in: hard_addtime"]
    );
}
