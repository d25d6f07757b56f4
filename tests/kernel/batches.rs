//! Many additions, which go to the kernel several at a time: none is lost, and a refusal is told of its own line.

use std::fmt::Write;

use crate::space::Space;

/// Keys files have one addition a line; more than several batches hold.
const COUNT: usize = 500;

fn addition(spi: usize) -> String {
    format!("add esp spi {spi} dst 192.0.2.1 encr_alg null auth_alg sha1 authkey {spi:040x}\n")
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn a_long_file_is_loaded_whole() {
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        space.load(&(1000..1000 + COUNT).map(addition).collect::<String>());
        assert_eq!(space.states().len(), COUNT, "{sadb}");
        assert_eq!(space.saved().matches("add esp").count(), COUNT, "{sadb}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn refusals_and_errors_in_between_are_told_in_the_order_of_the_lines() {
    for sadb in ["xfrm", "pfkey"] {
        refusals_are_told_in_the_order_of_the_lines(&Space::with_sadb(sadb));
    }
}

fn refusals_are_told_in_the_order_of_the_lines(space: &Space) {
    let mut keys = String::new();
    for line in 1..=COUNT {
        match line {
            70 => keys.push_str("add esp spi bad dst 192.0.2.1\n"),
            200 | 201 => keys.push_str(&addition(1001)),
            300 => keys.push_str("flush ah\n"),
            _ => write!(keys, "{}", addition(1000 + line)).expect("a string"),
        }
    }
    let ran = space.try_load(&keys);
    let told: Vec<&str> = ran.err.lines().filter(|line| line.contains("error[")).collect();
    let lines: Vec<Option<&str>> = told.iter().map(|line| line.split(':').nth(1)).collect();
    assert!(lines.starts_with(&[Some("70")]) && lines.ends_with(&[Some("200"), Some("201")]), "{}", ran.err);
    assert!(told.iter().rev().take(2).all(|line| line.contains("spi 0x3e9") && line.contains("exists")), "{}", ran.err);
    assert!(ran.err.ends_with("497 of 500 commands succeeded\n"), "{}", ran.err);
    assert_eq!((ran.status, space.states().len()), (1, COUNT - 4));
}
