//! The pages about the structure of a plan, from `plan.md`.

use std::sync::LazyLock;

/// One page.
pub(super) struct StructurePage {
    /// The key, or the name of the form.
    pub word: &'static str,
    /// The page as Markdown, with its heading.
    pub text: &'static str,
}

impl StructurePage {
    /// Its first paragraph.
    pub(super) fn summary(&self) -> String {
        self.text.split("\n\n").nth(1).unwrap_or_default().to_owned()
    }
}

/// All pages, in the order of the file.
pub(super) fn pages() -> &'static [StructurePage] {
    static PAGES: LazyLock<Vec<StructurePage>> = LazyLock::new(|| {
        let text = include_str!("plan.md");
        // Comments in examples are indented.
        let starts: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices("\n# ").map(|(at, _)| at + 1))
            .chain(std::iter::once(text.len()))
            .collect();
        let of = |pair: &[usize]| {
            let text = &text[pair[0]..pair[1]];
            let word = text["# ".len()..].split(' ').next().unwrap_or_default();
            StructurePage { word, text: &text[..=text.trim_end().len()] }
        };
        starts.windows(2).map(of).collect()
    });
    &PAGES
}
