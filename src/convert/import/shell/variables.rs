//! The variables that a script sets.

use super::Span;

/// A variable that the script has set so far.
struct Variable {
    name: String,
    /// The value; `None` if it cannot be known without running the script.
    value: Option<Span>,
}

/// The variables of a script.
pub(super) struct Variables<'t> {
    /// The whole script, to see whether a variable is set again later.
    script: &'t str,
    set: Vec<Variable>,
}

impl<'t> Variables<'t> {
    pub(super) fn new(script: &'t str) -> Self {
        Self { script, set: Vec::new() }
    }

    /// The value of `name` for a command within `depth` compound commands.
    pub(super) fn value(&self, name: &str, depth: u32) -> Option<Span> {
        // The body of a function runs later, that of a condition perhaps not at all.
        if depth > 0 && self.assignments(name) > 1 {
            return None;
        }
        self.set.iter().rev().find(|variable| variable.name == name)?.value
    }

    /// Sets `name` within `depth` compound commands. A `value` of `None` cannot be known.
    pub(super) fn assign(&mut self, name: &str, value: Option<Span>, depth: u32) {
        let is_known = depth == 0 || self.assignments(name) == 1;
        self.set.push(Variable { name: name.to_owned(), value: value.filter(|_| is_known) });
    }

    /// The number of places that set `name`.
    fn assignments(&self, name: &str) -> usize {
        let starts = self.script.match_indices(name).filter(|(at, _)| {
            let before = self.script[..*at].chars().next_back();
            let is_start = before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '{' | '-')));
            is_start && self.script[at + name.len()..].starts_with('=')
        });
        starts.count()
    }
}

/// The name and the position of the value in `NAME=VALUE`.
pub(super) fn assignment(word: &str) -> Option<(&str, usize)> {
    let (name, _) = word.split_once('=')?;
    is_name(name).then_some((name, name.len() + 1))
}

/// Whether `name` is a name of POSIX (Base Definitions, 3.216).
pub(super) fn is_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_word) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Whether the name of an unknown variable may be shown: letters of one case, as scripts have them and keys in characters have not.
pub(in crate::convert::import) fn is_citable_name(name: &str) -> bool {
    let longest_run = name.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or(0);
    let has = |is: fn(&char) -> bool| name.chars().any(|c| is(&c));
    let is_one_case = !(has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase));
    is_name(name) && is_one_case && name.len() <= 24 && longest_run < 6
}

/// The expansion that `text`, which begins with `$` or a backquote, begins with.
pub(super) fn expansion(text: &str) -> &str {
    let rest = text.get(1..).unwrap_or_default();
    let len = match rest.chars().next() {
        _ if text.starts_with('`') => rest.find('`').map_or(rest.len(), |at| at + 1),
        Some('(') => balanced(rest, '(', ')'),
        Some('{') => balanced(rest, '{', '}'),
        Some(c) if c.is_ascii_digit() || "@*#?!-$".contains(c) => 1,
        _ => rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count(),
    };
    &text[..=len]
}

/// The length up to the bracket that closes the first one.
fn balanced(text: &str, opening: char, closing: char) -> usize {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        if c == opening {
            depth += 1;
        } else if c == closing {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    text.len()
}
