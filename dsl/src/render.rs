//! Diagnostics for people's eyes, like a modern compiler's.

use std::fmt::Write;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Sources, Span};
use crate::visible;

/// Renders all diagnostics, with a closing line that counts them.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&render_one(diagnostic, sources, color));
        text.push_str("\n\n");
    }
    let count = |severity| diagnostics.iter().filter(|d| d.severity() == severity).count();
    let sums: Vec<String> = [(Severity::Error, "error"), (Severity::Warning, "warning")]
        .into_iter()
        .map(|(severity, word)| (count(severity), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| crate::words::count(n as u64, word))
        .collect();
    if !sums.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", sums.join(", "));
    }
    text
}

/// Renders one diagnostic, without a line break behind it.
pub fn render_one(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[report(diagnostic, sources)])
}

fn report<'d>(diagnostic: &'d Diagnostic, sources: &'d Sources) -> Group<'d> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.text());
    let mut group = Group::with_title(title);
    if let Some(source) = sources.get(diagnostic.span.file) {
        let near = |span: &Span| span.file == diagnostic.span.file;
        let related = diagnostic.related.iter().filter(|(span, _)| near(span));
        let window = SourceWindow::around(source, diagnostic.span);
        let mut marks =
            vec![window.mark(AnnotationKind::Primary, diagnostic.span, &diagnostic.label)];
        marks.extend(
            related.filter_map(|(span, words)| window.holds(*span, AnnotationKind::Context, words)),
        );
        group = group.element(window.snippet(source).annotations(marks));
        for (span, words) in &diagnostic.related {
            let Some(other) = sources.get(span.file) else { continue };
            let shown = SourceWindow::around(other, *span);
            if near(span) && window.holds(*span, AnnotationKind::Context, words).is_some() {
                continue;
            }
            let mark = shown.mark(AnnotationKind::Context, *span, words);
            group = group.element(shown.snippet(other).annotation(mark));
        }
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    }
}

/// The lines that are shown around a place: large files are not handed over whole, and strangers' texts
/// not as they are.
struct SourceWindow<'s> {
    raw: &'s str,
    start: usize,
    first_line: u32,
}

impl<'s> SourceWindow<'s> {
    fn around(source: &'s Source, span: Span) -> Self {
        let line = source.line(span.start);
        let first_line = line.saturating_sub(20).max(1);
        let text = source.lines(first_line, line + 20);
        let start = text.as_ptr() as usize - source.text().as_ptr() as usize;
        Self { raw: text, start, first_line }
    }

    fn snippet(&self, source: &Source) -> Snippet<'s, Annotation<'s>> {
        Snippet::source(visible::visible(self.raw))
            .line_start(self.first_line as usize)
            .path(visible::one_line(&source.path().display().to_string()))
    }

    /// Where a byte stands among what is shown.
    fn shown(&self, byte: usize) -> usize {
        visible::visible(&self.raw[..byte]).len()
    }

    /// A mark on the first line of a span; what is outside the window marks its edge.
    fn mark(&self, kind: AnnotationKind, span: Span, words: &'s str) -> Annotation<'s> {
        let inside = |byte: u32| (byte as usize).saturating_sub(self.start).min(self.raw.len());
        let start = self.raw.floor_char_boundary(inside(span.start));
        let end = self.raw.ceil_char_boundary(inside(span.end)).max(start);
        let line_end = self.raw.get(start..end).and_then(|t| t.find(['\n', '\r']));
        let end = line_end.map_or(end, |n| start + n);
        let label = (!words.is_empty()).then_some(words);
        kind.span(self.shown(start)..self.shown(end)).label(label)
    }

    fn holds(&self, span: Span, kind: AnnotationKind, words: &'s str) -> Option<Annotation<'s>> {
        let inside = self.start..=self.start + self.raw.len();
        let (start, end) = (span.start as usize, span.end as usize);
        (inside.contains(&start) && inside.contains(&end)).then(|| self.mark(kind, span, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, check_text};
    use std::path::Path;

    #[test]
    fn a_mistake_is_shown_in_its_line() {
        let text = "plan: v1\nname: x\nsteps:\n  - start_cluster: { brokres: 3 }\n";
        let checked = check_text(Path::new("p.yaml"), text, &Options::default());
        insta::assert_snapshot!(render(&checked.diagnostics, &checked.sources, false));
    }

    #[test]
    fn places_at_the_edges_are_survived() {
        let mut sources = Sources::default();
        let file = sources.add(Source::new("p", "ä\n"));
        for (start, end) in [(0, 0), (0, 1), (1, 1), (0, 3), (3, 3), (9, 99), (0, 99)] {
            let span = Span { file, start, end };
            let diagnostic = Diagnostic::new(crate::Code::E001, span, "m");
            assert!(render(&[diagnostic], &sources, true).contains("E001"));
        }
    }
}
