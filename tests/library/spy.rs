//! A resolver for tests of name look-ups.

use std::cell::RefCell;
use std::net::IpAddr;

use crate::keyfile::{NameError, Resolver};

/// A resolver without any names; it records the look-ups.
#[derive(Default)]
pub(crate) struct Spy {
    /// The names, in order.
    pub(crate) lookups: RefCell<Vec<String>>,
}

impl Resolver for Spy {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        self.lookups.borrow_mut().push(name.to_owned());
        Err(NameError::Unknown)
    }
}
