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

/// Columns that cited lines are shortened to. A line with keys is long; the part around the problem is what matters.
const WIDTH: usize = 140;

/// Renders `diagnostic` about `text`, the contents of `file_name`, with a newline at the end. With an empty `text`, no line is
/// cited.
#[must_use]
pub(crate) fn render(diagnostic: &Diagnostic, file_name: &str, text: &[u8], style: RenderStyle) -> String {
    let mut out = headline(diagnostic, file_name, style);
    let command = text.get(diagnostic.location.start..diagnostic.location.end).unwrap_or_default();
    // The arguments of a shell command have no lines to cite.
    if command.is_empty() {
        push_note(&mut out, "expected", diagnostic.expected.as_deref());
        push_note(&mut out, "help", diagnostic.help.as_deref());
        return out;
    }
    let cited = citation::masked(command);
    out.push_str(&snippet(diagnostic, &cited, style));
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

fn push_note(out: &mut String, title: &str, note: Option<&str>) {
    if let Some(note) = note {
        out.push_str(&format!("  = {title}: {note}\n"));
    }
}

/// The cited lines of the command with carets, the expected input, and help.
fn snippet(diagnostic: &Diagnostic, cited: &str, style: RenderStyle) -> String {
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
    let primary = AnnotationKind::Primary
        .span(range(cited, diagnostic.location, diagnostic.span))
        .label(diagnostic.expected.as_ref().map(|expected| format!("expected {expected}")));
    let mut source = Snippet::source(cited).line_start(first_line).annotation(primary);
    if let Some((span, label)) = &diagnostic.related {
        source =
            source.annotation(AnnotationKind::Context.span(range(cited, diagnostic.location, *span)).label(label.as_str()));
    }
    let mut group = Group::with_level(level).element(source);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.term_width(WIDTH).render(&[group])
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
