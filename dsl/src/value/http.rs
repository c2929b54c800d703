//! Addresses of HTTP requests.

use schemars::{Schema, json_schema};

use super::{FromText, TextError, text_value};
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::source::Spanned;

/// The URL of a request, without encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// The host's name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path and the query.
    pub path: String,
}

impl FromText for HttpUrl {
    const EXPECTS: &'static str = "a URL such as `http://localhost:8080/health`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::new(Code::E013, format!("`{text}` is not a URL"));
        if text.starts_with("https:") {
            let message = "kplan sends no encrypted requests";
            return Err(TextError::new(Code::E013, message).help("use an `http://` URL"));
        }
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(at);
        let (host, port) = match place.strip_prefix('[') {
            Some(v6) => {
                let (host, port) = v6.split_once(']').ok_or_else(wrong)?;
                (host, port.strip_prefix(':').or((port.is_empty()).then_some("80")))
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, Some("80")),
            },
        };
        let port: u16 = port.and_then(|p| p.parse().ok()).filter(|p| *p > 0).ok_or_else(wrong)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        if host.is_empty() || !host.chars().all(plain) || !is_path(path) {
            return Err(wrong());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, path })
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^http://|\\{\\{" })
    }
}

text_value!(HttpUrl);
crate::meaning::shown!(HttpUrl);

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, path } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        write!(f, "http://{host}:{port}{path}")
    }
}

/// True for characters that a request's path and query may contain as they are.
fn is_path(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_graphic() && c != '#')
}

/// Reports a path that cannot be sent as it is.
pub(crate) fn check_http_path(path: &Spanned<String>, reader: &mut Reader) {
    if !path.starts_with('/') || !is_path(path) {
        let message = format!("`{path}` is not the path of a request");
        let help = "it begins with `/` and has no blanks: encode other characters with `%`";
        reader.push(Diagnostic::new(Code::E013, path.span, message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_host_a_port_and_a_path() {
        for (text, shown) in [
            ("http://localhost:8080/a?b=c", "http://localhost:8080/a?b=c"),
            ("http://localhost", "http://localhost:80/"),
            ("http://[::1]:81?x", "http://[::1]:81/?x"),
        ] {
            let url = HttpUrl::from_text(text).map(|url| url.to_string());
            assert_eq!(url.ok().as_deref(), Some(shown), "{text}");
        }
        for text in [
            "localhost:8080",
            "https://localhost/",
            "http://",
            "http://a:0/",
            "http://a:70000/",
            "http://user@a/",
            "http://a/b c",
            "http://[::1/",
            "http://a/#b",
        ] {
            assert!(HttpUrl::from_text(text).is_err(), "{text}");
        }
    }
}
