//! The roster of codes; a code's doc comment is its manual page.

use super::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident $title:literal,)+) => {
        /// The kind of a mistake. Codes are stable: one is never given another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $code,)+
        }

        impl Code {
            /// Every code, errors first.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The code as it is written: `E012`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),+ }
            }

            /// What it is about, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title),+ }
            }

            /// The manual page: Markdown.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$code => concat!($($doc, "\n"),+)),+ }
            }
        }
    };
}

codes! {
    /// The file is not YAML. Often a bracket or a quote that is not closed, a tab in the
    /// indentation, or text with `: ` in it that needs quotes.
    E001 "not YAML",
    /// The document is larger, deeper or refers to more than a plan may: the limits guard against
    /// files that are made to exhaust memory.
    E002 "document too large",
    /// A key stands twice in one map. YAML readers differ in which one counts, so neither does.
    E003 "key written twice",
    /// YAML that plans do not use: several documents in one file, merge keys (`<<`), tags (`!x`),
    /// or a key that is not a plain word.
    E004 "YAML that plans do not use",
    /// The file cannot be read: it does not exist, is not readable or is not UTF-8.
    E005 "file cannot be read",
    /// A plan begins with `plan: v1`, an included file with `fragment: v1`.
    E006 "language version",
    /// A key that is not known at this place. The nearest known key is offered.
    E010 "unknown key",
    /// A required key is missing.
    E011 "missing key",
    /// The value has another type than the key takes: a list for a number, a word for a boolean
    /// (only `true` and `false` are booleans), a quoted number where a number is meant.
    E012 "wrong type",
    /// The value cannot be read: a duration is written `500ms`, `30s` or `1m30s`, a rate `200/s` or
    /// `max`, a size `512B` or `1KiB`, a percent `10%`, a partition `orders/0`.
    E013 "value cannot be read",
    /// The word is none of those that the key takes.
    E014 "unknown value",
    /// The value is too small, too large or empty.
    E015 "value out of range",
    /// Keys that exclude each other stand together, or one of several is needed and none is there.
    E016 "keys that exclude each other",
    /// The client would not start with this setting. kplan's clients are librdkafka's, and it was asked: it
    /// has no setting of this name, does not take this value, or not together with the client's other
    /// settings, of which kplan sets some itself. `config` takes librdkafka's names, which are not
    /// always those of Java's clients. Not asked before the run are settings of TLS and SASL together
    /// (single ones are), settings that run programs, and values that only the run knows.
    E017 "setting that the client refuses",
    /// The step's verb is unknown. The nearest one is offered; `kplan words` lists all.
    E020 "unknown step",
    /// A step is a map with exactly one verb, or the bare word of a verb without arguments.
    E021 "step without a verb",
    /// A step has exactly one verb: what follows it is a step of its own, with its own dash.
    E022 "step with two verbs",
    /// The condition is unknown. The nearest one is offered; `kplan words` lists all.
    E023 "unknown condition",
    /// A condition that is judged needs a bound: a bare value, `is`, `at_most`, `at_least` or
    /// `between`. Without one it can only be recorded.
    E024 "condition without a bound",
    /// `record` takes conditions without bounds: nobody judges there, so a bound would be a lie.
    /// Use `assert`.
    E025 "bound in a record",
    /// Steps are nested deeper, or there are more of them, than a plan may have.
    E026 "too many steps",
    /// The expression between `{{` and `}}` cannot be read. A plan has expressions only, no
    /// statements between `{%` and `%}`: steps are repeated by `repeat`, and a value is chosen by
    /// `{{ a if condition else b }}`.
    E030 "template syntax",
    /// The expression names something that does not exist here. Known are the plan's parameters,
    /// matrix values, `run.id`, `run.seed`, and captures of earlier steps.
    E031 "undefined name",
    /// The expression failed: types that do not fit, or too much work. A list cannot be multiplied.
    E032 "template failed",
    /// An environment variable is used that `--allow-env` does not name. A plan may come from a
    /// stranger's pull request: what it may read is said on the command line.
    E033 "environment variable not allowed",
    /// The value must be known before the run starts, but depends on the run or on a capture.
    E034 "value known too late",
    /// An expression makes something of a secret that could not be hidden again: of a parameter with `secret:
    /// true` or an environment variable. It may hand over the whole value, also by the filters `upper`,
    /// `lower`, `capitalize` and `trim`, and may ask whether something is so; text around it stands outside
    /// the braces: `Bearer {{ env.TOKEN }}`. What is no secret is given by `--param`.
    E035 "part of a secret",
    /// A parameter's value is not among those its `one_of` allows, or has another type than its
    /// default.
    E040 "bad parameter value",
    /// A parameter is set that the plan does not have.
    E041 "unknown parameter",
    /// The matrix is empty, names something twice, or makes more combinations than allowed.
    E042 "bad matrix",
    /// The topic is not created by this plan and the cluster is started by it, or it is deleted
    /// by now.
    E050 "unknown topic",
    /// No producer or consumer of this name is started before this step.
    E051 "unknown client",
    /// The cluster has no broker or controller of this number.
    E052 "unknown broker",
    /// No earlier step has this name.
    E053 "unknown step name",
    /// The topic has no such partition; they count from 0.
    E054 "unknown partition",
    /// The name is taken: two clients, topics or captures would be one.
    E055 "name taken",
    /// The step needs a cluster and none is running here.
    E056 "no cluster",
    /// The group belongs to no consumer of this plan.
    E057 "unknown group",
    /// The consumer has fewer members.
    E058 "unknown member",
    /// A plan has one cluster at a time: stop the first one before the second is started.
    E059 "cluster already running",
    /// The broker is already dead: killing it again shows nothing.
    E060 "broker already down",
    /// The broker is already running.
    E061 "broker already up",
    /// More replicas than brokers: Kafka refuses to create the topic.
    E062 "more replicas than brokers",
    /// This cannot come true: what it waits for was made impossible by an earlier step.
    E063 "cannot come true",
    /// The client is already stopped or killed, or already running, and so are all others that the step
    /// names: it would fail. `stop_client` of a client that is frozen fails whatever else it names.
    E064 "client in another state",
    /// The broker is not frozen, so it cannot go on.
    E065 "broker not frozen",
    /// The cluster's `security` names no such user.
    E066 "unknown user",
    /// What is counted belongs to the other kind of client: acknowledgements to producers,
    /// deliveries to consumers.
    E067 "other kind of client",
    /// A step of `during` undoes or replaces the fault that it runs in. A fault with `during` is undone
    /// by itself when the steps are done: leave the step out, or put it behind the fault.
    E068 "fault undone by its own steps",
    /// A condition is judged for a client as a whole, with all of its members: name the client.
    E069 "condition of one member",
    /// The chosen backend cannot do or show this.
    E070 "not on this backend",
    /// The Kafka version cannot do this.
    E071 "not in this version",
    /// Commands are run only with `--allow-run`: a plan may come from a stranger's pull request.
    E072 "commands not allowed",
    /// The plan names a container image that the command line does not allow: `--allow-image` does.
    /// Kafka's usual images, and those of `--image` and `KPLAN_IMAGE`, are allowed.
    E073 "image not allowed",
    /// The cluster has more brokers than the command line allows with `--max-brokers`.
    E074 "more brokers than allowed",
    /// The included file is missing, includes itself, or lies above the plan's directory.
    E080 "bad include",
    /// A parameter is compared with a value that it can never have, so one side never happens.
    W001 "comparison that never holds",
    /// The version is unknown to kplan; it is taken for one like the nearest known.
    W002 "unknown version",
    /// The faults so far leave too few controllers to elect leaders, and the step needs one.
    W003 "quorum lost",
    /// `acks` below `all` and `lost: 0` together: the leader's death alone may lose what it
    /// acknowledged. With `acks: 0` nothing is acknowledged, and `lost` is inconclusive.
    W004 "lost asked for with weak acknowledgement",
    /// An unclean election may cut the log: `lost: 0` will probably not hold.
    W005 "lost asked for with unclean elections",
    /// `min.insync.replicas` is above the topic's replicas: no write with `acks: all` succeeds.
    W006 "min.insync.replicas above the replicas",
    /// `min.insync.replicas` counts for `acks: all` only.
    W007 "min.insync.replicas without acks: all",
    /// A condition about the log while a producer runs: judged for what was acknowledged before
    /// the audit began.
    W008 "log judged while producing",
    /// Nothing is sent during the fault, so nothing is proven by it.
    W009 "fault without traffic",
    /// The waits and pauses take longer than the plan's timeout.
    W010 "timeout too short",
    /// The topic is not created by this plan.
    W012 "topic of somebody else",
    /// The setting is not known to the broker; a typing error would be ignored by Kafka.
    W014 "unknown setting",
    /// The target means nothing here: `controllers` with ZooKeeper, or the reverse.
    W015 "target means nothing here",
    /// A judgement about the consumer that will be inconclusive: it was not stopped by
    /// `stop_client`, so its group has not caught up.
    W016 "consumer not stopped",
    /// Recovery is judged before anything was broken: the verdict would be inconclusive.
    W018 "nothing to recover from",
    /// The condition is the same whatever the cluster does: `lost: { at_least: 0 }`, `expr: true`, an
    /// expression of parameters alone, an empty `expect`. It judges nothing, and a plan with nothing
    /// else is inconclusive. Beside other conditions in `any`, `all` or `not` an expression of
    /// parameters chooses which of them counts; that is not told.
    W019 "condition that is the same whatever happens",
    /// The plan has no `assert` that counts: none at all, or only such that are `optional`, left out by
    /// `when: false` or always true. It will end inconclusive (exit 1) if nothing fails.
    W020 "plan that judges nothing",
    /// A fault with `for` is a step that lasts as long as the fault: what follows begins when the fault
    /// is undone. This wait or assert looks as if it was meant for the time of the fault: it expects the
    /// fault's effect, or a wait for the return follows it, or it only waits for the fault's time. Steps
    /// for the time of the fault stand in its `during`. See docs/faults-and-time.md.
    W021 "meant for the time of a fault that is over",
    /// A condition, the `since` of an `assert` or `record`, or the `from` or `to` of an `always` names a step that is a
    /// note, that is or may be left out, or after which nothing is sent: the condition will be inconclusive. A note can
    /// begin or end the time of an `assert` or an `always`.
    W022 "nothing to count from",
    /// Chaos leaves a fault out that would break its `keep`. This `keep` leaves out each of its faults, so
    /// nothing is broken and nothing proven.
    W023 "chaos that can break nothing",
}

impl Code {
    /// Errors begin with E, warnings with W.
    pub const fn severity(self) -> Severity {
        if self.text().as_bytes()[0] == b'E' { Severity::Error } else { Severity::Warning }
    }

    /// The code of a text such as `E012`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.text().eq_ignore_ascii_case(text))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn titles_are_unique_and_every_code_has_a_page() {
        let titles: BTreeSet<&str> = Code::ALL.iter().map(|c| c.title()).collect();
        assert_eq!(titles.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.page().len() > 20, "{code} has no page");
            assert_eq!(Code::parse(code.text()), Some(*code));
        }
        assert_eq!(Code::parse("E999"), None);
    }
}
