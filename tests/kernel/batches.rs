//! Batches of additions: none is lost, and a refusal is reported for the right line.

use std::fmt::Write;

use crate::space::Space;

/// Additions in a keys file, one in each line: more than several batches, and more than one block of the file.
const COUNT: usize = 1500;
/// Lines that are refused: within a batch, and around the end of a block.
const REFUSED: &[std::ops::RangeInclusive<usize>] = &[200..=201, 675..=690];

fn addition(spi: usize) -> String {
    format!("add esp spi {spi} dst 192.0.2.1 encr_alg null auth_alg sha1 authkey {spi:040x}\n")
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn batches_load_every_sa_of_a_long_file() {
    for sadb in ["xfrm", "pfkey"] {
        let space = Space::with_sadb(sadb);
        space.load(&(1000..1000 + COUNT).map(addition).collect::<String>());
        assert_eq!(space.states().len(), COUNT, "{sadb}");
        assert_eq!(space.saved().matches("add esp").count(), COUNT, "{sadb}");
    }
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn batches_report_refusals_and_errors_in_line_order() {
    for sadb in ["xfrm", "pfkey"] {
        assert_refusals_in_line_order(&Space::with_sadb(sadb));
    }
}

fn assert_refusals_in_line_order(space: &Space) {
    let mut keys = String::new();
    for line in 1..=COUNT {
        match line {
            70 => keys.push_str("add esp spi bad dst 192.0.2.1\n"),
            300 => keys.push_str("flush ah\n"),
            _ if REFUSED.iter().any(|lines| lines.contains(&line)) => keys.push_str(&addition(1001)),
            _ => write!(keys, "{}", addition(1000 + line)).expect("a string"),
        }
    }
    let ran = space.try_load(&keys);
    let reported: Vec<&str> = ran.err.lines().filter(|line| line.contains("error[")).collect();
    let lines: Vec<Option<usize>> = reported.iter().map(|line| line.split(':').nth(1)?.parse().ok()).collect();
    let refused: Vec<usize> = REFUSED.iter().cloned().flatten().collect();
    assert_eq!(lines.first(), Some(&Some(70)), "{}", ran.err);
    assert!(lines.ends_with(&refused.iter().copied().map(Some).collect::<Vec<_>>()), "{}", ran.err);
    for line in &refused {
        assert!(ran.err.contains(&format!("\n{line} | add esp spi 1001 dst 192.0.2.1")), "{line}: {}", ran.err);
    }
    let exist = reported.iter().filter(|line| line.contains("spi 0x3e9") && line.contains("exists")).count();
    assert_eq!(exist, refused.len(), "{}", ran.err);
    let good = COUNT - refused.len() - 1;
    assert!(ran.err.ends_with(&format!("{good} of {COUNT} commands succeeded\n")), "{}", ran.err);
    assert_eq!((ran.status, space.states().len()), (1, good - 1));
}
