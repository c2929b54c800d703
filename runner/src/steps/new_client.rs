//! Shared code of the steps that start a client, for a run and for the check of its settings.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use kplan_dsl::value;

use crate::{
    client::{
        ClientType, settings,
        spec::{ClientSpec, Common},
    },
    event::{Event, SettingsOf},
    stage::{
        Running,
        outcome::{Done, StepError},
    },
    steps::{Cx, members},
};

/// Settings as librdkafka's names and values.
pub type SettingsMap = IndexMap<String, String>;

/// Makes all settings of a client's consumer and its producer, on top of those of the cluster and the plan.
pub(crate) type MakesHalves<'a> = dyn Fn(SettingsMap) -> Vec<(ClientType, SettingsMap)> + 'a;

/// A client as a step would start it.
pub struct ClientDraft<'a> {
    /// What the plan sets.
    pub config: &'a value::Settings,
    /// How its settings are made.
    pub(crate) halves: Box<MakesHalves<'a>>,
}

impl<'a> ClientDraft<'a> {
    /// The draft of a client that runs in the background.
    pub fn new(
        name: &'a str,
        config: &'a value::Settings,
        spec: impl Fn(Common) -> ClientSpec + 'a,
    ) -> Self {
        let of = move |config| spec(Common::unstarted(name, config)).kind().settings();
        Self { config, halves: Box::new(of) }
    }
}

/// What the plan sets, as librdkafka's names and values.
pub fn config(settings: &value::Settings) -> SettingsMap {
    settings.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// The number of partitions of a topic that a client writes to.
pub async fn partitions(topic: &str, running: &Running) -> Result<u32, StepError> {
    let count = running.observer.fresh().await.partitions(Some(topic)).count();
    let known = u32::try_from(count).ok().filter(|n| *n > 0);
    known.ok_or_else(|| StepError::lacks(format!("no living broker knows the topic {topic}")))
}

/// What every client needs.
pub fn common(
    name: &str,
    user: Option<&value::UserName>,
    own: &value::Settings,
    running: &Running,
    cx: &Cx<'_>,
) -> Result<Common, StepError> {
    let user = user.map(value::UserName::as_str);
    let mut settings: SettingsMap = running.cluster.user_config(user)?;
    settings.extend(config(own));
    let proxy = cx.stage.through_proxy(name, running)?;
    let router = running.cluster.router().filter(|_| proxy.is_none());
    Ok(Common {
        run: cx.stage.run.id.clone(),
        name: name.to_owned(),
        client_id: cx.stage.clients.next_id(),
        member: 1,
        life: 1,
        bootstrap: proxy.unwrap_or_else(|| running.bootstrap()),
        dir: cx.stage.dir.clone(),
        config: settings,
        routes: router.map(|router| router.routes()),
        topic_numbers: BTreeMap::new(),
    })
}

/// Starts the first life of all members at once.
pub async fn begin(
    name: &str,
    mut spec: ClientSpec,
    members: u16,
    cx: &Cx<'_>,
) -> Result<Done, StepError> {
    let topics = spec.kind().reads_from().iter().map(String::as_str);
    let numbers = cx.stage.topics.numbers(topics.chain(spec.kind().sends_to()));
    spec.kind_mut().common_mut().topic_numbers = numbers;
    let halves = spec.kind().settings().into_iter();
    let settings: SettingsMap = halves.flat_map(|(_, half)| half).collect();
    let client = cx.stage.clients.add(name, spec, members)?;
    cx.stage.tell.emit(Event::Configured {
        who: SettingsOf::Client(name.to_owned()),
        settings: settings::shown(settings),
    });
    cx.stage.read_output(&client).await?;
    let starts = client.members.iter().map(|m| cx.stage.start_member(&client, m));
    members::worst_error(futures::future::join_all(starts).await)
}
