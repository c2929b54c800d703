//! The names of a plan that are offered where a value is one.

use std::collections::BTreeSet;

use super::completion::{Candidate, CandidateKind};
use super::file::EditorFile;
use super::lenient::MARK;
use super::names::{NameKind, NameUse};
use super::spots::{PlanSpot, SpotPart, Spots};
use crate::document::Node;
use crate::steps::StartCluster;
use crate::value::{BUILT_IN, FIRST_BROKER, broker_numbers, controller_numbers, is_controller};

/// The names of a plan that a value may be.
pub(super) fn names(files: &[&EditorFile], what: &str, spots: &Spots<'_>) -> Vec<Candidate> {
    let made = |kind: NameKind| {
        let all = files.iter().flat_map(|file| file.names());
        all.filter(move |name| name.kind == kind && name.defines && !name.name.contains(MARK))
    };
    let plain = |kind: NameKind| made(kind).map(|n| candidate(kind, n.name.clone())).collect();
    let numbered = |kind: NameKind, from: u32| {
        let each = |name: &NameUse| -> Vec<Candidate> {
            let last = name.extent.unwrap_or(0).min(MOST_NUMBERS);
            let numbers = from..last + from;
            numbers.map(|n| candidate(kind, format!("{}/{n}", name.name))).collect()
        };
        made(kind).flat_map(each).collect::<Vec<_>>()
    };
    match what {
        "topic" => plain(NameKind::Topic),
        "client" => plain(NameKind::Client),
        "group" => plain(NameKind::Group),
        "step" => plain(NameKind::Step),
        "user" => plain(NameKind::User),
        "broker" => brokers(spots),
        "partition" => numbered(NameKind::Topic, 0),
        "member" => {
            let members = numbered(NameKind::Client, 1);
            plain(NameKind::Client).into_iter().chain(members).collect()
        }
        "program" => {
            let own = std::iter::once(candidate(NameKind::Program, BUILT_IN.to_owned()));
            plain(NameKind::Program).into_iter().chain(own).collect()
        }
        _ => Vec::new(),
    }
}

/// The most partitions or members of one name that are offered.
const MOST_NUMBERS: u32 = 64;

fn candidate(kind: NameKind, label: String) -> Candidate {
    Candidate {
        insert: label.clone(),
        label,
        kind: CandidateKind::Name(kind),
        detail: kind.word().to_owned(),
        doc: String::new(),
    }
}

/// The numbers of the brokers and dedicated controllers that the plan's clusters have.
pub(super) fn brokers(spots: &Spots<'_>) -> Vec<Candidate> {
    let mut numbers = BTreeSet::new();
    for (count, arguments) in spots.iter().filter_map(cluster) {
        let preset = (StartCluster::INFO.fields)().into_iter().find(|f| f.key == "brokers");
        let preset = preset.and_then(|field| field.default?.parse().ok());
        let count: u32 = count.or(preset).unwrap_or(0);
        let first = cluster_number(arguments, "first_broker").unwrap_or(FIRST_BROKER);
        numbers.extend(broker_numbers(first, count.min(MOST_NUMBERS)));
        let controllers = cluster_number(arguments, "controllers").unwrap_or(0);
        numbers.extend(controller_numbers(controllers.min(MOST_NUMBERS)));
    }
    let one = |number: u32| Candidate {
        label: number.to_string(),
        insert: number.to_string(),
        kind: CandidateKind::Value,
        detail: if is_controller(number) { "controller" } else { "broker" }.to_owned(),
        doc: String::new(),
    };
    numbers.into_iter().map(one).collect()
}

/// The number of brokers that a step starts, if it is written, and the step's arguments.
fn cluster<'d>(spot: &PlanSpot<'d>) -> Option<(Option<u32>, &'d Node)> {
    match spot.part {
        SpotPart::Key(key, value) if key == StartCluster::INFO.word => {
            Some((cluster_number(value, "brokers"), value))
        }
        _ => None,
    }
}

fn cluster_number(arguments: &Node, key: &str) -> Option<u32> {
    arguments.get(key)?.scalar()?.text.parse().ok()
}
