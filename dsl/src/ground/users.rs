//! The users of the cluster's `security`.

use super::Ground;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::source::{Span, Spanned};
use crate::value::UserName;

impl Ground<'_> {
    pub fn user(&mut self, user: Option<&Spanned<UserName>>) {
        if let Some(user) = user {
            self.user_name(user, user.span);
        }
    }

    /// Reports a step about users of a cluster in which nobody logs in.
    pub fn some_user(&mut self, word: &str, span: Span) {
        let Some(cluster) = self.state.cluster.as_ref().filter(|_| !self.state.external) else {
            return;
        };
        if cluster.users.is_none() {
            let message =
                format!("`{word}` needs users, and the clients of this cluster do not log in");
            let help = "add `security: { users: ... }` to `start_cluster`";
            self.report(Diagnostic::new(Code::E066, span, message).help(help));
        }
    }

    pub fn user_name(&mut self, user: &str, span: Span) {
        let Some(cluster) = self.state.cluster.as_ref().filter(|_| !self.state.external) else {
            return;
        };
        let users = cluster.users.clone().unwrap_or_default();
        if !users.iter().any(|known| known == user) {
            let message = format!("the cluster has no user `{user}`");
            let help = did_you_mean(user, users.iter().map(String::as_str));
            let help = help
                .or_else(|| Some("add it to `security: { users: ... }` of `start_cluster`".into()));
            self.report(Diagnostic::new(Code::E066, span, message).maybe_help(help));
        }
    }
}
