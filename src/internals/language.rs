//! The words of the command language, for the tests of completions and manual pages.

use crate::names::{Vocabulary, keywords};

/// Every keyword of Linux.
pub fn keywords() -> impl Iterator<Item = &'static str> {
    keywords::words(Vocabulary::Linux)
}

/// The first name of every algorithm of Linux.
pub fn algorithms() -> impl Iterator<Item = &'static str> {
    let auth = Vocabulary::Linux.auth_algs().map(|row| row.names[0]);
    auth.chain(Vocabulary::Linux.encr_algs().map(|row| row.names[0]))
}
