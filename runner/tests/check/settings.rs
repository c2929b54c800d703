//! `check` and `run` report settings that librdkafka refuses before a run, with their place.

use super::{dir, ended};

const HEAD: &str = "plan: v1\nname: Settings\nsteps:\n  - start_cluster: { brokers: 3 }\n  \
                    - create_topic: { name: orders, partitions: 1 }\n  \
                    - create_topic: { name: copies, partitions: 1 }\n";
const TAIL: &str = "  - assert: [{ controller: any }]\n";

/// Each step that takes settings of a client, as it is written with this value of `config`.
fn steps(config: &str) -> [(&'static str, String); 4] {
    let step = |word: &str, rest: &str| format!("  - {word}: {{ {rest}, config: {config} }}\n");
    [
        ("start_producer", step("start_producer", "name: P, topic: orders")),
        ("start_consumer", step("start_consumer", "name: C, topics: [orders]")),
        ("start_copier", step("start_copier", "name: X, from: orders, to: copies")),
        ("produce", step("produce", "topic: orders, messages: [{ value: a }]")),
    ]
}

/// What `check` reports of a plan with these steps.
fn told(steps: &str) -> (i32, String) {
    let dir = dir(&[("p.yaml", &format!("{HEAD}{steps}{TAIL}"))]);
    let (status, out, err) = ended(dir.path(), &["check", "p.yaml"]);
    assert_eq!(err, "", "nothing but the diagnostics");
    (status, out)
}

#[test]
fn every_step_with_settings_and_every_way_to_refuse_one() {
    for (config, at, words) in [
        (
            "{ client.rack: a, socket.timeout.mss: 9000 }",
            "socket.timeout.mss",
            "did you mean `socket.timeout.ms`",
        ),
        ("{ nonsense.key: 5 }", "nonsense.key", "not those of Java"),
        ("{ buffer.memory: 5 }", "buffer.memory", "has `queue.buffering.max.kbytes`: in KiB"),
        ("{ key.serializer: x }", "key.serializer", "does not need"),
        ("{ sasl.login.retry.backoff.ms: 5 }", "sasl.login.retry", "librdkafka has none like it"),
        ("{ socket.timeout.ms: soon }", "soon", "socket.timeout.ms"),
        ("{ socket.timeout.ms: 1 }", "1 }", "socket.timeout.ms"),
        ("{ socket.keepalive.enable: maybe }", "maybe", "socket.keepalive.enable"),
        ("{ security.protocol: none }", "none", "security.protocol"),
    ] {
        for (word, step) in steps(config) {
            let (status, out) = told(&step);
            let column = step.rfind(at).expect("it stands there") + 1;
            assert_eq!(status, 2, "{word} {config}: {out}");
            assert!(out.contains("error[E017]") && out.contains(words), "{word}: {out}");
            assert!(out.contains(&format!("p.yaml:7:{column}\n")), "{word} at {column}: {out}");
            assert!(out.ends_with("checked 1 plan: 1 error\n"), "{word}: {out}");
        }
    }
}

#[test]
fn settings_that_are_refused_together_are_told_at_the_one_to_change() {
    let consumer = "  - start_consumer: { name: C, topics: [orders], config: { max.poll.interval.ms: 5000 } }\n";
    let (status, out) = told(consumer);
    assert_eq!(status, 2, "{out}");
    assert!(
        out.contains("p.yaml:7:60\n") && out.contains("`session.timeout.ms` is 10000 here"),
        "{out}"
    );
    let producer = "  - start_producer: { name: P, topic: orders, idempotent: true, config: { max.in.flight: 6 } }\n";
    let (status, out) = told(producer);
    assert_eq!(status, 2, "{out}");
    assert!(out.contains("error[E017]") && out.contains("p.yaml:7:75\n"), "{out}");
    // The same without idempotence is taken.
    assert_eq!(told(&producer.replace("idempotent: true, ", "")).0, 0);
    let groups =
        "  - start_consumer: { name: C, topics: [orders], config: { group.protocol: consumer } }\n";
    assert_eq!(told(groups).0, 2);
}

#[test]
fn all_mistakes_are_told_in_one_go_and_once_for_all_cells() {
    let steps = "  - start_producer: { name: P, topic: orders, idempotent: true, \
                 config: { no.such: 1, linger.ms: x, max.in.flight: 6 } }\n  \
                 - kill_client: Q\n";
    let text =
        format!("{HEAD}{steps}{TAIL}").replace("steps:\n", "matrix: { m: [1, 2] }\nsteps:\n");
    let dir = dir(&[("p.yaml", &text)]);
    let (status, out, _) = ended(dir.path(), &["check", "p.yaml"]);
    assert_eq!((status, out.matches("error[E017]").count()), (2, 3), "{out}");
    assert!(out.contains("error[E051]") && out.ends_with("4 errors\n"), "{out}");
}

#[test]
fn what_runs_or_is_known_only_later_is_not_asked_before() {
    let library = "{ plugin.library.paths: /nowhere/at/all.so }";
    for (word, step) in steps(library) {
        let (status, out) = told(&step);
        assert_eq!(status, 2, "{word}");
        assert!(out.contains("E072") && !out.contains("E017"), "{word}: {out}");
    }
    for (word, step) in steps("{ client.rack: \"{{ run.id }}\", no.such: 1 }") {
        assert_eq!(told(&step).0, 0, "{word}: its arguments are known when it runs");
    }
    for (word, step) in steps("{ no.such: 1 }") {
        let expected = format!("{step}    expect_error: {{ matches: no.such }}\n");
        assert_eq!(told(&expected).0, 0, "{word}: the plan wants to see it fail");
        assert_eq!(told(&format!("{step}    when: false\n")).0, 0, "{word} does not run");
    }
}

#[test]
fn what_a_run_would_refuse_starts_nothing() {
    let (_, step) = &steps("{ no.such: 1 }")[0];
    let dir = dir(&[("p.yaml", &format!("{HEAD}{step}{TAIL}"))]);
    let (status, _, err) = ended(dir.path(), &["run", "p.yaml", "--backend", "embedded"]);
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("E017") && err.contains("p.yaml:7:"), "{err}");
    assert!(!dir.path().join(".kplan").exists(), "no run was begun");
}

#[test]
fn settings_of_a_backend_file_are_asked_too() {
    let plan = format!("{HEAD}{TAIL}");
    let file = "backend: v1\nbootstrap: [127.0.0.1:1]\nclient:\n  socket.timeout.mss: 5\n  \
                socket.timeout.ms: soon\n";
    let both = [("p.yaml", plan.as_str()), ("b.yaml", file)];
    let files = dir(&both);
    let (status, out, _) =
        ended(files.path(), &["check", "p.yaml", "--backend", "external=b.yaml"]);
    assert_eq!((status, out.matches("error[E017]").count()), (2, 2), "{out}");
    assert!(out.contains("b.yaml:4:3") && out.contains("b.yaml:5:22"), "{out}");
    // A plan's setting is tried together with the file's.
    let step =
        "  - start_consumer: { name: C, topics: [orders], config: { session.timeout.ms: 9000 } }\n";
    let plan = format!("{HEAD}{step}{TAIL}");
    let file = "backend: v1\nbootstrap: [127.0.0.1:1]\nclient:\n  max.poll.interval.ms: 8000\n  \
                session.timeout.ms: 7000\n";
    let files = dir(&[("p.yaml", plan.as_str()), ("b.yaml", file)]);
    let (status, out, _) =
        ended(files.path(), &["check", "p.yaml", "--backend", "external=b.yaml"]);
    assert_eq!((status, out.matches("error[E017]").count()), (2, 1), "{out}");
    assert!(out.contains("p.yaml:7:60"), "{out}");
    // And where the plan says nothing: the file's do not fit every client.
    let step = "  - start_producer: { name: P, topic: orders, idempotent: true }\n";
    let plan = format!("{HEAD}{step}{TAIL}");
    let file = "backend: v1\nbootstrap: [127.0.0.1:1]\nclient: { max.in.flight: 9 }\n";
    let files = dir(&[("p.yaml", plan.as_str()), ("b.yaml", file)]);
    let (status, out, _) =
        ended(files.path(), &["check", "p.yaml", "--backend", "external=b.yaml"]);
    assert_eq!((status, out.matches("error[E017]").count()), (2, 1), "{out}");
    assert!(out.contains("p.yaml:7:5") && out.contains("backend file's settings"), "{out}");
}

#[test]
fn settings_of_brokers_and_topics_that_kafka_refuses_or_ignores() {
    let refused = [
        ("create_topic: { name: t, config: { retention.mss: 1 } }", "did you mean `retention.ms`"),
        ("create_topic: { name: t, config: { min.insync.replicas: two } }", "a whole number"),
        ("alter_topic: { name: orders, config: { cleanup.policy: compacted } }", "`compact`?"),
    ];
    for (step, words) in refused {
        let (status, out) = told(&format!("  - {step}\n"));
        assert_eq!(status, 2, "{step}: {out}");
        assert!(out.contains("error[E019]") && out.contains(words), "{step}: {out}");
        assert!(out.contains("p.yaml:7:"), "{step}: {out}");
    }
    let cluster = "  - stop_cluster\n  - start_cluster: { config: { unclean.leader.election.enabled: true } }\n";
    let (status, out) = told(cluster);
    assert_eq!(status, 0, "a warning: {out}");
    assert!(out.contains("W014") && out.contains("`unclean.leader.election.enable`?"), "{out}");
}

#[test]
fn settings_of_the_other_kind_of_client_are_ignored() {
    let producer = "start_producer: { name: P, topic: orders, config: { fetch.min.bytes: 5 } }";
    let consumer = "start_consumer: { name: C, topics: [orders], config: { linger.ms: 5 } }";
    for (step, who) in [(producer, "a producer ignores it"), (consumer, "a consumer ignores it")] {
        let (status, out) = told(&format!("  - {step}\n"));
        assert_eq!(status, 0, "{step}: {out}");
        assert!(out.contains("warning[W014]") && out.contains(who), "{step}: {out}");
        let allowed = told(&format!("  # kplan: allow W014\n  - {step}\n"));
        assert_eq!(allowed.1.matches("W014").count(), 0, "{allowed:?}");
    }
    // A copier is both.
    let copier = "start_copier: { name: X, from: orders, to: copies, config: { fetch.min.bytes: 5, linger.ms: 5 } }";
    assert_eq!(told(&format!("  - {copier}\n")).1.matches("W014").count(), 0);
}
