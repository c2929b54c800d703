//! Settings of brokers and topics: what is right and must not be reported, in every version.

use std::path::Path;

use kplan_dsl::{Abilities, Catalogue, Code, Options, SettingOf, check_text};

/// The codes that a check of these steps reports.
fn told(steps: &str) -> Vec<Code> {
    let text =
        format!("plan: v1\nname: Settings\nsteps:\n{steps}  - assert: [{{ controller: any }}]\n");
    let checked = check_text(Path::new("p.yaml"), &text, &Options::default());
    checked.diagnostics.iter().map(|d| d.code).collect()
}

fn cluster(version: &str, rest: &str) -> String {
    let mode = if version.starts_with(['0', '1', '2']) { ", mode: zookeeper" } else { "" };
    format!("  - start_cluster: {{ version: {version}{mode}{rest} }}\n")
}

#[test]
fn each_default_of_each_version_is_taken() {
    let catalogue = Catalogue::of_kafka();
    let mut tried = 0;
    for version in ["0.10.1.1", "1.1.1", "2.8.2", "3.9.1", "4.1.1", "4.4.0"] {
        let at = catalogue.version_of(version).expect("a known version");
        for (of, step) in [(SettingOf::Broker, "cluster"), (SettingOf::Topic, "topic")] {
            let presets = at.names(of).filter_map(|name| {
                let preset = at.get(of, name)?.default.clone()?;
                let text = serde_json::Value::String(preset);
                Some(format!("{name}: {text}"))
            });
            // kplan sets these itself.
            let own =
                ["listen", "broker.id", "node.id", "log.dir", "port", "host", "process", "quorum"];
            // Whether brokers use these depends on the mode.
            let by_mode =
                ["zookeeper.", "metadata.", "broker.heartbeat", "broker.session", "initial.b"];
            let left_out = own.iter().chain(&by_mode);
            let all: Vec<String> =
                presets.filter(|pair| !left_out.clone().any(|own| pair.contains(own))).collect();
            assert!(all.len() > 15, "{version} {all:?}");
            tried += all.len();
            let config = format!("config: {{ {} }}", all.join(", "));
            let steps = match step {
                "cluster" => cluster(version, &format!(", {config}")),
                _ => cluster(version, "") + &format!("  - create_topic: {{ name: t, {config} }}\n"),
            };
            let owned = told(&steps).iter().filter(|code| **code != Code::E016).count();
            assert_eq!(owned, 0, "{version} {step}: {:?}", told(&steps));
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn what_brokers_hand_on_is_theirs() {
    let config = "config: { listener.name.external.ssl.client.auth: none, authorizer.class.name: x.Y, \
                  super.users: \"User:kplan\", allow.everyone.if.no.acl.found: true, rsm.config.dir: /x, \
                  replica.fetch.min.bytes: 5 }";
    assert_eq!(told(&cluster("4.1.1", &format!(", {config}"))), []);
}

#[test]
fn a_warning_of_a_setting_can_be_allowed() {
    let config = ", config: { my.reporter.host: here }";
    let step = cluster("4.1.1", config);
    assert_eq!(told(&step), [Code::W014]);
    assert_eq!(told(&format!("  # kplan: allow W014\n{step}")), []);
}

#[test]
fn an_acknowledgement_of_another_topic_does_not_weaken_this_one() {
    let steps = |count: &str| {
        format!(
            "{}  - create_topic: orders\n  - create_topic: other\n  \
             - start_producer: {{ name: P, topic: orders }}\n  \
             - start_producer: {{ name: Q, topic: other, acks: 1 }}\n  \
             - kill_broker: {{ broker: 1, for: 5s }}\n  - stop_client: [P, Q]\n  \
             - assert: [{{ lost: {count} }}]\n",
            cluster("4.1.1", "")
        )
    };
    assert_eq!(told(&steps("0")), [Code::W004]);
    for weak in ["topic: other", "client: Q", "partition: other/0"] {
        assert_eq!(told(&steps(&format!("{{ is: 0, {weak} }}"))), [Code::W004], "{weak}");
    }
    for strong in ["topic: orders", "client: P", "partition: orders/0"] {
        assert_eq!(told(&steps(&format!("{{ is: 0, {strong} }}"))), [], "{strong}");
    }
}

#[test]
fn another_image_may_know_more() {
    let told = |image: &str, own: &str| {
        let text = format!(
            "plan: v1\nname: Settings\nsteps:\n  - start_cluster: {{ brokers: 3{own} }}\n  \
             - create_topic: {{ name: t, config: {{ vendors.own: 1 }} }}\n  - assert: [{{ controller: any }}]\n"
        );
        let image = (!image.is_empty()).then(|| image.to_owned());
        let backend = Abilities { image, ..Abilities::default() };
        let options = Options { backend, ..Options::default() };
        let checked = check_text(Path::new("p.yaml"), &text, &options);
        checked.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    for (image, own) in [
        ("", ""),
        ("kplan/kafka:{version}", ""),
        ("", ", image: \"apache/kafka:{version}\""),
        ("vendor/kafka:1", ", image: \"kplan/kafka:4.1.1\""),
    ] {
        assert_eq!(told(image, own), [Code::E019], "{image} {own}");
    }
    for (image, own) in [("vendor/kafka:1", ""), ("", ", image: \"vendor/kafka:1\"")] {
        assert_eq!(told(image, own), [Code::W014], "{image} {own}");
    }
}
