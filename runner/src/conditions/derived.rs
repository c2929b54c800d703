//! Whether what a service wrote is known: its traffic is judged by what kplan reads of its output.

use std::time::{Duration, Instant};

use super::clients::senders;
use crate::{
    audit::ServiceWork,
    observer::At,
    stage::{
        clients::{Client, DerivedReader},
        judge::Judge,
        outcome::StepError,
    },
};

/// How long kplan may take to read what was written by now.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Time between two looks at how far it has read.
const LOOK: Duration = Duration::from_millis(20);

/// Why a client's traffic since a moment cannot be judged; none if it can, and for every client that records its
/// traffic itself.
pub(super) async fn unknown(
    client: &Client,
    since_us: i64,
    j: &Judge<'_>,
) -> Result<Option<String>, StepError> {
    let Some(work) = client.derives() else { return Ok(None) };
    if let Some(why) = untraced(client, &work, j) {
        return Ok(Some(why));
    }
    let name = &client.name;
    let Some(reader) = client.reader() else {
        return Ok(Some(format!("kplan does not read what {name} writes: its start failed")));
    };
    if let Some(end) = reader.own_end() {
        return Err(StepError::rig(format!(
            "kplan's reader of what {name} writes has ended: {end}"
        )));
    }
    let hidden = j.stage.disturbed.hidden_until_us();
    if client.in_network() && hidden.is_some_and(|until_us| until_us >= since_us) {
        return Ok(Some(format!(
            "clients were cut off from brokers, and {name} was not: kplan could not read what {name} wrote"
        )));
    }
    behind(&reader, &work, j).await
}

/// Why it is not known what a service made of a message.
fn untraced(client: &Client, work: &ServiceWork, j: &Judge<'_>) -> Option<String> {
    let name = &client.name;
    let nameless = senders(client, j);
    let nameless = nameless.iter().find(|sender| sender.sending().is_some_and(|s| s.own_form));
    if let Some(sender) = nameless.map(|sender| &sender.name) {
        return Some(format!(
            "the messages of {sender} carry no identity that {name} can pass on: give {sender} a `value` with \
             `{{{{ message.id }}}}`"
        ));
    }
    let same = |other: &ServiceWork| (&other.from, &other.to) == (&work.from, &work.to);
    let all = j.stage.clients.all();
    let other = all.iter().find(|o| o.name != *name && o.derives().is_some_and(|w| same(&w)))?;
    Some(format!(
        "{name} and {} both write to {} what they make of {}: which of them wrote a message is not known",
        other.name, work.to, work.from
    ))
}

/// Why kplan has not read everything that the output contains now. A partition without an answer contains nothing new
/// that anybody could read.
async fn behind(
    reader: &DerivedReader,
    work: &ServiceWork,
    j: &Judge<'_>,
) -> Result<Option<String>, StepError> {
    let begun = Instant::now();
    let running = j.stage.running()?;
    let view = running.observer.view();
    let places = view.partitions(Some(&work.to));
    let places: Vec<_> = places.map(|(topic, p)| (topic.to_owned(), p.partition)).collect();
    let ends = running.observer.ask().offsets(&places, At::LastStable).await;
    let ends = ends.into_iter().filter_map(|(place, end)| Some((place, end.ok()?)));
    let mut left: Vec<_> = ends.collect();
    loop {
        left.retain(|((_, partition), end)| !reader.has_read(*partition, *end));
        let Some(((topic, partition), end)) = left.first() else { return Ok(None) };
        if begun.elapsed() > CATCH_UP {
            return Ok(Some(format!(
                "{topic}/{partition} ends at offset {end}, and kplan has not read so far yet"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}
