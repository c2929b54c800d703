//! `progressing`

use std::time::Duration;

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Clients, Spread, duration_text};

args! {
    /// Since this step began, at least one message sent (for a consumer: appended) after that
    /// beginning was acknowledged (delivered) on every partition of the client's topics; of those that
    /// consumers of one group share, on each that the client holds.
    ///
    /// Traffic from before the step proves nothing. Where nothing was sent, and where less time has
    /// passed than an answer may take, it is inconclusive.
    ///
    /// In `always` and in `assert` with `for` each moment is judged anew, by the time of `within` before
    /// it: something must have been acknowledged (delivered) in it on every partition on which something
    /// was sent. The first such time begins when the client begins to send. A client that the plan
    /// stopped, killed or paused is not judged while it is away.
    #[example("progressing: [P, C]")]
    #[example("progressing: { client: P, partitions: any }")]
    pub struct Progressing("progressing") short "client" {
        /// The client or clients.
        client: Clients,
        /// On `every` partition, or on `any`.
        partitions: Spread = "every",
        /// How long an answer may take in `always` and in `assert` with `for`: 10s where nothing is
        /// said. Elsewhere the step says how long it may take.
        within: Option<Spanned<Duration>>,
    }
}

/// How long an answer may take where `progressing` does not say it.
const WITHIN: Duration = Duration::from_secs(10);

impl Progressing {
    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.within.as_deref().copied().unwrap_or(WITHIN)
    }
}

impl ConditionWord for Progressing {
    fn explain(&self) -> String {
        let verb = if self.client.len() == 1 { "makes" } else { "make" };
        let at_least = match self.partitions {
            Spread::Every => "",
            Spread::Any => " on at least one partition",
        };
        let within = self.within.as_deref();
        let within = within.map(|w| format!(" within every {}", duration_text(*w)));
        format!("{} {verb} progress{at_least}{}", self.client, within.unwrap_or_default())
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if let Some(within) = self.within.as_ref().filter(|within| within.is_zero()) {
            let message = "`within` must be more than nothing";
            reader.push(Diagnostic::new(Code::E015, within.span, message));
        }
    }
}
