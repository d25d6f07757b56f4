//! The text of another program's configuration as statements of words, each with its line.

/// One word.
#[derive(Clone, Copy)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    /// Whether it stood in double quotes: to setkey that is a key in characters.
    pub(super) quoted: bool,
}

/// The words that belong together, and the line of the first.
pub(super) struct Statement<'t> {
    pub(super) line: u32,
    pub(super) words: Vec<Word<'t>>,
}

/// What ends a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A semicolon.
    Semicolon,
    /// The end of a line, unless a backslash is its last character or the next line begins with a blank and goes on with none of
    /// these words.
    Line(&'static [&'static str]),
}

/// The statements of `text`. A `#` at the start of a word begins a comment.
pub(super) fn statements(text: &str, end: End) -> Vec<Statement<'_>> {
    let mut found: Vec<Statement<'_>> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let body = line.trim_end();
        let (body, continues) = body.strip_suffix('\\').map_or((body, false), |body| (body, true));
        if let End::Line(starts) = end {
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
        if matches!(end, End::Line(_)) {
            open = continues;
        }
    }
    found
}

/// The next word of a line, what follows it, and whether the statement ends behind it. `None` at the end of the line.
fn next_word(line: &str, end: End) -> Option<(Option<Word<'_>>, &str, bool)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if end == End::Semicolon
        && let Some(rest) = line.strip_prefix(';')
    {
        return Some((None, rest, true));
    }
    for quote in ['"', '\''] {
        if let Some(inside) = line.strip_prefix(quote) {
            let (text, rest) = inside.split_once(quote).unwrap_or((inside, ""));
            return Some((Some(Word { text, quoted: quote == '"' }), rest, false));
        }
    }
    let stops = |c: char| c.is_whitespace() || end == End::Semicolon && c == ';';
    let (text, rest) = line.split_at(line.find(stops).unwrap_or(line.len()));
    Some((Some(Word { text, quoted: false }), rest, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, end: End) -> Vec<(u32, String)> {
        let texts = |statement: &Statement<'_>| statement.words.iter().map(|word| word.text).collect::<Vec<_>>().join("|");
        statements(text, end).iter().map(|statement| (statement.line, texts(statement))).collect()
    }

    #[test]
    fn semicolons() {
        let found = words("# c\nadd a b\n  \"k; e\"; flush;\n\ndump ; # x", End::Semicolon);
        assert_eq!(found, [(2, "add|a|b|k; e".into()), (3, "flush".into()), (5, "dump".into())]);
    }

    #[test]
    fn lines() {
        let end = End::Line(&["ip"]);
        let found = words("src a dst b\n\tproto esp\n  ip x \\\n  'h(m)' 0x1\nsrc c", end);
        assert_eq!(found, [(1, "src|a|dst|b|proto|esp".into()), (3, "ip|x|h(m)|0x1".into()), (5, "src|c".into())]);
    }
}
