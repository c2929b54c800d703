//! Renders diagnostics for people, like a modern compiler.

use std::fmt::Write;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Position, Source, Sources, Span};
use crate::visible;

/// The greatest number of diagnostics of one plan that are shown to people. The rest is counted.
const MOST_SHOWN: usize = 200;

/// Renders the diagnostics of one plan, with a closing line that counts them.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let mut text = render_each(diagnostics, sources, color);
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

/// Renders the first diagnostics of one plan, each with an empty line after it: errors first, in the order of the
/// files.
pub fn render_each(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity() == Severity::Error).count();
    let mut warnings = MOST_SHOWN.saturating_sub(errors);
    let mut errors = MOST_SHOWN;
    let mut text = String::new();
    for diagnostic in diagnostics {
        let left = match diagnostic.severity() {
            Severity::Error => &mut errors,
            Severity::Warning => &mut warnings,
        };
        if *left > 0 {
            *left -= 1;
            text.push_str(&render_one(diagnostic, sources, color));
            text.push_str("\n\n");
        }
    }
    let rest = diagnostics.len().saturating_sub(MOST_SHOWN);
    if rest > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "and {} more, which `--format json` lists\n",
            crate::words::grouped(rest as u64)
        );
    }
    text
}

/// Renders one diagnostic, without a line break behind it.
fn render_one(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut places = Vec::new();
    let report = report(diagnostic, sources, &mut places);
    placed(&renderer.render(&[report]), &places)
}

/// The groups to render. `places` are set to the places that they show, in order.
fn report<'d>(
    diagnostic: &'d Diagnostic,
    sources: &'d Sources,
    places: &mut Vec<Position>,
) -> Group<'d> {
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
        places.push(source.position(diagnostic.span.start));
        for (span, words) in &diagnostic.related {
            let Some(other) = sources.get(span.file) else { continue };
            let shown = SourceWindow::around(other, *span);
            if near(span) && window.holds(*span, AnnotationKind::Context, words).is_some() {
                continue;
            }
            let mark = shown.mark(AnnotationKind::Context, *span, words);
            group = group.element(shown.snippet(other).annotation(mark));
            places.push(other.position(span.start));
        }
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    }
}

/// A marker behind the path of each shown place. It is removed from the result.
const PLACE: char = '\u{fdd0}';

/// Writes the column of each place as in every other format. annotate-snippets counts columns in the shown text, in
/// which a tab is four spaces, an invisible character is spelt out, and a long line may be cut at its start.
fn placed(rendered: &str, places: &[Position]) -> String {
    let mut parts = rendered.split(PLACE);
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut places = places.iter();
    for part in parts {
        let counted = |c: char| c == ':' || c.is_ascii_digit();
        let rest = match places.next() {
            Some(Position { line, column }) => {
                // Writing to a String cannot fail.
                let _ = write!(text, ":{line}:{column}");
                part.trim_start_matches(counted)
            }
            None => part,
        };
        text.push_str(rest);
    }
    text
}

/// The number of bytes of a long line that are shown on each side of a place.
const BESIDE: usize = 400;

/// The lines that are shown around a place. Large files and long lines are cut, and text from outside is made safe
/// to show.
struct SourceWindow<'s> {
    raw: &'s str,
    start: usize,
    first_line: u32,
}

impl<'s> SourceWindow<'s> {
    fn around(source: &'s Source, span: Span) -> Self {
        let line = source.line(span.start);
        let begin = |text: &str| text.as_ptr() as usize - source.text().as_ptr() as usize;
        let own = source.lines(line, line);
        if own.len() > 2 * BESIDE {
            let place = (span.start as usize).saturating_sub(begin(own)).min(own.len());
            let from = own.floor_char_boundary(place.saturating_sub(BESIDE));
            let to = own.ceil_char_boundary((place + BESIDE).min(own.len()));
            let raw = &own[from..to];
            return Self { raw, start: begin(raw), first_line: line };
        }
        // Other long lines are not needed, because nothing in them is marked.
        let short = |n: &u32| source.lines(*n, *n).len() <= 2 * BESIDE;
        let first_line = (line.saturating_sub(20).max(1)..line).rev().take_while(short).last();
        let last_line = (line + 1..=line + 20).take_while(short).last().unwrap_or(line);
        let first_line = first_line.unwrap_or(line);
        let raw = source.lines(first_line, last_line);
        Self { raw, start: begin(raw), first_line }
    }

    fn snippet(&self, source: &Source) -> Snippet<'s, Annotation<'s>> {
        let path = visible::one_line(&source.path().display().to_string());
        Snippet::source(visible::visible(self.raw))
            .line_start(self.first_line as usize)
            .path(format!("{path}{PLACE}"))
    }

    /// The place of a byte in the shown text.
    fn shown(&self, byte: usize) -> usize {
        visible::visible(&self.raw[..byte]).len()
    }

    /// A mark on the first line of a span. A part outside the window marks its edge.
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
    fn columns_are_those_of_the_file_whatever_stands_before_them() {
        for before in
            ["\t", "\u{7f}\u{7f}", "\u{2800}", "ä\u{1F980}", &"x".repeat(5_000), &"ö\t".repeat(900)]
        {
            let text = format!("a: 1\nb: {before}WRONG and more\n");
            let mut sources = Sources::default();
            let file = sources.add(Source::new("p.yaml", text.as_str()));
            let at = u32::try_from(text.find("WRONG").expect("it is there")).expect("small");
            let span = Span { file, start: at, end: at + 5 };
            let (position, _) = sources.positions(span).expect("a known file");
            let first = Span { file, start: 0, end: 1 };
            let diagnostic =
                Diagnostic::new(crate::Code::E001, span, "m").related(first, "the first one");
            for (diagnostic, color) in [(&diagnostic, false), (&diagnostic, true)] {
                let shown = render_one(diagnostic, &sources, color);
                assert!(shown.contains(&format!("p.yaml:2:{}", position.column)), "{shown}");
                assert!(shown.contains("WRONG") && shown.contains("the first one"), "{shown}");
                assert!(shown.len() < 3_000 && !shown.contains(PLACE), "{shown}");
            }
        }
    }

    #[test]
    fn as_many_are_shown_as_anybody_reads_and_errors_first() {
        let mut sources = Sources::default();
        let file = sources.add(Source::new("p", "a: b\n"));
        let of = |code| Diagnostic::new(code, Span { file, start: 0, end: 1 }, "m");
        let of_both = [vec![of(crate::Code::W001); 150], vec![of(crate::Code::E001); 100]].concat();
        let shown = render(&of_both, &sources, false);
        assert_eq!(shown.matches("error[E001]").count(), 100);
        assert_eq!(shown.matches("warning[W001]").count(), 100);
        assert!(
            shown.ends_with(
                "and 50 more, which `--format json` lists\n\n100 errors, 150 warnings\n"
            ),
            "{shown}"
        );
        assert!(!render(&of_both[..200], &sources, false).contains(" more"));
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
