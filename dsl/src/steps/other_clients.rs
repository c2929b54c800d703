//! What `start_producer` and `start_consumer` refuse of a client of another program.

use super::{StartConsumer, StartProducer, start_producer::DEFAULT_SIZE};
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::source::Span;
use crate::value::{CommitMode, Rate};

/// The greatest number that a flag of Kafka's tools takes.
const MOST: u64 = i32::MAX as u64;
/// The settings that are arguments of both steps.
const SAID: [(&str, &str); 1] = [("bootstrap.servers", "clients connect to the plan's cluster")];

/// Reports what the client cannot do.
struct Unsettable<'r> {
    client: &'r str,
    reader: &'r mut Reader,
}

impl Unsettable<'_> {
    fn report(&mut self, span: Span, what: &str, help: &str) {
        let message = format!("the client `{}` cannot do this: {what}", self.client);
        self.reader.push(Diagnostic::new(Code::E076, span, message).help(help));
    }

    fn most(&mut self, number: Option<(u64, Span)>, what: &str) {
        if let Some((_, span)) = number.filter(|(number, _)| *number > MOST) {
            self.reader.push(Diagnostic::new(
                Code::E015,
                span,
                format!("`{what}` is at most {MOST} for a client of another program"),
            ));
        }
    }
}

/// Reports what a producer of another program cannot do.
pub(super) fn check_producer(step: &StartProducer, reader: &mut Reader) {
    let said = [("acks", "write `acks:` beside `topic:` instead")];
    step.config.check_program(&[&SAID[..], &said].concat(), reader);
    let mut refused = Unsettable { client: &step.client.name, reader };
    if step.client.program.as_ref().is_some_and(|program| program.producer.is_empty()) {
        let help = "write `producer: [PROGRAM, ARGUMENT]` or `command` in the plan's `clients`";
        refused.report(step.client.span, "it has no command for a producer", help);
    }
    let payload = &step.payload;
    let sized = [payload.min, payload.max] != [DEFAULT_SIZE; 2];
    let written = step.own_value_at();
    let header = step.headers.0.first().map(|(name, _)| name.span);
    let own = "kplan's own client, `librdkafka`, can do it";
    let library = "set it in `config`, by the name that the client's library has for it";
    let all: [(Option<Span>, &str, &str); 9] = [
        (step.transactional.as_ref().map(|t| t.span), "it has no transactions", own),
        (
            step.idempotent.value.then_some(step.idempotent.span),
            "whether it is idempotent is a setting of its own",
            "set `enable.idempotence` in `config`",
        ),
        (written.map(|(span, _)| span), "it chooses the values itself", own),
        (step.key.as_ref().map(|key| key.span), "it chooses the keys itself: see `keys`", own),
        (header, "it sends no headers", own),
        (step.tombstones.as_ref().map(|t| t.span), "it sends no tombstones", own),
        (sized.then_some(payload.span), "its values have one size", own),
        (step.timestamp.as_ref().map(|t| t.span), "it chooses the timestamps itself", own),
        (step.compression.as_ref().map(|c| c.span), "it has no flag for it", library),
    ];
    for (span, what, help) in all {
        if let Some(span) = span {
            refused.report(span, what, help);
        }
    }
    if let Rate::PerSecond(rate) = step.rate.value
        && (rate.fract() != 0.0 || rate < 1.0 || rate > MOST as f64)
    {
        let help = "write a whole number of messages a second, or `max`";
        refused.report(step.rate.span, "its rate is a whole number of messages a second", help);
    }
    refused.most(step.count.as_ref().map(|n| (n.value, n.span)), "count");
    refused.most(step.keys.as_ref().map(|n| (n.value.into(), n.span)), "keys");
}

/// Reports what a consumer of another program cannot do.
pub(super) fn check_consumer(step: &StartConsumer, reader: &mut Reader) {
    let said = [
        ("group.instance.id", "write `static:` beside `topics:` instead"),
        ("group.id", "write `group:` beside `topics:` instead"),
        ("auto.offset.reset", "write `from:` beside `topics:` instead"),
        ("isolation.level", "write `isolation:` beside `topics:` instead"),
        ("enable.auto.commit", "write `commit:` beside `topics:` instead"),
    ];
    step.config.check_program(&[&SAID[..], &said].concat(), reader);
    let mut refused = Unsettable { client: &step.client.name, reader };
    if step.client.program.as_ref().is_some_and(|program| program.consumer.is_empty()) {
        let help = "write `consumer: [PROGRAM, ARGUMENT]` or `command` in the plan's `clients`";
        refused.report(step.client.span, "it has no command for a consumer", help);
    }
    if let Some(second) = step.topics.get(1) {
        let help = "start one consumer for each topic, each with a `group` of its own";
        refused.report(second.span, "it reads one topic", help);
    }
    if step.commit == CommitMode::None {
        let help = "write `commit: auto` or `commit: sync`";
        refused.report(step.client.span, "it always commits", help);
    }
}
