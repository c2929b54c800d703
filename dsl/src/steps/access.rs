//! The arguments of `allow` and `deny`: one rule of Kafka's authorizer.

use serde_json::{Map, Value};

use crate::args::{FieldGroup, FieldInfo, Weight};
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::{Ground, StepAt};
use crate::meaning::{GroupMeaning, Meaning, put};
use crate::read::{FromNode, MapReader, Reader};
use crate::schema::described;
use crate::source::{Span, Spanned};
use crate::value::{
    AclOperations, AclUser, FromText, GroupName, NamePattern, TextError, TopicName,
};

/// Who may, or may not, do what with what.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessRule {
    /// The user.
    pub user: Spanned<AclUser>,
    /// What the user does.
    pub operation: AclOperations,
    /// The topic or topics.
    pub topic: Option<Spanned<NamePattern>>,
    /// The consumer group or groups.
    pub group: Option<Spanned<NamePattern>>,
    /// The transactional id or ids.
    pub transactional_id: Option<Spanned<NamePattern>>,
    /// The cluster itself.
    pub cluster: bool,
    /// The address that the user's clients have.
    pub host: Option<String>,
    /// The rule is removed.
    pub remove: bool,
}

const KEYS: &[&str] =
    &["user", "operation", "topic", "group", "transactional_id", "cluster", "host", "remove"];
const DOCS: [&str; 8] = [
    "One of the cluster's `security` users, or `any`: every user.",
    "The operation or operations: `read`, `write`, `create`, `delete`, `alter`, `describe`, `cluster_action`, \
     `describe_configs`, `alter_configs`, `idempotent_write` or `all`. Reading a topic in a group needs `read` of both.",
    "The topic. With `*` at its end, all topics whose names begin so.",
    "The consumer group, instead of a topic. With `*` at its end, all groups whose names begin so.",
    "The transactional id, instead of a topic. With `*` at its end, all ids that begin so.",
    "`true`: the cluster itself, instead of a topic.",
    "The address of the clients, as brokers see it. If it is not set, all addresses are meant.",
    "`true`: removes the rule that a step with the same arguments made.",
];

impl FieldGroup for AccessRule {
    const KEYS: &'static [&'static str] = KEYS;

    fn from_fields(map: &mut MapReader<'_>, reader: &mut Reader) -> Option<Self> {
        let user = map.field("user", reader);
        let operation = map.field("operation", reader);
        let topic = map.field("topic", reader);
        let group = map.field("group", reader);
        let transactional_id = map.field("transactional_id", reader);
        let cluster = map.field_or("cluster", reader, "false");
        let host = map.field("host", reader);
        let remove = map.field_or("remove", reader, "false");
        Some(Self {
            user: user?,
            operation: operation?,
            topic: topic?,
            group: group?,
            transactional_id: transactional_id?,
            cluster: cluster?,
            host: host?,
            remove: remove?,
        })
    }

    fn fields() -> Vec<FieldInfo> {
        let pattern = <NamePattern as FromNode>::EXPECTS;
        let expects = [
            <AclUser as FromNode>::EXPECTS,
            AclOperations::EXPECTS,
            pattern,
            pattern,
            pattern,
            bool::EXPECTS,
            String::EXPECTS,
            bool::EXPECTS,
        ];
        let all = KEYS.iter().zip(DOCS).zip(expects);
        let field = |((key, doc), expects): ((&&'static str, &'static str), &'static str)| {
            let required = matches!(*key, "user" | "operation");
            let default = matches!(*key, "cluster" | "remove").then_some("false");
            // A rule for more is not a stronger test than a rule for less.
            FieldInfo { key, doc, default, expects, required, weight: Weight::Neutral }
        };
        all.map(field).collect()
    }

    fn properties(
        generator: &mut schemars::SchemaGenerator,
    ) -> Vec<(&'static str, schemars::Schema)> {
        let pattern = NamePattern::schema(generator);
        let schemas = [
            AclUser::schema(generator),
            AclOperations::schema(generator),
            pattern.clone(),
            pattern.clone(),
            pattern,
            bool::schema(generator),
            String::schema(generator),
            bool::schema(generator),
        ];
        let all = KEYS.iter().zip(schemas).zip(DOCS);
        all.map(|((key, schema), doc)| {
            let default = matches!(*key, "cluster" | "remove").then_some("false");
            (*key, described(schema, doc, default))
        })
        .collect()
    }
}

impl GroupMeaning for AccessRule {
    fn add_to(&self, map: &mut Map<String, Value>) {
        put(map, "user", self.user.meaning());
        put(map, "operation", self.operation.meaning());
        put(map, "topic", self.topic.meaning());
        put(map, "group", self.group.meaning());
        put(map, "transactional_id", self.transactional_id.meaning());
        put(map, "cluster", self.cluster.meaning());
        put(map, "host", self.host.meaning());
        put(map, "remove", self.remove.meaning());
    }
}

impl AccessRule {
    /// `alice to write topic orders`.
    pub(super) fn text(&self) -> String {
        let user = match &self.user.value {
            AclUser::Any => "all users".to_owned(),
            AclUser::Named(name) => name.clone(),
        };
        let named = |what: &str, name: &Option<Spanned<NamePattern>>| {
            name.as_ref().map(|name| format!("{what} {name}"))
        };
        let what = named("topic", &self.topic)
            .or_else(|| named("group", &self.group))
            .or_else(|| named("transactional id", &self.transactional_id))
            .unwrap_or_else(|| "the cluster".to_owned());
        let host = self.host.as_ref().map(|host| format!(" from {host}")).unwrap_or_default();
        format!("{user} to {} {what}{host}", self.operation)
    }

    pub(super) fn validate(&self, word: &str, lasts: bool, span: Span, reader: &mut Reader) {
        let about = [
            self.topic.is_some(),
            self.group.is_some(),
            self.transactional_id.is_some(),
            self.cluster,
        ];
        if about.into_iter().filter(|about| *about).count() != 1 {
            let message = format!(
                "`{word}` takes one of `topic`, `group`, `transactional_id` and `cluster: true`"
            );
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        if let Some((Err(wrong), span)) = named::<TopicName>(self.topic.as_ref()) {
            reader.push(Diagnostic::new(wrong.code, span, wrong.message).maybe_help(wrong.help));
        }
        if self.remove && lasts {
            let message = "`remove` excludes `for` and `during`";
            let help = "a rule that is removed for a time is the opposite rule for that time";
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
        }
    }

    pub(super) fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.needs_kafka(at.key, "change the rules of its authorizer for kplan", "2.0");
        match &self.user.value {
            AclUser::Named(name) => ground.user_name(name, self.user.span),
            AclUser::Any => ground.some_user(at.word, self.user.span),
        }
        if let Some((Ok(name), span)) = named::<TopicName>(self.topic.as_ref()) {
            ground.topic(&Spanned::new(name, span), true);
        }
        if let Some((Ok(name), span)) = named::<GroupName>(self.group.as_ref()) {
            ground.group(&Spanned::new(name, span));
        }
    }
}

/// The name of one thing, and where it stands.
fn named<T: FromText>(
    pattern: Option<&Spanned<NamePattern>>,
) -> Option<(Result<T, TextError>, Span)> {
    let pattern = pattern?;
    match &pattern.value {
        NamePattern::Name(name) => Some((T::from_text(name), pattern.span)),
        NamePattern::Prefix(_) | NamePattern::All => None,
    }
}
