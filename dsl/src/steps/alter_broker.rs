//! `alter_broker`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, StepFacts, Undo};
use crate::ground::{Ground, StepAt, UNCLEAN};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Settings, Target};

args! {
    /// Changes settings of running brokers, until another step changes them or for a time.
    ///
    /// The step ends when each living broker that is meant reports the new values as its own. The value `default`
    /// removes what an earlier step set: the value of the broker's configuration holds again. With `broker: all` a
    /// setting that Kafka knows as cluster-wide is set once, as the default of the cluster, which also holds for
    /// brokers that are down now and for controllers; other settings are set at each broker that answers. A restart
    /// of a broker keeps the values. When the time of `for` has passed, each setting has the value again that it had
    /// before, unless another step has changed it meanwhile.
    ///
    /// In a plan with this step kplan starts brokers with a small buffer of the log cleaner
    /// (`log.cleaner.dedupe.buffer.size`): some settings, such as `message.max.bytes`, make a broker start its cleaner
    /// again, and in the small heap of a test the buffer does not fit twice.
    ///
    /// Needs Kafka 2.3 or newer. Settings that brokers read only when they start are refused: they belong into the
    /// `config` of `start_cluster`. Settings of topics (`retention.ms`) are changed by `alter_topic`. A cluster that
    /// existed before the plan gets its values back at the end of the plan.
    #[example("alter_broker: { broker: all, config: { message.max.bytes: 2000 }, for: 30s }")]
    #[example("alter_broker: { broker: 2, config: { num.io.threads: 4, log.cleaner.threads: 2 } }")]
    #[example("alter_broker: { broker: all, config: { min.insync.replicas: default } }")]
    pub struct AlterBroker("alter_broker") {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// Settings to change, each with its new value or `default`.
        config: Settings,
        ..lasting: Lasting,
    }
}

impl StepWord for AlterBroker {
    const FACTS: StepFacts = StepFacts {
        undo: Undo::After("set what was set before"),
        blurs: Blurs::Nothing,
        ..StepFacts::of(Kind::Setting)
    };

    fn explain(&self) -> String {
        let changes = crate::words::list(&self.config.shown());
        format!("Change the settings of {} to {changes}", self.broker)
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.config.is_empty() {
            let message = "`alter_broker` changes nothing";
            reader.push(Diagnostic::new(Code::E016, span, message).help("add `config`"));
        }
        self.config.check_broker(reader);
        only_brokers(&self.broker, reader);
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::DynamicSettings)]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.needs_kafka(at.key, "change settings of running brokers", "2.3");
        let hit = ground.target(&self.broker);
        let named = !matches!(self.broker.value, Target::All | Target::Not(_));
        for (broker, span) in hit.certain.into_iter().filter(|_| named) {
            ground.must_be_up(broker, "be given other settings", span);
        }
        ground.dynamic_settings(&self.config);
        if let Some(cluster) = &mut ground.state.cluster {
            cluster.unclean |= self.config.get(UNCLEAN) == Some("true");
        }
    }
}

/// Reports nodes that are no brokers.
fn only_brokers(target: &Spanned<Target>, reader: &mut Reader) {
    match &target.value {
        Target::Several(all) => all.iter().for_each(|one| only_brokers(one, reader)),
        Target::AnyOf(inner) => only_brokers(inner, reader),
        Target::Controllers | Target::Zookeeper | Target::Dedicated(_) => refuse(target, reader),
        _ => {}
    }
}

fn refuse(target: &Spanned<Target>, reader: &mut Reader) {
    let message = format!("`alter_broker` changes settings of brokers only, not of {target}");
    let help = "with `broker: all`, cluster-wide settings hold for controllers too";
    reader.push(Diagnostic::new(Code::E016, target.span, message).help(help));
}
