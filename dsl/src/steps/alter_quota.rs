//! `alter_quota`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, LaneChange, LaneMark, StepFacts, Undo};
use crate::ground::{ClientKind, Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Bandwidth, Clients, Percent, QuotaLimit, QuotaOf, Rate};
use crate::words;

args! {
    /// Limits what users or clients may send, read or request, until another step changes the limit or for a time.
    ///
    /// Kafka enforces a quota at each broker separately: a producer that sends to the leaders of two brokers reaches
    /// twice the rate. Brokers delay the answers of clients that exceed their quota; they refuse nothing, except
    /// changes of topics beyond `controller_mutation_rate` (`THROTTLING_QUOTA_EXCEEDED`). The first second of traffic
    /// may exceed the quota.
    ///
    /// A quota is for a `user`, for a client (`client` or `client_id`), or for that user in that client. `client`
    /// names clients of the plan: their processes as they run now, each with a quota of its own. A client that is
    /// started again has another `client.id`, unless the plan sets `client.id` in its `config`.
    ///
    /// The step ends when each broker that answers reports the quota. `none` removes a limit. When the time of `for`
    /// has passed, each limit is again what it was before, unless another step has changed it meanwhile. Needs Kafka
    /// 2.6 or newer.
    #[example("alter_quota: { client: P, produce_rate: 64KiB/s, for: 30s }")]
    #[example("alter_quota: { user: alice, consume_rate: 1MiB/s, request_percentage: 10% }")]
    #[example("alter_quota: { client_id: app, produce_rate: none }")]
    pub struct AlterQuota("alter_quota") {
        /// One of the cluster's `security` users, or `default`: all users without a quota of their own.
        user: Option<Spanned<QuotaOf>>,
        /// The plan's client or clients.
        client: Option<Clients>,
        /// A `client.id` instead of a client of the plan, or `default`: all clients without a quota of their own.
        client_id: Option<Spanned<QuotaOf>>,
        /// The most bytes per second that are sent to a broker (`producer_byte_rate`).
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        produce_rate: Option<QuotaLimit<Bandwidth>>,
        /// The most bytes per second that are read from a broker (`consumer_byte_rate`).
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        consume_rate: Option<QuotaLimit<Bandwidth>>,
        /// The greatest share of the time of one of a broker's threads that requests take (`request_percentage`).
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        request_percentage: Option<QuotaLimit<Percent>>,
        /// The most partitions per second that are created or deleted (`controller_mutation_rate`, Kafka 2.7 and
        /// newer).
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        controller_mutation_rate: Option<QuotaLimit<Rate>>,
        ..lasting: Lasting,
    }
}

impl StepWord for AlterQuota {
    const FACTS: StepFacts = StepFacts {
        undo: Undo::After("set what was set before"),
        blurs: Blurs::Nothing,
        ..StepFacts::of(Kind::Setting)
    };

    fn explain(&self) -> String {
        let limits: Vec<String> =
            self.limits().map(|(key, value)| format!("{key} {}", value.1)).collect();
        format!("Set the quota of {}: {}", self.whose(), words::list(&limits))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let limited = self.limits().any(|(_, (value, _))| value.is_some());
        let mark = if limited { LaneMark::Throttled } else { LaneMark::Running };
        self.client.iter().map(|clients| LaneChange::Clients(clients.clone(), mark)).collect()
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        let mut wrong = |span: Span, message: &str, help: &str| {
            reader
                .push(Diagnostic::new(Code::E016, span, message.to_owned()).help(help.to_owned()));
        };
        if self.user.is_none() && self.client.is_none() && self.client_id.is_none() {
            let message = "`alter_quota` does not say whose quota it is";
            wrong(span, message, "add `user`, `client` or `client_id`");
        }
        if let Some(id) = self.client_id.as_ref().filter(|_| self.client.is_some()) {
            wrong(id.span, "`client` and `client_id` exclude each other", "leave out one of them");
        }
        if self.limits().next().is_none() {
            let help = "add `produce_rate`, `consume_rate`, `request_percentage` or `controller_mutation_rate`";
            wrong(span, "`alter_quota` changes nothing", help);
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Quotas)]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.needs_kafka(at.key, "change quotas by request", "2.6");
        if self.controller_mutation_rate.is_some() {
            ground.needs_kafka(at.key, "limit changes of topics", "2.7");
        }
        if let Some(user) = &self.user
            && let Some(name) = user.name()
        {
            ground.user_name(name, user.span);
        }
        for name in self.client.iter().flat_map(|clients| clients.iter()) {
            let Some(client) = ground.client(name, false) else { continue };
            if client.kind == ClientKind::Service || client.program.is_some() {
                let message = format!("kplan does not know the `client.id` of `{}`", name.client);
                let help = "it is another program: write its id, as `client_id: ID`";
                let wrong = Diagnostic::new(Code::E067, name.span, message).help(help);
                ground.report(wrong.related(client.span, "started here"));
            }
        }
    }
}

impl AlterQuota {
    /// The limits that it changes, by Kafka's names: each as a number, none if it is removed, and as text.
    pub fn limits(&self) -> impl Iterator<Item = (&'static str, (Option<f64>, String))> {
        let bytes = |rate: &Bandwidth| rate.0 as f64;
        let per_second = |rate: &Rate| match rate {
            Rate::PerSecond(number) => *number,
            // Not taken as a limit.
            Rate::Max => f64::INFINITY,
        };
        let percent = self.request_percentage.as_ref();
        let mutations = self.controller_mutation_rate.as_ref();
        [
            ("producer_byte_rate", self.produce_rate.as_ref().map(|l| limit(l, bytes))),
            ("consumer_byte_rate", self.consume_rate.as_ref().map(|l| limit(l, bytes))),
            ("request_percentage", percent.map(|l| limit(l, |share| share.0))),
            ("controller_mutation_rate", mutations.map(|l| limit(l, per_second))),
        ]
        .into_iter()
        .filter_map(|(key, limit)| Some((key, limit?)))
    }

    /// `user alice in client P`.
    fn whose(&self) -> String {
        let user = self.user.as_ref().map(|user| match user.name() {
            Some(name) => format!("user {name}"),
            None => "users by default".to_owned(),
        });
        let client = match (&self.client, &self.client_id) {
            (Some(clients), _) => Some(clients.to_string()),
            (None, Some(id)) => Some(match id.name() {
                Some(name) => format!("client.id {name}"),
                None => "clients by default".to_owned(),
            }),
            (None, None) => None,
        };
        let both: Vec<String> = user.into_iter().chain(client).collect();
        both.join(" in ")
    }
}

fn limit<T: std::fmt::Display>(
    limit: &QuotaLimit<T>,
    number: impl Fn(&T) -> f64,
) -> (Option<f64>, String) {
    let value = match limit {
        QuotaLimit::Removed => None,
        QuotaLimit::At(value) => Some(number(value)),
    };
    (value, limit.to_string())
}
