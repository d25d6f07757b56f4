//! Splits the configuration of another program into statements of words.

/// A word of a statement.
#[derive(Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    /// Whether it is in double quotes, which to setkey marks a key in characters.
    pub(super) quoted: bool,
    /// Whether it contains a variable, or another expansion of the shell, whose value is unknown.
    pub(super) unset: bool,
}

/// The words of a statement, and the line of the first one.
pub(super) struct Statement<'t> {
    pub(super) line: u32,
    pub(super) words: Vec<Token<'t>>,
}

/// The end of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StatementEnd {
    Semicolon,
    /// The end of a line. It continues after a backslash, and if the next line begins with a blank and its first word is none of
    /// these.
    Line(&'static [&'static str]),
}

/// The statements of `text`. A `#` at the start of a word starts a comment.
pub(super) fn statements(text: &str, end: StatementEnd) -> Vec<Statement<'_>> {
    let mut found: Vec<Statement<'_>> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let body = line.trim_end();
        // Blanks after the backslash are tolerated, since the meaning is clear.
        let (body, continues) = body.strip_suffix('\\').map_or((body, false), |body| (body, true));
        // The output of `ip xfrm state` indents the lines of an SA; a script may indent its commands.
        if let StatementEnd::Line(starts) = end {
            let first = body.split_whitespace().next();
            let indented = body.starts_with([' ', '\t']) && !first.is_some_and(|word| starts.contains(&word));
            open = open || indented && !found.is_empty();
        }
        let mut rest = body;
        while let Some((word, after, ends)) = next_word(rest, end) {
            rest = after;
            if let Some(word) = word {
                match found.last_mut().filter(|_| open) {
                    Some(statement) => statement.words.push(word),
                    None => found.push(Statement { line: number, words: vec![word] }),
                }
                open = true;
            }
            open &= !ends;
        }
        if matches!(end, StatementEnd::Line(_)) {
            open = continues;
        }
    }
    found
}

/// The next word of a line, the rest of the line, and whether the statement ends there. `None` at the end of the line.
fn next_word(line: &str, end: StatementEnd) -> Option<(Option<Token<'_>>, &str, bool)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    // A semicolon may follow a word without a blank.
    if end == StatementEnd::Semicolon
        && let Some(rest) = line.strip_prefix(';')
    {
        return Some((None, rest, true));
    }
    // A shell script has algorithm names such as `hmac(sha1)` in single quotes.
    for quote in ['"', '\''] {
        if let Some(inside) = line.strip_prefix(quote) {
            let (text, rest) = inside.split_once(quote).unwrap_or((inside, ""));
            return Some((Some(Token { text, quoted: quote == '"', unset: false }), rest, false));
        }
    }
    let stops = |c: char| c.is_whitespace() || end == StatementEnd::Semicolon && c == ';';
    let (text, rest) = line.split_at(line.find(stops).unwrap_or(line.len()));
    Some((Some(Token { text, quoted: false, unset: false }), rest, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, end: StatementEnd) -> Vec<(u32, String)> {
        let texts = |statement: &Statement<'_>| statement.words.iter().map(|word| word.text).collect::<Vec<_>>().join("|");
        statements(text, end).iter().map(|statement| (statement.line, texts(statement))).collect()
    }

    #[test]
    fn statements_end_at_semicolons() {
        let found = words("# c\nadd a b\n  \"k; e\"; flush;\n\ndump ; # x", StatementEnd::Semicolon);
        assert_eq!(found, [(2, "add|a|b|k; e".into()), (3, "flush".into()), (5, "dump".into())]);
    }

    #[test]
    fn statements_end_at_uncontinued_lines() {
        let end = StatementEnd::Line(&["ip"]);
        let found = words("src a dst b\n\tproto esp\n  ip x \\\n  'h(m)' 0x1\nsrc c", end);
        assert_eq!(found, [(1, "src|a|dst|b|proto|esp".into()), (3, "ip|x|h(m)|0x1".into()), (5, "src|c".into())]);
    }
}
