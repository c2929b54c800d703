//! `degrade_network`

use std::time::Duration;

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Bandwidth, Clients, Percent, Target, duration_text};

args! {
    /// Makes the network of brokers or of a service slow or lossy until `heal_network`, or for a time.
    ///
    /// Latency, jitter and bandwidth apply to the packets that the broker or service sends, so a round trip becomes
    /// longer by the latency once. Loss applies to the packets that it sends and that it receives. Latency and jitter
    /// need netem in the kernel (`kplan doctor` shows whether it is available); without it the step is refused. kplan
    /// waits until the fault has a measurable effect: packets are lost, or a connection takes longer. If two steps
    /// degrade the network of the same broker or instance, the later one applies.
    #[example("degrade_network: { broker: 2, latency: 200ms, jitter: 50ms, for: 1m }")]
    #[example("degrade_network: { broker: all, loss: 10% }")]
    #[example("degrade_network: { service: invoicing, bandwidth: 64KiB/s }")]
    pub struct DegradeNetwork("degrade_network") {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Option<Spanned<Target>>,
        /// The service, or the instances, instead of brokers. They run as containers (`image`).
        #[weighs(Elements)]
        service: Option<Spanned<Clients>>,
        /// The delay of every packet that it sends.
        #[weighs(MoreIsStronger(Some(0.0)))]
        latency: Option<Spanned<Duration>>,
        /// By how much the latency varies.
        #[weighs(MoreIsStronger(Some(0.0)))]
        jitter: Option<Spanned<Duration>>,
        /// The share of packets that are lost.
        #[weighs(MoreIsStronger(Some(0.0)))]
        loss: Option<Spanned<Percent>>,
        /// The greatest bandwidth with which it sends.
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        bandwidth: Option<Spanned<Bandwidth>>,
        ..lasting: Lasting,
    }
}

impl StepWord for DegradeNetwork {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Lines,
        undo: Undo::After("heal the network"),
        in_chaos: true,
        lane: Some(LaneMark::Degraded),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let changes: Vec<String> = [
            self.latency.as_ref().map(|d| format!("{} of latency", duration_text(d.value))),
            self.jitter.as_ref().map(|d| format!("{} of jitter", duration_text(d.value))),
            self.loss.as_ref().map(|p| format!("{p} of loss")),
            self.bandwidth.as_ref().map(|b| format!("at most {b}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let changes = crate::words::list(&changes);
        let whose = match (&self.broker, &self.service) {
            (Some(broker), _) => broker.to_string(),
            (None, Some(service)) => service.value.to_string(),
            (None, None) => "nothing".to_owned(),
        };
        format!("Degrade the network of {whose}: {changes}")
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.broker.is_some() == self.service.is_some() {
            let message = "`degrade_network` takes one of `broker` and `service`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        let nothing = self.latency.is_none() && self.loss.is_none() && self.bandwidth.is_none();
        if let Some(jitter) = self.jitter.as_ref().filter(|_| self.latency.is_none()) {
            let message = "`jitter` needs `latency`";
            reader.push(Diagnostic::new(Code::E016, jitter.span, message));
        } else if nothing {
            let message = "`degrade_network` needs `latency`, `loss` or `bandwidth`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::NetworkDegradation)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        if let Some(broker) = &self.broker {
            ground.target(broker);
        }
        if let Some(service) = &self.service {
            ground.own_networks(service);
        }
    }
}
