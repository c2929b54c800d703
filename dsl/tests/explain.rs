//! Plans told in plain words.

use std::path::{Path, PathBuf};

use kplan_dsl::{ExplainFormat, Options, Plan, check_file, check_text, explain, render};

const PLANS: [&str; 6] =
    ["broker-restart", "client-restart", "listeners", "outage", "quickstart", "single-replica"];

fn suites(name: &str) -> Vec<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("plans").join(name).with_extension("yaml");
    let mut checked = check_file(&path, &Options::default());
    assert_eq!(render(&checked.diagnostics, &checked.sources, false), "", "{name}");
    for suite in &mut checked.suites {
        suite.path = PathBuf::from(format!("plans/{name}.yaml"));
    }
    checked.suites
}

fn of_text(text: &str) -> Vec<Plan> {
    let options = Options { allow_run: true, ..Options::default() };
    let checked = check_text(Path::new("plan.yaml"), text, &options);
    assert_eq!(render(&checked.diagnostics, &checked.sources, false), "", "{text}");
    checked.suites
}

#[test]
fn every_plan_reads_like_the_minutes_of_a_drill() {
    for name in PLANS {
        let suites = suites(name);
        insta::assert_snapshot!(format!("{name}-text"), explain(&suites, ExplainFormat::Text));
        let markdown = explain(&suites, ExplainFormat::Markdown);
        insta::assert_snapshot!(format!("{name}-markdown"), markdown);
        insta::assert_snapshot!(
            format!("{name}-mermaid"),
            explain(&suites, ExplainFormat::Mermaid)
        );
    }
}

/// A step of every shape that the plans do not have.
const EVERYTHING: &str = r#"
plan: v1
name: "Everything | at <once>"
params:
  password: { default: hunter22, secret: true, description: of alice }
  seconds: 10s
steps:
  - start_cluster:
      brokers: 4
      controllers: 1
      jvm: ["-Xmx1g"]
      security: { users: { alice: "{{ password }}" } }
  - create_topic: orders
  - start_producer: { name: P, topic: orders, rate: max, count: 5000, keys: 10, compression: lz4, transactional: { messages: 10, abort: 10% }, user: alice }
  - start_consumer: { name: C, topics: [orders], members: 2, commit: sync, from: latest, user: alice }
  - note: "the password is {{ password }}"
  - kill_broker: { broker: { leader_of: orders/0 }, for: "{{ seconds }}" }
  - pause_broker: 2
  - resume_broker: 2
  - partition_network: { isolate: 1, for: 20s }
  - partition_network: { groups: [[1], [2, 3, 4]] }
  - heal_network
  - degrade_network: { broker: 3, latency: 200ms }
  - heal_network
  - restart_broker: { broker: all, rolling: true, wait: [{ brokers_alive: 4 }] }
  - name: the failing one
    create_topic: { name: huge, partitions: 3, replicas: 9 }
    expect_error: INVALID_REPLICATION_FACTOR
    timeout: 20s
  - parallel:
      left: [{ wait: 5s }, { pause_client: C/2 }]
      right: [{ kill_broker: [3, 4] }]
  - start_broker: [3, 4]
  - resume_client: C/2
  - repeat:
      for_each: [1, 2]
      as: n
      steps:
        - restart_broker: { broker: "{{ n }}", how: kill, down_for: 5s }
  - chaos: { for: 2m, every: 20s, faults: [{ kill_broker: random, for: 10s }], keep: [{ brokers_alive: { at_least: 2 } }] }
  - record: [acked]
    capture: seen
  - kill_broker: "{{ seen.acked }}"
    optional: true
  - wait:
      - any: [{ controller: any }, { not: { lost: 0 } }]
  - run: { command: [kcat, -L] }
    optional: true
  - stop_client: [P, C]
  - assert:
      that: [{ latency: { client: P, p99: { at_most: 200ms } } }, { recovered: { client: C, at_most: 90s } }]
      for: 10s
  - assert: [{ acked: { at_least: 1 } }]
always:
  - that: [{ lost: { at_most: 5 } }]
    to: the failing one
finally:
  - heal_network
"#;

#[test]
fn steps_of_every_shape_are_told() {
    let suites = of_text(EVERYTHING);
    insta::assert_snapshot!(explain(&suites, ExplainFormat::Text));
    insta::assert_snapshot!(explain(&suites, ExplainFormat::Markdown));
    insta::assert_snapshot!(explain(&suites, ExplainFormat::Mermaid));
}

#[test]
fn secrets_are_never_told() {
    let suites = of_text(EVERYTHING);
    for format in [ExplainFormat::Text, ExplainFormat::Markdown, ExplainFormat::Mermaid] {
        let told = explain(&suites, format);
        assert!(!told.contains("hunter22"), "{format:?}");
    }
    assert!(explain(&suites, ExplainFormat::Text).contains("the password is ***"));
}

#[test]
fn a_long_plan_is_cut_and_says_so() {
    let text = format!(
        "plan: v1\nname: x\nsteps:\n  - start_cluster\n{}  - assert: [{{ brokers_alive: 3 }}]\n",
        "  - note: x\n".repeat(1_999)
    );
    let told = explain(&of_text(&text), ExplainFormat::Text);
    assert!(told.contains("and 1501 more steps") && told.contains("the first 120 steps"), "{told}");
    assert_eq!(explain(&[], ExplainFormat::Text), "");
}
