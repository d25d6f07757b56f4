//! Warnings of a backend: each is said once, however many SAs it is about.

use std::collections::HashSet;

/// What is yet to be told, and what has been said before.
#[derive(Default)]
pub(crate) struct Notes {
    untold: Vec<String>,
    said: HashSet<String>,
}

impl Notes {
    /// Says something, if it has not been said before.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.has_said(text) {
            self.said.insert(text.to_owned());
            self.untold.push(text.to_owned());
        }
    }

    /// Whether it has been said before.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.said.contains(text)
    }

    /// What has been said since the last call.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once() {
        let mut notes = Notes::default();
        notes.say("a");
        notes.say("a");
        notes.say("b");
        assert_eq!(notes.take(), ["a", "b"]);
        notes.say("a");
        assert!(notes.take().is_empty());
    }
}
