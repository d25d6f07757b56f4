//! Commands of a shell script: words after quoting, continuation lines and the variables that the same script sets.
//!
//! Only what can be read without running the script is expanded. A word with another expansion (`$1`, `$(...)`, a variable of
//! another file or of a loop) is marked, and no value that holds such a word is used.

mod leading;
mod lexer;
mod variables;
mod words;

use variables::Variables;
pub(super) use variables::is_citable_name;

use crate::convert::import::statements::Token;
use crate::secret::{Buffer, Full};

/// A part of the text of a [`Shell`].
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// Whether a part of the word is in double quotes.
    quoted: bool,
    /// Whether an expansion of the word is unknown.
    unset: bool,
}

/// A simple command (POSIX, Shell Command Language, 2.9.1).
struct SimpleCommand {
    line: u32,
    words: Vec<Span>,
    /// Whether its output is the input of the next command.
    is_piped: bool,
    /// The here-document of its input, and its first line.
    input: Option<(Span, u32)>,
}

/// A command with its words.
pub(super) struct ShellCommand<'t> {
    pub(super) line: u32,
    pub(super) words: Vec<Token<'t>>,
    pub(super) is_piped: bool,
    /// The here-document of its input, and its first line.
    pub(super) input: Option<(&'t str, u32)>,
}

/// The commands of a script. Their words are in one buffer, which is wiped: a word may be a key.
pub(super) struct Shell<'t> {
    arena: Buffer,
    variables: Variables<'t>,
    commands: Vec<SimpleCommand>,
    /// Open compound commands (`if`, `for`, functions). A variable there may have another value than the one read last.
    depth: u32,
    /// A quoted word that has this word among others is a script of its own (`sh -c '...'`).
    inner: &'static str,
    /// Whether here-documents are kept as a whole; otherwise their lines are commands.
    keeps_input: bool,
    /// Commands in comments, and the line of the first.
    commented: Option<(u32, u32)>,
}

/// The most bytes that the words of a script take: more than 8 times its size are no script that sets up SAs.
fn capacity(text: &str) -> usize {
    8 * text.len() + 4096
}

impl<'t> Shell<'t> {
    /// For commands of the script `text`. `inner` is the word that makes a quoted word a script of its own.
    pub(super) fn new(text: &'t str, inner: &'static str, keeps_input: bool) -> Self {
        Self {
            arena: Buffer::with_capacity(capacity(text)),
            variables: Variables::new(text),
            commands: Vec::new(),
            depth: 0,
            inner,
            keeps_input,
            commented: None,
        }
    }

    /// Reads the commands of `part`, which begins at `line` of the script.
    ///
    /// # Errors
    /// The expanded words are too long.
    pub(super) fn read(&mut self, part: &str, line: u32) -> Result<(), Full> {
        lexer::Lexer::new(self, part, line).run()
    }

    /// The number of commands read so far.
    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// The commands read so far.
    pub(super) fn commands(&self) -> impl Iterator<Item = ShellCommand<'_>> {
        self.commands.iter().map(|command| ShellCommand {
            line: command.line,
            words: command.words.iter().map(|span| self.word(*span)).collect(),
            is_piped: command.is_piped,
            input: command.input.map(|(span, line)| (self.text(span), line)),
        })
    }

    /// The number of commands in comments, and the line of the first.
    pub(super) fn commented(&self) -> Option<(u32, u32)> {
        self.commented
    }

    fn word(&self, span: Span) -> Token<'_> {
        Token { text: self.text(span), quoted: span.quoted, unset: span.unset }
    }

    fn text(&self, span: Span) -> &str {
        // Spans end where characters do.
        self.arena.get(span.start..span.end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u32, String)> {
        let mut shell = Shell::new(text, "xfrm", false);
        shell.read(text, 1).unwrap();
        let word = |word: &Token<'_>| if word.unset { format!("?{}", word.text) } else { word.text.to_owned() };
        shell
            .commands()
            .map(|command| (command.line, command.words.iter().map(word).collect::<Vec<_>>().join("|")))
            .collect()
    }

    fn one(text: &str) -> String {
        let commands = read(text);
        commands.into_iter().map(|command| command.1).collect::<Vec<_>>().join(" ; ")
    }

    #[test]
    fn commands_end_at_operators_and_lines() {
        assert_eq!(one("a b;c && d || e | f & g\nh"), "a|b ; c ; d ; e ; f ; g ; h");
        assert_eq!(read("a \\\n  b\nc"), [(1, "a|b".to_owned()), (3, "c".to_owned())]);
        assert_eq!(one("a 2>/dev/null >> x b <y"), "a|b");
        assert_eq!(one("a # b\n# ip xfrm state\nc"), "a ; c");
        assert_eq!(one("if a; then b; fi"), "a ; b");
    }

    #[test]
    fn quoting_is_removed() {
        assert_eq!(one(r#"a 'h(m d)' "b c" hmac\(sha1\) 'a'"b"c "\"x""#), r#"a|h(m d)|b c|hmac(sha1)|abc|"x"#);
        assert_eq!(one("it can't be\nb"), "it|can't|be ; b");
        assert_eq!(one("a 'b\nc' d"), "a|b\nc|d");
    }

    #[test]
    fn variables_of_the_script_are_expanded() {
        assert_eq!(one("ID=1000\nexport K=0x01 L='a b'\nx $ID ${K}z \"$L\" $L"), "x|1000|0x01z|a b|a|b");
        assert_eq!(one("x $K"), "x|?$K");
        assert_eq!(one("K=$1\nx $K \"$(pwd -P)\" `y` ${K:-3} $((1+2))"), "x|?$K|?$(pwd -P)|?`y`|?${K:-3}|?$((1+2))");
        assert_eq!(one("K=1\nK=2\nx $K"), "x|2");
        assert_eq!(one("K=1; unset K; x $K"), "x|?$K");
        assert_eq!(one("x '$K' \\$K"), "x|$K|$K");
    }

    #[test]
    fn variables_with_several_values_are_unknown_in_compound_commands() {
        assert_eq!(one("if a; then K=1; else K=2; fi\nx $K"), "a ; x|?$K");
        assert_eq!(one("for K in 1 2; do x $K; done"), "x|?$K");
        assert_eq!(one("f() {\nx $K\n}\nK=1"), "x|?$K");
        assert_eq!(one("K=1\nf() {\nx $K\n}\nK=2\nf"), "x|?$K ; f");
    }

    #[test]
    fn scripts_in_quotes_are_read() {
        assert_eq!(one("sh -c 'a xfrm b; c'"), "a|xfrm|b ; c");
        assert_eq!(one("h.cmd('ip xfrm state add')"), "ip|xfrm|state|add");
        assert_eq!(one("echo 'ip xfrm state'"), "echo|ip xfrm state");
    }

    #[test]
    fn here_documents_are_kept_on_request() {
        let text = "K=0x01\ncat <<EOF | x -c\na $K;\nEOF\ny -c <<-'E'\n\tb $K\n\tE\nz";
        let mut shell = Shell::new(text, "setkey", true);
        shell.read(text, 1).unwrap();
        let inputs: Vec<_> = shell.commands().map(|command| (command.line, command.input)).collect();
        assert_eq!(inputs, [(2, Some(("a 0x01;\n", 3))), (2, None), (5, Some(("b $K\n", 6))), (8, None)]);
    }
}
