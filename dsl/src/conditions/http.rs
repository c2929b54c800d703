//! `http`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{BoundGroup, HttpUrl, MemberRef, check_http_path, check_pattern};

args! {
    /// A GET request gets an answer with this status, and with this body if `body` is set.
    ///
    /// kplan sends the request to a service of the plan, or to a URL of this machine. `--allow-http` allows
    /// other hosts. A redirect is an answer like any other. An answer of more than 1 MiB is not read further.
    #[example("http: { service: invoicing, port: 8080, path: /health }")]
    #[example("http: { service: invoicing/2, port: 8080, path: /invoices, body: { pointer: /count, at_least: 100 } }")]
    #[example("http: { url: \"http://localhost:9090/-/ready\", body: Ready }")]
    pub struct Http("http") {
        /// The service, whose every instance is asked, or one of its instances.
        service: Option<Spanned<MemberRef>>,
        /// The port; of a container, the port inside.
        port: Option<Spanned<u32>>,
        /// The path, with a query if it needs one.
        path: Spanned<String> = "/",
        /// The URL, instead of `service`, `port` and `path`.
        url: Option<Spanned<HttpUrl>>,
        /// The status of the answer.
        status: u32 = "200",
        /// What the body must contain.
        body: Option<Spanned<HttpBody>>,
    }
}

args! {
    /// What the body of an answer must contain: text, or a number in JSON.
    pub struct HttpBody("body") short "matches" {
        /// A regular expression that matches anywhere in the body.
        matches: Option<Spanned<String>>,
        /// A JSON pointer (RFC 6901) to a number, such as `/totals/0/count`. The bound is for this number.
        pointer: Option<Spanned<String>>,
        ..bound: BoundGroup<u64>,
    }
}

impl HttpBody {
    fn text(&self) -> String {
        match (&self.matches, &self.pointer) {
            (Some(pattern), _) => format!(" and a body with /{pattern}/"),
            (None, Some(pointer)) => {
                let bound = self.bound.map_or_else(|| "any number".to_owned(), |b| b.to_string());
                format!(" and {bound} at {pointer}")
            }
            (None, None) => String::new(),
        }
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        match (&self.matches, &self.pointer) {
            (Some(_), Some(pointer)) => {
                let message = "`pointer` and `matches` exclude each other";
                reader.push(Diagnostic::new(Code::E016, pointer.span, message));
            }
            (None, None) => {
                let message = "`body` needs `matches`, or `pointer` with a bound";
                reader.push(Diagnostic::new(Code::E016, span, message));
            }
            (Some(pattern), None) => {
                check_pattern(pattern, reader);
                if self.bound.is_some() {
                    let message = "a bound needs `pointer`: text is not a number";
                    reader.push(Diagnostic::new(Code::E016, span, message));
                }
            }
            (None, Some(pointer)) => {
                if !pointer.is_empty() && !pointer.starts_with('/') {
                    let message = format!("`{pointer}` is not a JSON pointer");
                    let help = "it begins with a slash: `/count`";
                    reader.push(Diagnostic::new(Code::E013, pointer.span, message).help(help));
                }
            }
        }
    }
}

impl ConditionWord for Http {
    const FACTS: ConditionFacts = ConditionFacts {
        weighs: Weighs::Arguments(&[
            ("service", ArgumentWeighs::WithAnother),
            ("body", ArgumentWeighs::Presence),
        ]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        let whom = match (&self.url, &self.service, &self.port) {
            (Some(url), ..) => url.to_string(),
            (None, Some(service), Some(port)) => {
                format!("service {service} at port {port} with path {}", self.path)
            }
            _ => "a service".to_owned(),
        };
        let body = self.body.as_ref().map(|body| body.text()).unwrap_or_default();
        format!("a GET request to {whom} gets status {}{body}", self.status)
    }

    fn judged(&self) -> Judgeable {
        match &self.body {
            Some(body) if body.pointer.is_some() => Judgeable::by(body.bound),
            _ => Judgeable::Plain,
        }
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        match (&self.service, &self.url) {
            (None, None) => {
                let message = "`http` needs `service` with `port`, or `url`";
                reader.push(Diagnostic::new(Code::E016, span, message));
            }
            (Some(_), Some(url)) => {
                let message = "`url` and `service` exclude each other";
                reader.push(Diagnostic::new(Code::E016, url.span, message));
            }
            (Some(service), None) if self.port.is_none() => {
                let message = "`http` needs the `port` of the service";
                reader.push(Diagnostic::new(Code::E011, service.span, message));
            }
            (None, Some(url)) if !reader.scope.limits().allows_host(&url.host) => {
                let message = format!("requests to `{}` are not allowed", url.host);
                let help =
                    format!("allow them with --allow-http {}, if you trust the plan", url.host);
                reader.push(Diagnostic::new(Code::E075, url.span, message).help(help));
            }
            _ => {}
        }
        let other = self.port.as_ref().map(|port| ("port", port.span));
        let path = (self.path.value != "/").then_some(("path", self.path.span));
        if let (Some(_), Some((key, span))) = (&self.url, other.or(path)) {
            let message = format!("`{key}` and `url` exclude each other");
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        if let Some(port) = self.port.as_ref().filter(|p| !(1..=65_535).contains(&p.value)) {
            let message = format!("{port} is not a port: ports are between 1 and 65535");
            reader.push(Diagnostic::new(Code::E015, port.span, message));
        }
        check_http_path(&self.path, reader);
        if let Some(body) = &self.body {
            body.validate(body.span, reader);
        }
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let Some(service) = &self.service else { return };
        ground.must_run(service.client.as_str(), "answer", span);
        let port = self.port.as_ref();
        let known = ground.state.clients.get(service.client.as_str());
        let ports = known.and_then(|c| c.published.clone());
        if let (Some(ports), Some(port)) = (ports, port)
            && !ports.contains(&port.value)
        {
            let message = format!("port {port} of service `{}` is not published", service.client);
            let help = format!("add it to `start_service`: `ports: [{port}]`");
            ground.report(Diagnostic::new(Code::E063, port.span, message).help(help));
        }
    }
}
