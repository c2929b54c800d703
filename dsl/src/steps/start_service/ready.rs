//! The argument `ready` of `start_service`.

use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{GroupState, check_http_path, check_pattern};

args! {
    /// When an instance of a service is ready: exactly one of the keys.
    pub struct ServiceReady("ready") {
        /// When it has written a line that matches this regular expression.
        log: Option<Spanned<String>>,
        /// When it answers an HTTP request.
        http: Option<Spanned<ReadyHttp>>,
        /// When its `group` has this state.
        group: Option<Spanned<GroupState>>,
    }
}

args! {
    /// A GET request that a ready instance answers.
    pub struct ReadyHttp("http") {
        /// The port; of a container, the port inside.
        port: Spanned<u32>,
        /// The path, with a query if it needs one.
        path: Spanned<String> = "/",
        /// The status of the answer.
        status: u32 = "200",
    }
}

impl ServiceReady {
    pub(super) fn validate(&self, span: Span, has_group: bool, reader: &mut Reader) {
        let keys = [
            self.log.as_ref().map(|it| ("log", it.span)),
            self.http.as_ref().map(|it| ("http", it.span)),
            self.group.as_ref().map(|it| ("group", it.span)),
        ];
        let keys: Vec<(&str, Span)> = keys.into_iter().flatten().collect();
        match keys.as_slice() {
            [] => {
                let message = "`ready` needs one of `log`, `http` and `group`";
                reader.push(Diagnostic::new(Code::E016, span, message));
            }
            [_] => {}
            [(one, _), (other, span), ..] => {
                let message = format!("`{other}` and `{one}` exclude each other");
                reader.push(Diagnostic::new(Code::E016, *span, message));
            }
        }
        if let Some(log) = &self.log {
            check_pattern(log, reader);
        }
        if let Some(state) = self.group.as_ref().filter(|_| !has_group) {
            let message = "`ready` asks for the state of a group, but the service has no `group`";
            let help = "write the consumer group of the service as `group:`";
            reader.push(Diagnostic::new(Code::E011, state.span, message).help(help));
        }
        if let Some(path) = self.http.as_ref().map(|h| &h.path) {
            check_http_path(path, reader);
        }
    }

    /// The state as a clause.
    pub(super) fn text(&self) -> String {
        match (&self.log, &self.http, &self.group) {
            (Some(pattern), ..) => format!("its log has a line with /{pattern}/"),
            (_, Some(http), _) => {
                format!("port {} answers GET {} with {}", http.port, http.path, http.status)
            }
            (_, _, Some(state)) => format!("its group is {state}"),
            (None, None, None) => "it runs".to_owned(),
        }
    }
}
