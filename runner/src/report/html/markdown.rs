//! Converts the Markdown of plans and descriptions to safe HTML.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use crate::report::text::clean;

/// HTML of a Markdown text: HTML inside it is shown as text, images are left out, links lead to
/// web pages or nowhere.
pub fn render(markdown: &str) -> String {
    let text = clean(markdown);
    let parser = Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut skipped_link = 0u32;
    let safe = parser.filter_map(move |event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { ref dest_url, .. }) if !harmless(dest_url) => {
            skipped_link += 1;
            None
        }
        Event::End(TagEnd::Link) if skipped_link > 0 => {
            skipped_link -= 1;
            None
        }
        // The page has one first heading of its own.
        Event::Start(Tag::Heading { .. }) => Some(Event::Start(Tag::Strong)),
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Strong)),
        other => Some(other),
    });
    let mut out = String::new();
    html::push_html(&mut out, safe);
    out
}

fn harmless(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn tables_and_emphasis_are_rendered() {
        let out = render("| a | b |\n|---|---|\n| 1 | **2** |\n\n# Title");
        assert!(out.contains("<td><strong>2</strong></td>") && out.contains("<strong>Title"));
    }

    #[test]
    fn nothing_active_comes_through() {
        let hostile = "<script>x</script> <img src=x onerror=y> ![i](http://x/y.png)\n\
            [a](javascript:alert) [b](data:text/html,x) [c](https://example.com) <b>bold</b>\n\n\
            <iframe src=x></iframe>";
        let out = render(hostile);
        for bad in ["<script", "<img", "javascript:", "data:", "<iframe", "<b>"] {
            assert!(!out.contains(bad), "{bad} in {out}");
        }
        assert!(out.contains("href=\"https://example.com\""), "{out}");
        assert_eq!(out.matches("</a>").count(), 1, "{out}");
    }
}
