//! Clients of other programs: what they cannot do with the other clients of a plan.

use super::{Ground, KnownClient};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Spanned;
use crate::value::MemberRef;

impl Ground<'_> {
    /// Adds a client. Reports a consumer of another program that would have to print messages in kplan's own form.
    pub fn add_client(&mut self, name: &str, client: KnownClient) {
        let prints = |c: &KnownClient| !c.kind.sends() && c.program.is_some();
        let unprintable = |c: &KnownClient| c.kind.sends() && !c.sends_text;
        let meets = |reader: &KnownClient, sender: &KnownClient| {
            reader.topics.iter().any(|topic| sender.topics.contains(topic))
        };
        let all = self.state.clients.iter();
        let pairs: Vec<(String, String)> = all
            .filter_map(|(other, known)| match (prints(&client), unprintable(&client)) {
                (true, _) if unprintable(known) && meets(&client, known) => {
                    Some((name.to_owned(), other.clone()))
                }
                (_, true) if prints(known) && meets(known, &client) => {
                    Some((other.clone(), name.to_owned()))
                }
                _ => None,
            })
            .collect();
        for (reader, sender) in pairs {
            let message = format!(
                "consumer `{reader}` is another program, which prints each message as text, and the messages of \
                 `{sender}` are no text"
            );
            let help = "give the producer a `value` that contains `{{ message.id }}`, or start it with a client of another program";
            self.report(Diagnostic::new(Code::E076, client.span, message).help(help));
        }
        self.state.clients.insert(name.to_owned(), client);
        self.sends_again(name);
    }

    /// Reports a condition about a client of another program that needs what such a client does not report.
    pub fn must_report(&mut self, name: &Spanned<MemberRef>, needs: &str, only_readers: bool) {
        let Some(client) = self.state.clients.get(name.client.as_str()) else { return };
        let Some(program) = client.program.clone() else { return };
        if only_readers && client.kind.sends() {
            return;
        }
        let message =
            format!("`{}` is the client `{program}`, which does not report {needs}", name.client);
        let help = "only kplan's own client, `librdkafka`, reports it";
        self.report(Diagnostic::new(Code::E076, name.span, message).help(help));
    }
}
