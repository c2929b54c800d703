//! `start_service`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, LaneChange, LaneOf, StepFacts};
use crate::ground::{ClientKind, Ever, Ground, KnownClient, Liveness, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{
    Acks, ClientName, GroupName, ServiceSlot, ServiceText, ServiceTexts, TopicName,
};
use crate::words::{self, Sentence};

mod ready;

pub use ready::{ReadyHttp, ServiceReady};

args! {
    /// Starts a service: a program of your own, as a container or as a process of this machine.
    ///
    /// With `image` each instance is a container in the cluster's network, reached there under the service's name.
    /// kplan never pulls an image, and `--allow-image` must allow it. Without `image` each instance is a process of
    /// the machine that kplan runs on, which needs `--allow-run`; it starts in the directory in which kplan was
    /// started. Its environment contains `KPLAN_RUN`, the run's id, and `KPLAN_INSTANCE`, such as `invoicing/2`.
    ///
    /// In `command` and `env`, `{{ cluster.bootstrap }}` stands for the addresses of the brokers as the service
    /// reaches them, `{{ cluster.user.NAME.password }}` for the password of one of the cluster's `security` users,
    /// and `{{ cluster.ca_file }}` for the file with the certificate that an encrypted cluster's clients trust.
    ///
    /// The step waits until every instance is ready. All steps about clients work on services, too: an instance is
    /// a member, such as `invoicing/2`. `kill_client` sends SIGKILL to the instance and to all processes that it
    /// started, `stop_client` sends SIGTERM and waits for its end. What an instance writes to standard output and
    /// standard error is its log, of which kplan keeps the first 64 MiB of each life. An instance that ends without
    /// a step that ends it makes the plan fail, with its exit status or signal and its last lines.
    #[example("start_service: { name: invoicing, command: [python3, invoicing.py, \"{{ cluster.bootstrap }}\"] }")]
    #[example("start_service: { name: invoicing, image: acme/invoicing:1.4, instances: 2, ready: { log: subscribed } }")]
    pub struct StartService("start_service") {
        /// The client's name in the plan; its instances are `NAME/1`, `NAME/2` and so on.
        name: Spanned<ClientName>,
        /// The container image.
        image: Option<Spanned<String>>,
        /// The program and its arguments, without a shell. With `image` they replace what the image would start.
        command: Option<Spanned<Vec<ServiceText>>>,
        /// Additional environment variables.
        env: ServiceTexts,
        /// The number of instances.
        instances: Spanned<u32> = "1",
        /// The topic that it reads. With `from` and `to`, its traffic can be judged as a client's.
        from: Option<Spanned<TopicName>>,
        /// The topic that it writes.
        to: Option<Spanned<TopicName>>,
        /// How many messages of `to` it makes of each message of `from`; see `unprocessed` and `overprocessed`.
        outputs: Spanned<u32> = "1",
        /// The consumer group in which it reads.
        group: Option<Spanned<GroupName>>,
        /// When an instance is ready; if it is not set, when it was started and has not ended at once.
        ready: Option<Spanned<ServiceReady>>,
        /// With `image`, ports of the container that kplan publishes on 127.0.0.1, for `http`.
        ports: Option<Spanned<Vec<Spanned<u32>>>>,
    }
}

/// The greatest number of instances in a plan.
const MOST_INSTANCES: u32 = 50;
const MOST_PORT: u32 = 65_535;

impl StartService {
    /// Every text that is filled with values of the cluster.
    fn texts(&self) -> impl Iterator<Item = (Span, &ServiceText)> {
        let command = self.command.iter().flat_map(|c| c.value.iter().map(|text| (c.span, text)));
        command.chain(self.env.0.iter().map(|(key, text)| (key.span, text)))
    }

    /// Ports of its containers that are published: those of `ports` and the one of `ready`.
    pub fn published(&self) -> Vec<u32> {
        let ready = self.ready.as_ref().and_then(|ready| ready.http.as_ref()).map(|h| h.port.value);
        let listed = self.ports.iter().flat_map(|ports| ports.value.iter().map(|port| port.value));
        let mut all: Vec<u32> = listed.chain(ready).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn what(&self) -> String {
        match &self.image {
            Some(image) => format!("image {image}"),
            None => {
                let words = self.command.iter().flat_map(|command| command.value.iter());
                words.map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn check_origin(&self, span: Span, reader: &mut Reader) {
        match (&self.image, &self.command) {
            (None, None) => {
                let message = "a service needs `image` or `command`";
                let help =
                    "write the container image, or the program of this machine with its arguments";
                reader.push(Diagnostic::new(Code::E016, span, message).help(help));
            }
            (Some(image), _) if !reader.scope.limits().allows_image(image) => {
                let message = format!("the image `{image}` is not allowed");
                let help = format!("allow it with --allow-image '{image}', if you trust the plan");
                reader.push(Diagnostic::new(Code::E073, image.span, message).help(help));
            }
            (None, Some(command)) => {
                reader.needs_allow_run("a `command` of this machine", command.span);
            }
            _ => {}
        }
        if let Some(command) = self.command.as_ref().filter(|command| command.value.is_empty()) {
            let message = "the command is empty";
            reader.push(Diagnostic::new(Code::E015, command.span, message));
        }
        for (key, _) in &self.env.0 {
            if key.is_empty() || key.contains(['=', '\0']) || key.starts_with("KPLAN_") {
                let message = format!("`{key}` cannot be set as an environment variable here");
                let help = "a name is not empty, has no `=`, and does not begin with `KPLAN_`";
                reader.push(Diagnostic::new(Code::E013, key.span, message).help(help));
            }
        }
    }

    fn check_work(&self, reader: &mut Reader) {
        if self.outputs.value == 0 {
            let message = "a service that makes no messages has no `outputs`";
            let help = "leave `to` and `outputs` out if it writes to no topic";
            reader.push(Diagnostic::new(Code::E015, self.outputs.span, message).help(help));
        }
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from.value == to.value => {
                let message = format!("`from` and `to` are both `{to}`");
                let help = "write another topic as `to`";
                reader.push(Diagnostic::new(Code::E016, to.span, message).help(help));
            }
            (Some(_), Some(_)) => {}
            _ if self.outputs.value > 1 => {
                let message = "`outputs` needs `from` and `to`";
                let help = "write the topic that the service reads, and the one that it writes";
                reader.push(Diagnostic::new(Code::E016, self.outputs.span, message).help(help));
            }
            _ => {}
        }
    }

    fn check_ports(&self, reader: &mut Reader) {
        if let Some(ports) = self.ports.as_ref().filter(|_| self.image.is_none()) {
            let message = "`ports` are those of a container, but the service has no `image`";
            let help = "the ports of a process of this machine are reached as they are";
            reader.push(Diagnostic::new(Code::E016, ports.span, message).help(help));
        }
        let http = self.ready.as_ref().and_then(|ready| ready.http.as_ref());
        let all = self.ports.iter().flat_map(|ports| &ports.value).chain(http.map(|h| &h.port));
        for port in all {
            if !(1..=MOST_PORT).contains(&port.value) {
                let message = format!("{port} is not a port: ports are between 1 and {MOST_PORT}");
                reader.push(Diagnostic::new(Code::E015, port.span, message));
            }
        }
        if let Some(http) = http.filter(|_| self.image.is_none() && self.instances.value > 1) {
            let message = "all instances would be asked at the same port of this machine";
            let help =
                "use `ready: { log: ... }`, start one instance, or run the service as an `image`";
            reader.push(Diagnostic::new(Code::E016, http.port.span, message).help(help));
        }
    }
}

impl StepWord for StartService {
    const FACTS: StepFacts = StepFacts { blurs: Blurs::Clients, ..StepFacts::of(Kind::Traffic) };

    fn explain(&self) -> String {
        let instances = match self.instances.value {
            1 => String::new(),
            n => format!(", {}", words::count(n.into(), "instance")),
        };
        format!("Start service {}: {}{instances}", self.name, self.what())
    }

    fn in_full(&self) -> Sentence {
        let mut more = Vec::new();
        more.extend(self.from.as_ref().map(|topic| format!("reads topic {topic}")));
        more.extend(self.group.as_ref().map(|group| format!("in group {group}")));
        more.extend(self.to.as_ref().map(|topic| format!("writes topic {topic}")));
        let ready = self.ready.as_ref().map(|ready| ready.value.text());
        more.extend(ready.map(|text| format!("is ready when {text}")));
        Sentence::from(words::joined(self.explain(), "; it ", &more, ""))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let lane = |member| {
            let name = self.name.to_string();
            LaneChange::Begins(LaneOf::Client { kind: "service", name, member })
        };
        match self.instances.value {
            1 => vec![lane(None)],
            n => (1..=n).map(|member| lane(Some(member))).collect(),
        }
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if !(1..=MOST_INSTANCES).contains(&self.instances.value) {
            let message = format!(
                "{} instances: between 1 and {MOST_INSTANCES} are possible",
                self.instances
            );
            reader.push(Diagnostic::new(Code::E015, self.instances.span, message));
        }
        self.check_origin(span, reader);
        self.check_ports(reader);
        if let Some(ready) = &self.ready {
            ready.validate(ready.span, self.group.is_some(), reader);
        }
        self.check_work(reader);
    }

    fn needs(&self) -> Vec<Need> {
        let image = self.image.as_ref().map(|i| Need::argument(Capability::Containers, i.span));
        let state = self.ready.as_ref().and_then(|ready| ready.group.as_ref());
        let state = state.map(|state| Need::argument(Capability::GroupStates, state.span));
        image.into_iter().chain(state).collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.new_client(&self.name);
        for topic in self.from.iter().chain(&self.to) {
            ground.topic(topic, false);
        }
        for (span, text) in self.texts() {
            for slot in text.slots() {
                if let ServiceSlot::Password(user) = slot {
                    ground.user_name(user, span);
                }
            }
        }
        let client = KnownClient {
            kind: ClientKind::Service,
            life: Liveness::Up,
            members: self.instances.value,
            topics: self.to.iter().map(ToString::to_string).collect(),
            from: self.from.as_ref().map(ToString::to_string),
            group: self.group.as_ref().map(ToString::to_string),
            published: self.image.is_some().then(|| self.published()),
            acks: Acks::All,
            commits: true,
            transactional: false,
            ends: false,
            most: None,
            waits: false,
            program: None,
            sends_text: true,
            span: self.name.span,
        };
        ground.add_client(&self.name, client);
    }

    fn makes<'p>(&'p self, _: StepAt<'p>, ever: &mut Ever<'p>) {
        ever.clients.insert(self.name.as_str());
        ever.groups.extend(self.group.as_ref().map(ToString::to_string));
    }
}
