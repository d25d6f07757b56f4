//! The commands of a page of docs/.

use std::fs;
use std::path::Path;

/// A page.
pub struct Page {
    name: &'static str,
    pub text: String,
}

impl Page {
    /// Reads docs/`name`, which has `blocks` blocks with the language `sh`: a new block needs a place in a test.
    #[track_caller]
    pub fn new(name: &'static str, blocks: usize) -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).expect("the page");
        assert_eq!(text.matches("```sh\n").count(), blocks, "docs/{name}");
        Self { name, text }
    }

    /// The `number`-th block, from 1.
    #[track_caller]
    pub fn block(&self, number: usize) -> &str {
        let rest =
            self.text.split("```sh\n").nth(number).unwrap_or_else(|| panic!("docs/{} has no block {number}", self.name));
        rest.split("```").next().expect("an end")
    }
}
