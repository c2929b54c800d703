//! What the steps that start a client share.

use indexmap::IndexMap;
use kplan_dsl::value;

use crate::{
    client::{of_plan, settings, spec::Common},
    event::{Event, SettingsOf},
    stage::{
        Running,
        clients::Template,
        outcome::{Done, StepError},
    },
    steps::{Cx, members},
};

/// How many partitions a topic has that is written to.
pub async fn partitions(topic: &str, running: &Running) -> Result<u32, StepError> {
    let count = running.observer.fresh().await.partitions(Some(topic)).count();
    let known = u32::try_from(count).ok().filter(|n| *n > 0);
    known.ok_or_else(|| StepError::lacks(format!("no living broker knows the topic {topic}")))
}

/// What every client needs.
pub fn common(
    name: &str,
    user: Option<&value::UserName>,
    config: &value::Settings,
    running: &Running,
    cx: &Cx<'_>,
) -> Result<Common, StepError> {
    let user = user.map(value::UserName::as_str);
    let mut settings: IndexMap<String, String> = running.cluster.user_config(user)?;
    settings.extend(of_plan::config(config));
    Ok(Common {
        run: cx.stage.run.id.clone(),
        name: name.to_owned(),
        client_id: cx.stage.clients.next_id(),
        member: 1,
        life: 1,
        bootstrap: running.bootstrap(),
        dir: cx.stage.dir.clone(),
        config: settings,
        routes: running.cluster.router().map(|router| router.routes()),
    })
}

/// Starts the first life of all members at once.
pub async fn begin(
    name: &str,
    template: Template,
    members: u16,
    cx: &Cx<'_>,
) -> Result<Done, StepError> {
    let settings = match &template {
        Template::Producer(spec) => settings::producer(spec),
        Template::Consumer(spec) => settings::consumer(spec),
        Template::Copier(spec) => settings::copier(spec),
    };
    let client = cx.stage.clients.add(name, template, members)?;
    cx.stage.tell.emit(Event::Configured {
        who: SettingsOf::Client(name.to_owned()),
        settings: settings::shown(settings),
    });
    let starts = client.members.iter().map(|m| cx.stage.start_member(&client, m));
    members::worst_error(futures::future::join_all(starts).await)
}
