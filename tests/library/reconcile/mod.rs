//! Reconciliation on the model: it ends where flush and apply end, by no more requests than the difference; a refused step
//! leaves everything as it was; a plan tells what would be done, and no key.

mod pool;

use std::ops::ControlFlow;

use crate::apply::{self, Outcome};
use crate::internals::goal;
use crate::internals::reluctant::{Deeds, Reluctant};
use crate::keyfile::Command;
use crate::names::Vocabulary;
use crate::reconcile::{self, Goal, Plan, Salt, Scope, Step, Terms};
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

fn terms() -> Terms<'static> {
    Terms { scope: Scope::All, salt: Salt::from_bytes(SALT), carried: &|_, _| None }
}

fn plan(text: &str, sadb: &mut dyn Sadb) -> Plan {
    reconcile::plan(&goal(text), sadb, &terms()).expect("a plan")
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
    fn it_ends_where_flush_and_apply_end((old, new) in two_files()) {
        let (mut other, mut sadb) = (model(), Reluctant::new(model()));
        load(&new.text(), &mut *other);
        load(&old.text(), &mut sadb);
        sadb.forget();
        let plan = plan(&new.text(), &mut sadb);
        prop_assert_eq!(sadb.deeds(), Deeds { dumps: 1, ..Deeds::default() });
        let steps = words(&plan.steps);
        reconcile::carry_out(plan, &mut sadb, &mut |_| {}).map_err(|error| TestCaseError::fail(format!("{error}\n{steps:#?}")))?;
        let deeds = sadb.deeds();
        prop_assert_eq!(saved(&mut sadb), saved(&mut *other), "{:#?}", steps);
        check_requests(&old, &new, deeds)?;
        let again = reconcile::plan(&goal(&new.text()), &mut sadb, &terms()).expect("a plan");
        prop_assert!(again.steps.is_empty(), "{:#?}", words(&again.steps));
    }

    #[test]
    fn a_refused_step_leaves_everything_as_it_was((old, new) in two_files(), nth in 1usize..12) {
        let mut sadb = Reluctant::new(model());
        load(&old.text(), &mut sadb);
        let before = saved(&mut sadb);
        let plan = plan(&new.text(), &mut sadb);
        let steps = words(&plan.steps);
        sadb.refuse(nth);
        match reconcile::carry_out(plan, &mut sadb, &mut |_| {}) {
            Ok(()) => prop_assert!(sadb.was_not_asked_so_often()),
            Err(failed) => {
                prop_assert!(failed.undone.is_empty(), "{}\n{:#?}", failed, steps);
                prop_assert_eq!(saved(&mut sadb), before, "{:#?}", steps);
            }
        }
    }

    /// Whatever a load that was cut off leaves: some steps done, of a replacement only the first half.
    #[test]
    fn what_was_cut_off_converges((old, new) in two_files(), nth in 1usize..12) {
        let (mut other, mut sadb) = (model(), Reluctant::new(model()));
        load(&new.text(), &mut *other);
        load(&old.text(), &mut sadb);
        let first = plan(&new.text(), &mut sadb);
        sadb.die_after(nth);
        let _ = reconcile::carry_out(first, &mut sadb, &mut |_| {});
        sadb.revive();
        let again = plan(&new.text(), &mut sadb);
        reconcile::carry_out(again, &mut sadb, &mut |_| {}).expect("converges");
        prop_assert_eq!(saved(&mut sadb), saved(&mut *other));
    }

    #[test]
    fn no_key_is_in_a_plan((old, new) in (file(), file())) {
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
fn what_comes_in_is_added_before_what_goes_out_and_removals_are_last() {
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
fn a_plan_says_what_differs() {
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
fn a_command_that_changes_an_sa_is_no_state() {
    let mut goal = Goal::default();
    let text = pool_line(0x1001, "outbound") + "update esp spi 0x1001 dst 192.0.2.2 hard_addtime 5\n";
    let mut refusals = Vec::new();
    each_command(&text, &mut |line, command| {
        if let Command::Sa(command) = command {
            refusals.extend(goal.take(line, command).err().map(|unfit| unfit.to_string()));
        }
    });
    assert_eq!(refusals, ["line 2: update: this file says what SAs there shall be: say it in their add"]);
}

#[test]
fn what_the_sadb_has_otherwise_is_named() {
    let mut sadb = Reluctant::new(model());
    let text = pool_line(0x1001, "outbound hard_addtime 4000") + &pool_line(0x1002, "outbound");
    let first = plan(&text, &mut sadb);
    sadb.lie();
    reconcile::carry_out(first, &mut sadb, &mut |_| {}).expect("says that it is done");
    let wrong = reconcile::verify(&goal(&text), &mut sadb, Salt::from_bytes(SALT)).expect("dumps");
    let told: Vec<String> = wrong.iter().map(|step| reconcile::Brief(step).to_string()).collect();
    assert_eq!(
        told,
        [
            "line 2: esp spi 0x1002 dst 192.0.2.2 is not there",
            "line 1: esp spi 0x1001 dst 192.0.2.2 has otherwise: hard_addtime"
        ]
    );
}
