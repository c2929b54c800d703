//! `partition_network`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneChange, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{NetworkClients, Target};
use crate::words;

args! {
    /// Drops packets between brokers until `heal_network`, or for a time.
    ///
    /// With `groups`, the brokers that no group names are one group of their own; controllers and
    /// ZooKeeper that no group names are on nobody's side and stay in touch with all. With `isolate`,
    /// those named reach no other node, controllers and ZooKeeper included. With `from` and `to`, the
    /// packets of one side do not reach the other: what the other side asks still arrives, the answer
    /// never does, so no new connection opens in either direction.
    ///
    /// kplan tries every line that it cut: a cut that does not bite is an error of the step. Cuts of
    /// several steps add up, and outlive a broker's restart. With `clients: cut` kplan itself is cut
    /// off too: it knows such a broker only through what the others say of it, and `brokers_alive`
    /// does not count it.
    #[example("partition_network: { groups: [[1], [2, 3]] }")]
    #[example("partition_network: { isolate: { leader_of: orders/0 }, for: 30s }")]
    #[example("partition_network: { from: 1, to: [2, 3] }")]
    pub struct PartitionNetwork("partition_network") {
        /// Groups of brokers that do not reach each other.
        groups: Option<Spanned<Vec<Vec<Spanned<u32>>>>>,
        /// These against all others.
        #[weighs(Elements)]
        isolate: Option<Spanned<Target>>,
        /// One way: what these send ...
        from: Option<Spanned<Target>>,
        /// ... does not reach these.
        to: Option<Spanned<Target>>,
        /// Whether clients reach everybody (`stay`), or are cut off from the brokers named (`cut`).
        clients: NetworkClients = "stay",
        ..lasting: Lasting,
    }
}

impl StepWord for PartitionNetwork {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Routes,
        undo: Undo::After("mend the network again"),
        in_chaos: true,
        lane: Some(LaneMark::Isolated),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let what = match (&self.groups, &self.isolate, &self.from, &self.to) {
            (Some(groups), ..) => {
                let groups: Vec<String> = groups.iter().map(|g| words::list(g)).collect();
                format!("Part the network between brokers {}", groups.join(" | "))
            }
            (None, Some(target), ..) => format!("Isolate {target}"),
            (None, None, Some(from), Some(to)) => format!("Cut what {from} sends to {to}"),
            _ => "Part the network".to_owned(),
        };
        let clients = match self.clients {
            NetworkClients::Stay => "",
            NetworkClients::Cut => ", from clients too",
        };
        format!("{what}{clients}")
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let cut_off = |target| LaneChange::Nodes(target, LaneMark::Isolated);
        let Some(groups) = &self.groups else {
            let target = self.isolate.as_ref().or(self.from.as_ref());
            return target.map(|t| cut_off(t.value.clone())).into_iter().collect();
        };
        // All groups but the largest are shown as cut off.
        let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
        let spared = groups.iter().position(|g| g.len() == largest).filter(|_| groups.len() > 1);
        let others = groups.iter().enumerate().filter(|(index, _)| Some(*index) != spared);
        let brokers = others.flat_map(|(_, group)| group);
        brokers.map(|broker| cut_off(Target::Broker(broker.value))).collect()
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        let one_way = self.from.is_some() || self.to.is_some();
        let forms = [self.groups.is_some(), self.isolate.is_some(), one_way];
        if forms.into_iter().filter(|f| *f).count() != 1 {
            let message =
                "`partition_network` takes one of `groups`, `isolate`, or `from` and `to`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        } else if one_way && (self.from.is_none() || self.to.is_none()) {
            let missing = if self.from.is_none() { "from" } else { "to" };
            let message = format!("`{missing}` is missing: `from` and `to` need each other");
            reader.push(Diagnostic::new(Code::E011, span, message));
        }
        let groups = self.groups.iter().flat_map(|groups| groups.iter());
        let mut seen: Vec<&Spanned<u32>> = Vec::new();
        for broker in groups.flatten() {
            if seen.contains(&broker) {
                let message = format!("broker {broker} is in two groups");
                reader.push(Diagnostic::new(Code::E016, broker.span, message));
            }
            seen.push(broker);
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::NetworkPartition)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        for broker in self.groups.iter().flat_map(|g| g.iter()).flatten() {
            ground.broker_number(broker.value, broker.span);
        }
        for target in self.isolate.iter().chain(&self.from).chain(&self.to) {
            ground.target(target);
        }
        // Who counts as alive depends on whom the controller hears.
        ground.maybe_all();
    }
}
