//! Helpers for the tests of this folder.

use crate::keyfile::{Code, Command, Diagnostic, HostsFile, Options, ParsedCommand, SaCommand, Setting, commands};
use crate::names::Vocabulary;

const HOSTS: &str = "192.0.2.1 me\n198.51.100.7 you\n2001:db8::1 me6\n192.0.2.10 dual\n2001:db8::10 dual\n\
                     198.51.100.20 dual2\n2001:db8:0:1::20 dual2\n192.0.2.31 multi4\n192.0.2.32 multi4\n";

/// Keys and algorithms that make an `add` complete.
pub(crate) const KEYS: &str =
    "encr_alg aes encrkey 0123456789abcdef0123456789abcdef auth_alg md5 authkey 00112233445566778899aabbccddeeff";

pub(crate) fn items(text: &str, setting: Setting, numeric: bool) -> Vec<ParsedCommand> {
    let hosts = HostsFile::parse(HOSTS);
    let options = Options { vocabulary: Vocabulary::Illumos, numeric, setting, resolver: &hosts };
    commands(text.as_bytes(), &options).collect()
}

/// The only command of `text`, which must be valid, and its warnings.
pub(crate) fn good(text: &str) -> (SaCommand, Vec<Code>) {
    let mut items = items(text, Setting::File, false);
    assert_eq!(items.len(), 1, "{text}");
    let item = items.remove(0);
    match item.outcome {
        Ok(Command::Sa(command)) => (command, item.diagnostics.iter().map(|warning| warning.code).collect()),
        _ => panic!("{text}: {:?}", item.diagnostics),
    }
}

/// The diagnostics of all commands of `text`.
pub(crate) fn diagnostics(text: &str) -> Vec<Diagnostic> {
    items(text, Setting::File, false).into_iter().flat_map(|item| item.diagnostics).collect()
}

pub(crate) fn codes(text: &str) -> Vec<Code> {
    diagnostics(text).iter().map(|diagnostic| diagnostic.code).collect()
}

/// An `add` command with keys and the keywords `rest`.
pub(crate) fn add(rest: &str) -> String {
    format!("add esp spi 256 dst 10.0.0.2 {KEYS} {rest}")
}
