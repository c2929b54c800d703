//! `start_producer`

use super::{StepWord, other_clients};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{self, Blurs, LaneChange, LaneOf, Leaves, StepFacts};
use crate::ground::{ClientKind, Ever, Ground, KnownClient, KnownTopic, Liveness, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{
    Acks, ByteSize, ChosenClient, ClientName, Compression, MessageBytes, MessageHeaders,
    MessageSlot, MessageText, MessageTime, Payload, Percent, Rate, Settings, TopicName, UserName,
};
use crate::words::{self, Sentence};

args! {
    /// Starts a producer, a separate process that sends in the background from then on.
    ///
    /// The step waits until the producer has contact with the cluster. Every message contains an identity and a
    /// checksum, so that kplan can find each message again.
    ///
    /// With `value` the plan writes the messages, as a service needs them. The text `{{ message.id }}` is the identity
    /// then: it must stand in the value, the key or a header. Only it has check digits, not the whole message.
    #[example("start_producer: { name: P, topic: orders, rate: 200/s, acks: all }")]
    #[example("start_producer: { name: P, topic: orders, transactional: { messages: 100, abort: 10% } }")]
    #[example("start_producer: { name: P, topic: orders, value: '{\"order\": \"{{ message.id }}\"}' }")]
    pub struct StartProducer("start_producer") {
        /// The client's name in the plan.
        name: Spanned<ClientName>,
        /// The topic to which messages are sent.
        topic: Spanned<TopicName>,
        /// How many messages a second are sent, or `max`, as fast as possible.
        #[weighs(MoreIsStronger(Some(f64::INFINITY)))]
        rate: Spanned<Rate> = "100/s",
        /// Which acknowledgements the producer waits for: `0`, `1` or `all`.
        acks: Spanned<Acks> = "all",
        /// Whether the producer is idempotent, so that retries make no duplicates (Kafka 0.11 and newer).
        idempotent: Spanned<bool> = "false",
        /// Sends the messages in transactions (Kafka 0.11 and newer).
        transactional: Option<Spanned<Transactional>>,
        /// The size of each message's value, or `{min, max}` for sizes that vary between two limits.
        payload: Spanned<Payload> = "100B",
        /// The value of each message, in place of kplan's own. `{{ message.id }}` is the message's identity (at most
        /// 40 letters, digits and dashes), `{{ message.number }}` the number of messages that this process of the
        /// client sent before it, `{{ message.partition }}` its partition, `{{ message.time }}` the time when it was
        /// to be sent, `{{ message.random(1, 100) }}` a whole number that the run's seed chooses. Each stands alone
        /// in its braces; all other expressions are rendered once.
        value: Option<Spanned<MessageText>>,
        /// The same as base64, for a value that is no text.
        value_base64: Option<Spanned<MessageBytes>>,
        /// The key of each message, with the same slots as `value`. The key decides the partition, as in Kafka's
        /// clients; if it contains `{{ message.id }}` or `{{ message.partition }}`, messages are sent to the
        /// partitions in turn.
        key: Option<Spanned<MessageText>>,
        /// Headers of each message, with the same slots as `value` (Kafka 0.11 and newer).
        headers: MessageHeaders,
        /// The number of different keys, which kplan chooses. If neither it nor `key` is set, messages have no keys
        /// and are sent to the partitions in turn (at `rate: max` in blocks).
        keys: Option<Spanned<u32>>,
        /// The share of messages without a value: tombstones, by which a compacted topic deletes their keys. It needs
        /// `value` for the other messages, and `key`; `{{ message.id }}` must stand in the key or in a header.
        tombstones: Option<Spanned<Percent>>,
        /// The timestamp of each message: an offset from the time when it is due, such as `-2h` or `+5m`, or one time
        /// for all, such as `2026-01-31T12:00:00Z`. If it is not set, it is the time of sending.
        timestamp: Option<Spanned<MessageTime>>,
        /// The number of messages after which the producer ends. If it is not set, the producer does not end by
        /// itself.
        #[weighs(MoreIsStronger(Some(f64::INFINITY)))]
        count: Option<Spanned<u64>>,
        /// The compression of messages.
        compression: Option<Spanned<Compression>>,
        /// The client that sends: a name of the plan's `clients`, or `librdkafka`, kplan's own client.
        client: Spanned<ChosenClient> = "librdkafka",
        /// The user that the client logs in as: one of the cluster's `security` users.
        user: Option<Spanned<UserName>>,
        /// Settings of the client's library: librdkafka, unless `client` names another.
        config: Settings,
    }
}

args! {
    /// How a producer uses transactions.
    #[example("{ messages: 100, abort: 10% }")]
    pub struct Transactional("transactional") {
        /// The number of messages in each transaction.
        messages: Spanned<u32> = "100",
        /// The share of transactions that are aborted.
        abort: Percent = "0%",
    }
}

/// The smallest payload, which must have space for a message's identity.
const LEAST_PAYLOAD: u64 = 48;
const MOST_PAYLOAD: u64 = 64 << 20;
/// librdkafka's default of `message.max.bytes`.
const LIBRDKAFKA_LARGEST: u64 = 1_000_000;
/// The size that is meant without `payload`.
pub(super) const DEFAULT_SIZE: ByteSize = ByteSize(100);

impl StartProducer {
    fn kind(&self) -> &'static str {
        match (&self.transactional, self.idempotent.value) {
            (Some(_), _) => "transactional producer",
            (None, true) => "idempotent producer",
            (None, false) => "producer",
        }
    }

    /// The value that the plan writes, if it does.
    pub fn own_value(&self) -> Option<&MessageText> {
        let text = self.value.as_ref().map(|value| &value.value);
        text.or_else(|| self.value_base64.as_ref().map(|bytes| &bytes.value.0))
    }

    /// Every text that the plan writes into its messages.
    fn own_texts(&self) -> impl Iterator<Item = &MessageText> {
        let key = self.key.as_ref().map(|key| &key.value);
        self.own_value().into_iter().chain(key).chain(self.headers.0.iter().map(|(_, text)| text))
    }

    /// The place of `value` or `value_base64`, and its key.
    pub(super) fn own_value_at(&self) -> Option<(Span, &'static str)> {
        let text = self.value.as_ref().map(|value| (value.span, "value"));
        text.or_else(|| self.value_base64.as_ref().map(|bytes| (bytes.span, "value_base64")))
    }

    /// The most bytes of a value.
    fn most_bytes(&self) -> u64 {
        match self.own_value() {
            // No slot is longer than an identity.
            Some(text) => (text.constant_bytes() + 40 * text.slots().count()) as u64,
            None => self.payload.value.max.0,
        }
    }

    /// Reports values without identity, and arguments that exclude each other.
    fn check_own_texts(&self, step: Span, reader: &mut Reader) {
        let mut exclude = |span: Span, one: &str, other: &str| {
            let message = format!("`{one}` and `{other}` exclude each other");
            reader.push(Diagnostic::new(Code::E016, span, message));
        };
        if let (Some(_), Some(bytes)) = (&self.value, &self.value_base64) {
            exclude(bytes.span, "value_base64", "value");
        }
        if let (Some(_), Some(keys)) = (&self.key, &self.keys) {
            exclude(keys.span, "keys", "key");
        }
        let Some((span, own)) = self.own_value_at() else {
            if let Some(tombstones) = &self.tombstones {
                let message = "`tombstones` needs `value`: the value of the other messages";
                let help = "kplan's own messages have their identity in the value";
                reader.push(Diagnostic::new(Code::E016, tombstones.span, message).help(help));
            }
            return;
        };
        // The default is part of every producer's meaning; a size in the plan's `defaults` is for the other producers.
        let Spanned { value: size, span: at } = self.payload;
        let here = at.file == step.file && at.start > step.end;
        if here && [size.min, size.max] != [DEFAULT_SIZE; 2] {
            exclude(at, "payload", own);
        }
        if let Some(time) = &self.timestamp {
            let message = format!("`timestamp` and `{own}` exclude each other");
            let help = "of a message whose value the plan writes, kplan knows by its timestamp when it was due";
            reader.push(Diagnostic::new(Code::E016, time.span, message).help(help));
        }
        if !self.own_texts().flat_map(MessageText::slots).any(|slot| *slot == MessageSlot::Id) {
            let message = "the messages of this producer contain no identity: kplan could not find them again";
            let help =
                "write `{{ message.id }}` into a field of the value, into `key` or into a header";
            reader.push(Diagnostic::new(Code::E018, span, message).help(help));
        }
        self.check_tombstones(reader);
        if self.most_bytes() > MOST_PAYLOAD {
            reader.push(Diagnostic::new(Code::E015, span, "the value can be longer than 64MiB"));
        }
    }

    /// Reports tombstones that delete nothing, and those without an identity.
    fn check_tombstones(&self, reader: &mut Reader) {
        let Some(tombstones) = &self.tombstones else { return };
        let outside = self.key.iter().map(|key| &key.value);
        let outside = outside.chain(self.headers.0.iter().map(|(_, text)| text));
        let (message, help) = if self.key.is_none() {
            let message = "a tombstone needs a key: it deletes the messages of its key";
            (message, "add one with some different values: `key: 'k{{ message.random(1, 100) }}'`")
        } else if !outside.flat_map(MessageText::slots).any(|slot| *slot == MessageSlot::Id) {
            let message =
                "a tombstone has no value: kplan finds it by an identity in its key or a header";
            (message, "add a header: `headers: { id: '{{ message.id }}' }`")
        } else {
            return;
        };
        reader.push(Diagnostic::new(Code::E016, tombstones.span, message).help(help));
    }

    /// What it does in addition to its rate, each as part of a sentence.
    fn details(&self) -> Vec<String> {
        let transactional = self.transactional.as_ref().map(|t| &t.value);
        let (headers, Payload { min, max }) = (self.headers.shown(), self.payload.value);
        let aborts = transactional.filter(|t| t.abort.0 > 0.0);
        let said = [
            self.client.shown(),
            self.count.as_ref().map(|n| format!("{n} messages in all")),
            transactional.map(|t| format!("{} messages per transaction", t.messages)),
            aborts.map(|t| format!("{} of the transactions aborted", t.abort)),
            self.keys.as_ref().map(|n| format!("{n} different keys")),
            (!headers.is_empty()).then(|| format!("headers {}", words::list(&headers))),
            self.own_value().map(|_| "values that the plan writes".to_owned()),
            self.key.as_ref().map(|_| "keys that the plan writes".to_owned()),
            self.tombstones.as_ref().map(|share| format!("{share} of them tombstones")),
            (min != max).then(|| format!("values of {min} to {max}")),
            self.compression.as_ref().map(|c| format!("compressed with {c}")),
            self.timestamp.as_ref().map(|time| format!("timestamps {time}")),
        ];
        said.into_iter().flatten().chain(self.config.shown()).collect()
    }

    /// Warns of messages all of which are larger than what the client's library or the topic accepts.
    fn fits_sizes(&self, topic: Option<&KnownTopic>, ground: &mut Ground<'_>) {
        let (least, place) = match self.own_value() {
            Some(text) => (text.constant_bytes() as u64, self.own_value_at().map(|(at, _)| at)),
            None => (self.payload.value.min.0, Some(self.payload.span)),
        };
        let Some(place) = place else { return };
        // librdkafka measures a message before it is compressed, brokers measure what arrives.
        let number = |name: &str| self.config.get(name).and_then(|n| n.parse::<u64>().ok());
        let own = number("message.max.bytes").unwrap_or(LIBRDKAFKA_LARGEST);
        let own = self.client.program.is_none().then_some(own);
        let compressed = self.compression.as_ref().is_some_and(|c| c.value != Compression::None)
            || self.config.iter().any(|(name, _)| name.contains("compression"));
        let of_topic = topic.and_then(|t| t.largest).filter(|_| !compressed).map(u64::from);
        let (limit, whose, key) = match (own, of_topic) {
            (Some(own), _) if own < least => (own, "the producer's library", "message.max.bytes"),
            (_, Some(most)) if most < least => (most, "the topic", "max.message.bytes"),
            _ => return,
        };
        let message = format!(
            "each message has at least {least} bytes, and {whose} accepts {limit} (`{key}`)"
        );
        let help = format!(
            "send smaller messages, or set a greater `{key}` in the `config` of {}",
            if of_topic == Some(limit) { "the topic" } else { "this step" }
        );
        ground.report(Diagnostic::new(Code::W026, place, message).help(help));
    }

    /// Reports features that the cluster's version does not have.
    fn fits_version(&self, ground: &mut Ground<'_>) {
        let Some(version) = ground.version().cloned() else { return };
        let mut lacks = Vec::new();
        if !version.has_transactions() {
            if let Some(transactional) = &self.transactional {
                lacks.push((transactional.span, "transactions", "0.11"));
            } else if self.idempotent.value {
                lacks.push((self.idempotent.span, "idempotent producers", "0.11"));
            }
            if let Some((name, _)) = self.headers.0.first() {
                lacks.push((name.span, "headers", "0.11"));
            }
        }
        let zstd = self.compression.as_ref().filter(|c| c.value == Compression::Zstd);
        if let Some(compression) = zstd.filter(|_| version.before(&[2, 1])) {
            lacks.push((compression.span, "zstd", "2.1"));
        }
        for (span, what, since) in lacks {
            let message = format!("Kafka {version} has no {what}");
            let help = format!("use version {since} or newer");
            ground.report(Diagnostic::new(Code::E071, span, message).help(help));
        }
    }
}

impl StepWord for StartProducer {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Clients,
        ..StepFacts::of(facts::Kind::Traffic)
    };

    fn explain(&self) -> String {
        let kind = self.kind();
        let rate = match self.rate.value {
            Rate::Max => "as fast as it can".to_owned(),
            rate => format!("{rate}"),
        };
        format!("Start {kind} {}: {rate} to topic {}, acks={}", self.name, self.topic, self.acks)
    }

    fn in_full(&self) -> Sentence {
        let (kind, name, topic) = (self.kind(), &self.name, &self.topic);
        let rate = match self.rate.value {
            Rate::Max => "as many messages as it can".to_owned(),
            Rate::PerSecond(n) => format!("{n} messages a second"),
        };
        let acks = match self.acks.value {
            Acks::None => "does not wait for acknowledgements (acks=0)",
            Acks::Leader => "waits for the leader's acknowledgement (acks=1)",
            Acks::All => "waits for the acknowledgement of all in-sync replicas (acks=all)",
        };
        let text = format!("Start {kind} {name}: it sends {rate} to topic {topic} and {acks}");
        Sentence::from(words::joined(text, "; ", &self.details(), ""))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        vec![LaneChange::Begins(LaneOf::client("producer", &self.name))]
    }

    fn validate(&self, step: Span, reader: &mut Reader) {
        let Payload { min, max } = self.payload.value;
        let wrong = [min, max].into_iter().find(|s| !(LEAST_PAYLOAD..=MOST_PAYLOAD).contains(&s.0));
        if let Some(size) = wrong {
            let message = format!(
                "a payload of {size} is out of range: it must be between {LEAST_PAYLOAD}B and 64MiB"
            );
            let help =
                "each message contains an identity and a checksum, which need the least size";
            reader.push(Diagnostic::new(Code::E015, self.payload.span, message).help(help));
        } else if min.0 > max.0 {
            let message = format!("`min` is {min}, greater than `max`, which is {max}");
            let help = format!("swap them: `{{ min: {max}, max: {min} }}`");
            reader.push(Diagnostic::new(Code::E015, self.payload.span, message).help(help));
        }
        self.check_own_texts(step, reader);
        let zero = |n: Option<(u64, Span)>| n.filter(|(n, _)| *n == 0).map(|(_, span)| span);
        let keys = self.keys.as_ref().map(|n| (u64::from(n.value), n.span));
        let count = self.count.as_ref().map(|n| (n.value, n.span));
        let transactional = self.transactional.as_ref();
        let messages = transactional.map(|t| (u64::from(t.messages.value), t.messages.span));
        for (span, what) in
            [(zero(keys), "keys"), (zero(count), "count"), (zero(messages), "messages")]
        {
            if let Some(span) = span {
                let message = format!("`{what}` must be at least 1");
                reader.push(Diagnostic::new(Code::E015, span, message));
            }
        }
        let needs_all = self.idempotent.value || self.transactional.is_some();
        if needs_all && self.acks.value != Acks::All {
            let message = "an idempotent or transactional producer needs `acks: all`";
            reader.push(Diagnostic::new(Code::E016, self.acks.span, message));
        }
        if self.client.program.is_some() {
            return other_clients::check_producer(self, reader);
        }
        let said = [
            ("acks", "write `acks:` beside `topic:` instead"),
            ("request.required.acks", "write `acks:` beside `topic:` instead"),
            ("enable.idempotence", "write `idempotent:` beside `topic:` instead"),
            ("transactional.id", "write `transactional:` beside `topic:` instead"),
            ("compression.type", "write `compression:` beside `topic:` instead"),
            ("compression.codec", "write `compression:` beside `topic:` instead"),
        ];
        self.config.check_client(&said, reader);
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        if let Some(transactional) = &self.transactional {
            needs.push(Need::argument(Capability::Transactions, transactional.span));
        }
        if let Some(user) = &self.user {
            needs.push(Need::argument(Capability::Security, user.span));
        }
        let bytes = self.count.as_ref().map(|n| n.value.saturating_mul(self.most_bytes()));
        let small = self.count.as_ref().is_some_and(|n| n.value <= 100_000)
            && bytes.is_some_and(|n| n <= 5 << 20);
        let fast = match self.rate.value {
            Rate::Max => true,
            Rate::PerSecond(n) => n > 10_000.0,
        };
        if fast && !small {
            needs.push(Need::argument(Capability::LargeLogs, self.rate.span));
        }
        needs
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.new_client(&self.name);
        let topic = ground.topic(&self.topic, false);
        ground.user(self.user.as_ref());
        self.fits_version(ground);
        self.fits_sizes(topic.as_ref(), ground);
        let min = topic.and_then(|t| t.min_in_sync).filter(|n| *n > 1);
        let weak = self.acks.value != Acks::All && ground.is_literal(self.acks.span);
        if let Some(min) = min.filter(|_| weak) {
            let message =
                format!("min.insync.replicas={min} has no effect with acks={}", self.acks.value);
            let help = "use `acks: all` to make the topic's setting effective";
            ground.report(Diagnostic::new(Code::W007, self.acks.span, message).help(help));
        }
        let client = KnownClient {
            kind: ClientKind::Producer,
            life: if self.count.is_some() { Liveness::Maybe } else { Liveness::Up },
            members: 1,
            topics: vec![self.topic.to_string()],
            from: None,
            group: None,
            published: None,
            acks: self.acks.value,
            commits: false,
            transactional: self.transactional.is_some(),
            ends: self.count.is_some(),
            most: self.count.as_ref().map(|count| count.value),
            waits: false,
            program: self.client.program.as_ref().map(|_| self.client.name.clone()),
            sends_text: self.client.program.is_some() || self.own_value().is_some(),
            span: self.name.span,
        };
        ground.add_client(&self.name, client);
    }

    fn makes<'p>(&'p self, _: StepAt<'p>, ever: &mut Ever<'p>) {
        ever.clients.insert(self.name.as_str());
    }
}
