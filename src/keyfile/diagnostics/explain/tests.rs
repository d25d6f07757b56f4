use super::*;
use crate::keyfile::{Checker, HostsFile, Options, Setting, commands};
use crate::names::Vocabulary;

const HOSTS: &str = "198.51.100.7 peer.example.com\n192.0.2.1 two.example.com\n192.0.2.2 two.example.com\n";

fn digits(count: usize) -> String {
    "0123456789abcdeffedcba9876543210".repeat(2)[..count].to_owned()
}

/// The codes that `-c` reports for a text.
fn found(text: &str) -> Vec<Code> {
    let text = with_keys(text, digits);
    let hosts = HostsFile::parse(HOSTS);
    let options = Options { vocabulary: Vocabulary::Illumos, numeric: false, setting: Setting::File, resolver: &hosts };
    let mut checker = Checker::new(Vocabulary::Illumos);
    let mut all = commands(text.as_bytes(), &options);
    let mut codes = Vec::new();
    for item in all.by_ref() {
        codes.extend(item.diagnostics.iter().map(|diagnostic| diagnostic.code));
        codes.extend(checker.check(&item, text.as_bytes()).iter().map(|warning| warning.code));
    }
    codes.extend(checker.finish().iter().map(|warning| warning.code));
    codes.extend(all.take_trailing_warnings().iter().map(|diagnostic| diagnostic.code));
    codes
}

#[test]
fn every_code_has_an_explanation() {
    assert!(TABLE.iter().map(|row| row.code).eq(Code::ALL.iter().copied()));
}

#[test]
fn examples_cause_their_code_and_corrections_none() {
    for row in TABLE {
        // An SADB refuses, not the parser; a file without an add is an error of the whole file; and an example of thousands of
        // lines is of no use. This test has the vocabulary of illumos, and the last two are rules of Linux.
        let untried = [Code::Refused, Code::NothingToAdd, Code::ManySasPerTuple, Code::SeveralGroupKeys, Code::RawSockets];
        if !untried.contains(&row.code) {
            assert!(found(row.wrong).contains(&row.code), "{}: {:?}", row.code, found(row.wrong));
        }
        assert_eq!(found(row.right), [], "{}", row.code);
    }
}

#[test]
fn an_explanation_is_wrapped_and_hides_keys() {
    let text = TABLE.iter().find(|row| row.code == Code::UnknownAlgorithm).unwrap().to_string();
    assert_eq!(
        text,
        "IK012: Unknown algorithm.\n\n\
         `ipseckey algs` lists the algorithms with their key lengths. Some algorithms are\navailable on Linux only.\n\n\
         Example:\n\n    add ah spi 0x1000 dst 198.51.100.7 auth_alg sha265 authkey <64 digits>\n\n\
         Corrected:\n\n    add ah spi 0x1000 dst 198.51.100.7 auth_alg sha256 authkey <64 digits>\n"
    );
}
