//! Diagnostics as text: location and message in one line, then the line of the file with keys masked, and a caret.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::keyfile::diagnostics::{Diagnostic, Severity, Span, citation};
use crate::keyfile::source::Location;
use crate::redact;

/// How diagnostics are rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RenderStyle {
    #[default]
    Plain,
    Color,
}

/// Columns that cited lines are shortened to if the output is no terminal, or a wider one. A line with keys is long; the part
/// around the problem is what matters.
pub(crate) const MAX_WIDTH: usize = 140;
/// In a narrower terminal lines are broken: an excerpt would show nothing.
const MIN_WIDTH: usize = 30;

/// Renders `diagnostic` about `text`, the contents of `file_name`, with a newline at the end. With an empty `text`, no line is
/// cited.
#[must_use]
pub(crate) fn render(diagnostic: &Diagnostic, file_name: &str, text: &[u8], style: RenderStyle) -> String {
    render_within(diagnostic, file_name, text, style, MAX_WIDTH)
}

/// [`render`] for a terminal with this number of columns: the cited line is cut around the caret, and notes have several lines.
#[must_use]
pub(crate) fn render_within(
    diagnostic: &Diagnostic,
    file_name: &str,
    text: &[u8],
    style: RenderStyle,
    width: usize,
) -> String {
    let width = width.clamp(MIN_WIDTH, MAX_WIDTH);
    let mut out = headline(diagnostic, file_name, style);
    let command = text.get(diagnostic.location.start..diagnostic.location.end).unwrap_or_default();
    // The arguments of a shell command have no lines to cite.
    if command.is_empty() {
        push_note(&mut out, "expected", diagnostic.expected.as_deref(), width);
        push_note(&mut out, "help", diagnostic.help.as_deref(), width);
        return out;
    }
    let cited = citation::masked(command);
    out.push_str(&snippet(diagnostic, &cited, style, width));
    out.push('\n');
    out
}

/// `FILE:LINE:COLUMN: error[IK001]: MESSAGE`, the form that editors recognize.
fn headline(diagnostic: &Diagnostic, file_name: &str, style: RenderStyle) -> String {
    let (word, color) = match diagnostic.severity {
        Severity::Error => ("error", "\x1b[1;31m"),
        Severity::Warning => ("warning", "\x1b[1;33m"),
    };
    let (on, bold, off) = if style == RenderStyle::Color { (color, "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let Span { line, column, .. } = diagnostic.span;
    let name = redact::visible(file_name);
    let Diagnostic { code, message, .. } = diagnostic;
    format!("{name}:{line}:{column}: {on}{word}[{code}]{off}{bold}: {message}{off}\n")
}

fn push_note(out: &mut String, title: &str, note: Option<&str>, width: usize) {
    if let Some(note) = note {
        let indent = "  = : ".len() + title.len();
        let note = broken(note, note_columns(width, indent)).replace('\n', &format!("\n{:indent$}", ""));
        out.push_str(&format!("  = {title}: {note}\n"));
    }
}

/// The columns for a note after `indent`. Only for a terminal that is narrower than [`MAX_WIDTH`] notes are broken.
fn note_columns(width: usize, indent: usize) -> usize {
    if width == MAX_WIDTH { usize::MAX } else { width.saturating_sub(indent) }
}

/// `note` with line breaks between words.
fn broken(note: &str, columns: usize) -> String {
    let (mut text, mut len) = (String::new(), 0);
    for word in note.split(' ') {
        if len > 0 {
            let is_full = len + 1 + word.len() > columns;
            text.push(if is_full { '\n' } else { ' ' });
            len = if is_full { 0 } else { len + 1 };
        }
        text.push_str(word);
        len += word.len();
    }
    text
}

/// The cited lines of the command with carets, the expected input, and help.
fn snippet(diagnostic: &Diagnostic, cited: &str, style: RenderStyle, width: usize) -> String {
    let renderer = match style {
        RenderStyle::Plain => Renderer::plain(),
        RenderStyle::Color => Renderer::styled(),
    };
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // The cited text starts with the command, not with the file.
    let first_line = usize::try_from(diagnostic.location.line).unwrap_or_default();
    let expected = diagnostic.expected.as_ref().map(|expected| format!("expected {expected}"));
    // Half a line fits beside the caret; a longer text gets lines of its own.
    let is_beside = |text: &String| width == MAX_WIDTH || text.len() <= width / 2;
    let (label, below) = if expected.as_ref().is_none_or(is_beside) { (expected, None) } else { (None, expected) };
    let primary = AnnotationKind::Primary.span(range(cited, diagnostic.location, diagnostic.span)).label(label);
    let mut source = Snippet::source(cited).line_start(first_line).annotation(primary);
    if let Some((span, label)) = &diagnostic.related {
        source =
            source.annotation(AnnotationKind::Context.span(range(cited, diagnostic.location, *span)).label(label.as_str()));
    }
    let mut group = Group::with_level(level).element(source);
    // Beside the numbers of the lines, and behind `= help: `.
    let columns = note_columns(width, first_line.to_string().len() + " = help: ".len() + 1);
    if let Some(below) = below {
        group = group.element(Level::NOTE.message(broken(&below, columns)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(broken(help, columns)));
    }
    renderer.term_width(width).render(&[group])
}

/// The range of `span` in the cited command, on character boundaries.
fn range(cited: &str, location: Location, span: Span) -> std::ops::Range<usize> {
    let skipped = usize::try_from(span.line.saturating_sub(location.line)).unwrap_or_default();
    let line_start: usize = cited.split_inclusive('\n').take(skipped).map(str::len).sum();
    let line_len = cited.get(line_start..).and_then(|rest| rest.split('\n').next()).map_or(0, str::len);
    // A diagnostic about the whole command points at its verb.
    let (from, to) = if span.len == 0 && span.column <= 1 {
        first_word(cited.get(line_start..line_start + line_len).unwrap_or_default(), line_start)
    } else {
        let from = line_start + (span.column as usize).saturating_sub(1);
        (from, from + span.len as usize)
    };
    // Masking keeps the number of bytes, but a span may end within a character of invalid text.
    floor(cited, from)..floor(cited, to)
}

/// The range of the first word of `line`, for diagnostics about a whole command.
fn first_word(line: &str, line_start: usize) -> (usize, usize) {
    let trimmed = line.trim_start();
    let from = line_start + line.len() - trimmed.len();
    (from, from + trimmed.find(char::is_whitespace).unwrap_or(trimmed.len()))
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::keyfile::{NameError, Options, Resolver, Setting, commands};
    use crate::names::Vocabulary;

    struct NoResolver;

    impl Resolver for NoResolver {
        fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, NameError> {
            Err(NameError::Unknown)
        }
    }

    fn rendered(text: &str) -> String {
        let options =
            Options { vocabulary: Vocabulary::Illumos, numeric: false, setting: Setting::File, resolver: &NoResolver };
        let diagnostics = commands(text.as_bytes(), &options).flat_map(|item| item.diagnostics);
        diagnostics.map(|diagnostic| render(&diagnostic, "keys", text.as_bytes(), RenderStyle::Plain)).collect()
    }

    #[test]
    fn render_points_at_the_word() {
        assert_eq!(
            rendered("# c\nflush epp\n"),
            "keys:2:7: error[IK002]: Unknown SA type \"XXX\"\n  |\n2 | flush XXX\n  |       ^^^ expected ah or esp\n  |\n  = help: did you mean \"esp\"?\n"
        );
    }

    #[test]
    fn render_cites_the_line_of_a_continued_command() {
        let text = "add esp spi 0x100 \\\n\tencrkey 00112233zz \\\n\tdst 10.0.0.2 encr_alg aes\n";
        let shown = rendered(text);
        assert!(shown.starts_with("keys:2:10: error[IK007]: The encryption key string is not a hex string\n"), "{shown}");
        assert!(shown.contains("2 |  encrkey XXXXXXXXXX \\\n"), "{shown}");
        assert!(!shown.contains("0011"), "{shown}");
    }

    #[test]
    fn render_marks_the_command_of_a_refusal() {
        let text = b"flush\n  delete esp spi 5 dst 10.0.0.2\n";
        let location = Location { line: 2, last_line: 2, start: 6, end: text.len() - 1 };
        let diagnostic = Diagnostic::refused(location, "does not exist", None);
        let shown = render(&diagnostic, "k\x1by", text, RenderStyle::Plain);
        let expected = "k?y:2:1: error[IK030]: does not exist\n  |\n2 |   delete esp spi 5 dst 10.0.0.2\n  |   ^^^^^^\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn render_points_at_the_first_of_two_keywords() {
        let shown = rendered("flush\nget esp spi 1 spi 2 dst 10.0.0.2\n");
        assert!(shown.contains("Can only specify single SPI value"), "{shown}");
        assert!(shown.contains("first given here"), "{shown}");
    }
}
