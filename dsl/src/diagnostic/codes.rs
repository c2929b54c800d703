//! The list of codes. The doc comment of a code is its manual page.

use super::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident $title:literal,)+) => {
        /// The kind of a mistake. Codes are stable: a code never gets another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $code,)+
        }

        impl Code {
            /// Every code, errors first.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The code as text: `E012`.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),+ }
            }

            /// The title of the code, a few words.
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
    /// The file is not valid YAML. Frequent causes: a bracket or a quote that is not closed, a tab in the
    /// indentation, or text that contains `: ` and is not in quotes.
    E001 "not YAML",
    /// The document is larger than a plan may be, is nested deeper, or its aliases stand for more values. The
    /// limits protect against files that are made to exhaust memory.
    E002 "document too large",
    /// The same key is written twice in one map. YAML readers differ in which of the two they use, so kplan refuses
    /// both.
    E003 "key written twice",
    /// The file uses a feature of YAML that plans do not have: several documents in one file, merge keys (`<<`),
    /// tags (`!x`), or a key that is not a plain word.
    E004 "YAML that plans do not use",
    /// The file cannot be read: it does not exist, is not readable or is not UTF-8.
    E005 "file cannot be read",
    /// The file does not name its language version, or names an unknown one. A plan begins with `plan: v1`, an
    /// included file with `fragment: v1`.
    E006 "language version",
    /// The key is not known at this place. The help text names the nearest known key, if there is one.
    E010 "unknown key",
    /// A required key is missing.
    E011 "missing key",
    /// The value does not have the type that the key takes: a list instead of a number, a word instead of a boolean
    /// (only `true` and `false` are booleans), a quoted number instead of a number.
    E012 "wrong type",
    /// The value is not in the form that the key takes. A duration is written `500ms`, `30s` or `1m30s`, a rate
    /// `200/s` or `max`, a size `512B` or `1KiB`, a percentage `10%`, a partition `orders/0`.
    E013 "value cannot be read",
    /// The word is not one of the words that the key takes.
    E014 "unknown value",
    /// The value is too small, too large or empty.
    E015 "value out of range",
    /// Two keys that exclude each other are both present, or the word needs one key of several and none is present.
    E016 "keys that exclude each other",
    /// The client would not start with this setting. kplan's clients use librdkafka, and librdkafka refused the
    /// setting: it has no setting of this name, does not take this value, or does not take it together with the
    /// client's other settings, some of which kplan sets. `config` takes librdkafka's names, which sometimes differ
    /// from the names in Kafka's Java clients. Before the run, kplan does not check settings of TLS and SASL in
    /// combination (each one alone is checked), settings that run programs, and values that are known only during
    /// the run.
    E017 "setting that the client refuses",
    /// A producer whose messages the plan writes (`value`, `value_base64`) must write `{{ message.id }}` into the
    /// value, the key or a header. By this text kplan finds each message again, in its topic and in what services make
    /// of it.
    E018 "message without identity",
    /// Kafka refuses this setting of the brokers or of the topic: the broker would not start, or the topic would not
    /// be made or changed. The version of the cluster has no such setting of topics, the value has another type or is
    /// out of range, or two values are refused together. kplan knows the settings of each version of Kafka. Where it
    /// does not know what runs (a vendor's version, an `image`, an external cluster), W014 warns instead.
    E019 "setting that Kafka refuses",
    /// The step's verb is unknown. The help text names the nearest verb, if there is one; `kplan words` lists all
    /// verbs.
    E020 "unknown step",
    /// The step has no verb. A step is a map with exactly one verb, or the bare word of a verb without arguments.
    E021 "step without a verb",
    /// The step has two verbs. A step has exactly one: write the second as a separate step, with its own dash.
    E022 "step with two verbs",
    /// The condition is unknown. The help text names the nearest condition, if there is one; `kplan words` lists
    /// all conditions.
    E023 "unknown condition",
    /// A condition that is judged needs a bound: a bare value, `is`, `at_most`, `at_least` or `between`. Without a
    /// bound it can only be recorded, with `record`.
    E024 "condition without a bound",
    /// `record` takes conditions without bounds: it writes values into the report and does not judge them, so a
    /// bound would have no effect. Use `assert` to judge the condition.
    E025 "bound in a record",
    /// The plan has more steps than a plan may have, or its steps are nested too deep.
    E026 "too many steps",
    /// The expression between `{{` and `}}` has a syntax error. Plans have expressions only, no statements between
    /// `{%` and `%}`: use `repeat` to repeat steps, and `{{ a if condition else b }}` to choose a value.
    E030 "template syntax",
    /// The expression uses a name that is not defined here. Defined are the plan's parameters, matrix values,
    /// `run.id`, `run.seed`, and captures of earlier steps.
    E031 "undefined name",
    /// The expression failed: its operands have types that do not fit, or it is too expensive. A list cannot be
    /// multiplied.
    E032 "template failed",
    /// The plan uses an environment variable that `--allow-env` does not name. A plan may come from the pull
    /// request of a stranger, so the command line names the variables that it may read.
    E033 "environment variable not allowed",
    /// The value must be known before the run starts, but it depends on the run or on a capture.
    E034 "value known too late",
    /// The expression makes a value from a secret that kplan could not hide in its output. Secrets are parameters
    /// with `secret: true` and environment variables. An expression may give the whole value, also through the
    /// filters `upper`, `lower`, `capitalize` and `trim`, and may test it (true or false). Write text around the
    /// secret outside the braces: `Bearer {{ env.TOKEN }}`. Pass a value that is not a secret with `--param`.
    E035 "part of a secret",
    /// The parameter's value is not one of the values in its `one_of`, or does not have the parameter's type (its
    /// `type`, or the type of its default).
    E040 "bad parameter value",
    /// The plan has no parameter of this name.
    E041 "unknown parameter",
    /// The matrix is empty, contains a duplicate, or makes more combinations than allowed.
    E042 "bad matrix",
    /// The topic does not exist at this step: an earlier step deletes it, or only a later step creates it.
    E050 "unknown topic",
    /// No step before this one starts a client of this name.
    E051 "unknown client",
    /// The cluster has no broker or controller of this number.
    E052 "unknown broker",
    /// No earlier step has this name.
    E053 "unknown step name",
    /// The topic has no partition of this number. Partitions are numbered from 0.
    E054 "unknown partition",
    /// The name is already used by another client, topic or capture of the plan, or is reserved.
    E055 "name taken",
    /// The step needs a cluster, and no cluster is running at this point of the plan.
    E056 "no cluster",
    /// No consumer of this plan is in this group.
    E057 "unknown group",
    /// The client has no member of this number.
    E058 "unknown member",
    /// A plan has one cluster at a time: stop the first cluster before the step that starts the second.
    E059 "cluster already running",
    /// The broker is already down or already paused, so the step cannot be applied to it.
    E060 "broker already down",
    /// The broker is not down, so it cannot be started.
    E061 "broker already up",
    /// The topic has more replicas than there are running brokers: Kafka refuses to create it.
    E062 "more replicas than brokers",
    /// The condition or step cannot succeed: earlier steps of the plan make it impossible.
    E063 "cannot come true",
    /// The step would fail: the client, and every other client that the step names, is in the wrong state for it
    /// (already stopped or killed, already running, or paused or not paused). `stop_client` of a paused client
    /// fails, whatever other clients it names.
    E064 "client in another state",
    /// The broker is not paused, so it cannot be resumed.
    E065 "broker not paused",
    /// The cluster's `security` has no user of this name.
    E066 "unknown user",
    /// The condition does not apply to this kind of client: acknowledgements are counted for producers, deliveries
    /// for consumers, processed messages for services and copiers.
    E067 "other kind of client",
    /// A step of `during` undoes or replaces the fault that contains it. A fault with `during` is undone
    /// automatically when its steps have ended: remove the step, or put it after the fault.
    E068 "fault undone by its own steps",
    /// The condition is judged for a whole client with all its members. Name the client, not a member.
    E069 "condition of one member",
    /// The chosen backend cannot do what the step needs, or cannot show what the condition asks for.
    E070 "not on this backend",
    /// The cluster's version of Kafka does not have this feature.
    E071 "not in this version",
    /// kplan runs commands of a plan only with `--allow-run`, because a plan may come from the pull request of a
    /// stranger.
    E072 "commands not allowed",
    /// The plan names a container image that the command line does not allow. Allow it with `--allow-image`.
    /// Kafka's usual images, and those of `--image` and `KPLAN_IMAGE`, are allowed.
    E073 "image not allowed",
    /// The cluster has more brokers than the command line allows with `--max-brokers`.
    E074 "more brokers than allowed",
    /// The plan sends an HTTP request to a host other than this machine. Allow the host with `--allow-http`.
    E075 "host not allowed",
    /// A client of another program cannot do this, or does not report what the condition needs. docs/clients.md lists
    /// what such clients can do.
    E076 "not with this client",
    /// The included file includes itself, is included too deep, or is not below the plan's directory.
    E080 "bad include",
    /// The plan compares a parameter with a value that the parameter can never have, so the comparison always has
    /// the same result.
    W001 "comparison that never holds",
    /// kplan does not know this version of Kafka. It treats it by the numbers in the version, or as the newest
    /// version if there are none.
    W002 "unknown version",
    /// The faults so far leave too few running controllers for decisions of the quorum, and the step or condition
    /// needs one.
    W003 "quorum lost",
    /// The plan asserts `lost: 0`, but a producer sends with `acks` below `all`: the loss of the leader alone can
    /// lose messages that it acknowledged. With `acks: 0` no message is acknowledged, and `lost` is inconclusive.
    W004 "lost asked for with weak acknowledgement",
    /// The plan asserts `lost: 0`, but allows or makes unclean elections. An unclean election can truncate the log,
    /// so `lost: 0` will probably not hold.
    W005 "lost asked for with unclean elections",
    /// `min.insync.replicas` is greater than the topic's number of replicas: no write with `acks: all` succeeds.
    W006 "min.insync.replicas above the replicas",
    /// `min.insync.replicas` has an effect only on writes with `acks: all`.
    W007 "min.insync.replicas without acks: all",
    /// A condition about the log is judged while a producer or copier still runs. It covers only messages that were
    /// acknowledged before the audit began. The same holds for a `lag` of 0 while a producer without end sends.
    W008 "log judged while producing",
    /// No producer runs during the fault, so the fault proves nothing about producers.
    W009 "fault without traffic",
    /// The waits and pauses take longer than the timeout of the step or of the plan.
    W010 "timeout too short",
    /// The plan uses a topic that it does not create.
    W012 "topic that the plan does not create",
    /// The cluster's version of Kafka has no such setting of brokers: a broker ignores it, so the plan does not test
    /// what it seems to test. Or kplan does not know what runs (a vendor's version, an `image`, an external cluster),
    /// and no version of Kafka that it knows has this setting, or takes this value. A client of kplan ignores a
    /// setting that is only for clients of the other kind: one of consumers in a producer, or the reverse. And
    /// brokers of a KRaft cluster ignore settings of ZooKeeper (`zookeeper.*`), those of a cluster with ZooKeeper
    /// settings of KRaft (`controller.quorum.*`, `broker.session.timeout.ms`).
    W014 "unknown setting",
    /// The target matches no node of this cluster: `controllers` where no controller has a process of its own, or
    /// `zookeeper` in a cluster without ZooKeeper. Or `partition_network` names every node together, so that it cuts
    /// nothing.
    W015 "target that matches nothing",
    /// The condition about this consumer will be inconclusive: the consumer was not stopped by `stop_client`, so
    /// its group has not caught up.
    W016 "consumer not stopped",
    /// The plan asks for recovery before any fault, or since a step that breaks nothing: the condition would be
    /// inconclusive. Or `heal_network` or `free_disk` follows no fault that it could undo.
    W018 "nothing to recover from",
    /// The condition is always true, or always false, whatever the cluster does: `lost: { at_least: 0 }`, `expr:
    /// true`, an expression of parameters alone, an empty `expect`. It judges nothing, and a plan without another
    /// judgement is inconclusive. kplan does not warn about an expression of parameters beside other conditions in
    /// `any`, `all` or `not`: it chooses which of them counts. The same code stands for a `when` that is written as true
    /// or false.
    W019 "condition with a constant result",
    /// The plan has no `assert` that counts: no `assert` at all, or only asserts that are `optional`, left out by
    /// `when: false`, or always true. If nothing fails, the plan ends inconclusive (exit status 1).
    W020 "plan that judges nothing",
    /// A fault with `for` is a step that lasts as long as the fault: the next step begins when the fault has been
    /// undone. This `wait` or `assert` follows such a fault, but looks as if it is meant to run during the fault:
    /// it expects the fault's effect, or a wait for the recovery follows it, or it only waits for the duration of
    /// the fault. Write steps that must run during the fault into its `during`. See docs/faults-and-time.md.
    W021 "step that runs after the fault it is meant for",
    /// A condition, the `since` of an `assert` or `record`, or the `from` or `to` of an `always` names a step that
    /// cannot serve as a start or end: it is a note, it is or may be left out, or nothing is sent after it. The
    /// condition will be inconclusive. A note may begin or end the time of an `assert` or an `always`.
    W022 "nothing to count from",
    /// `chaos` leaves out every fault that would break its `keep`. This `keep` rules out all of its faults, so
    /// nothing is broken and nothing is proven.
    W023 "chaos that can break nothing",
    /// Nothing in the plan uses this parameter or name of the matrix. Each combination of such a matrix runs the same
    /// steps.
    W024 "unused name",
    /// The plan has producers, but nothing in it sends to the topics that this consumer reads, so conditions about
    /// the consumer judge nothing. Or the consumer begins at the log's end (`from: latest`), and nothing is sent
    /// after it was started.
    W025 "consumer that gets nothing",
    /// Every message of this producer is larger than what is accepted: than `message.max.bytes` of the producer's
    /// library (1000000 if it is not set), or than `max.message.bytes` of the topic. None of them is sent, or none is
    /// acknowledged.
    W026 "messages that are too large",
    /// Two steps have the same name, and another step refers to it. It means the one that ran last. The rounds of a
    /// `repeat`, and steps that a `when` keeps apart, may share a name.
    W027 "name of two steps",
    /// The condition asks for an exact number of messages, but a producer has no `count`: how many messages it sends
    /// depends on the time of the run, so the condition holds only by chance.
    W028 "exact number by chance",
}

impl Code {
    /// Errors begin with E, warnings with W.
    pub const fn severity(self) -> Severity {
        if self.text().as_bytes()[0] == b'E' { Severity::Error } else { Severity::Warning }
    }

    /// Parses a code such as `E012`.
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
