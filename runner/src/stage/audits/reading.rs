//! Has a process of its own read the log: with librdkafka, and if that meets something it cannot read, again
//! without it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use crate::{
    client::{
        handle::{ClientState, Ended, Handle},
        protocol::{DAMAGED, NO_HISTORY, UNREAD},
        spec::{ClientSpec, Common, LogSpec, LogTopic, ReadSpan},
    },
    event::StepRun,
    history::now_us,
    observer::AuditBounds,
    stage::{Running, Stage, outcome::StepError},
};

/// The reader gives up after this long without any progress.
const STALL: Duration = Duration::from_secs(30);
/// The same for the second reader of a log that was read: where it cannot read at all, the first reading stands.
const STALL_AGAIN: Duration = Duration::from_secs(5);
/// A reader that sends no report for this long hangs; between its passes it compares what it read.
const SILENCE: Duration = Duration::from_secs(60);
/// The reader's limit in all.
const READ: Duration = Duration::from_secs(30 * 60);

/// What was not read to its end, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// About every partition.
    all: Option<String>,
    of: BTreeMap<(String, u32), String>,
}

impl Unread {
    /// Everything was read to its end.
    pub(crate) fn is_nothing(&self) -> bool {
        self.all.is_none() && self.of.is_empty()
    }

    /// Why this partition was not read to its end, if it was not.
    pub(crate) fn why(&self, topic: &str, partition: u32) -> Option<String> {
        self.all.clone().or_else(|| self.of.get(&(topic.to_owned(), partition)).cloned())
    }
}

/// What was read of the log.
#[derive(Debug, Default)]
pub(crate) struct LogRead {
    /// The file of what was found.
    pub(crate) log: Option<PathBuf>,
    pub(crate) unread: Unread,
    /// It was read without librdkafka.
    pub(crate) careful: bool,
}

/// What a reader's process did.
enum Reading {
    /// It ended as ordered.
    Ended(Box<ClientState>, Ended),
    /// librdkafka could not read a broker's answer, or crashed: the reason.
    Stumbled(String),
    /// It ended in another way: the reason.
    Failed(String),
}

impl Stage {
    /// Has the log read, `careful`: without librdkafka from the beginning.
    pub(crate) async fn read_log(
        &self,
        running: &Running,
        step: &StepRun,
        (bounds, twice): (&AuditBounds, &BTreeSet<String>),
        mut careful: bool,
    ) -> Result<LogRead, StepError> {
        let mut topics: BTreeMap<String, Vec<ReadSpan>> = BTreeMap::new();
        for ((topic, partition), b) in &bounds.ready {
            let span = ReadSpan { partition: *partition, start: b.start, end: b.end };
            topics.entry(topic.clone()).or_default().push(span);
        }
        if topics.is_empty() {
            return Ok(LogRead { careful, ..LogRead::default() });
        }
        let log_topic = |(name, spans)| {
            let transactional = twice.contains(&name);
            LogTopic { name, spans, transactional }
        };
        let topics: Vec<LogTopic> = topics.into_iter().map(log_topic).collect();
        let (what, stall) = match careful {
            false => ("the audit to read the log", STALL),
            true => ("the audit to read the log again, without librdkafka", STALL_AGAIN),
        };
        self.talk(step, what, None);
        loop {
            let spec = self.reader(running, topics.clone(), careful, stall);
            let log = spec.histories().into_iter().next();
            let unread = match self.have_read(spec).await? {
                Reading::Ended(_, ended) if ended.left > 0 && !careful => None,
                Reading::Ended(state, ended) => Some(unread(&state, &ended, !twice.is_empty())),
                Reading::Stumbled(_) if !careful => None,
                Reading::Stumbled(why) | Reading::Failed(why) => {
                    Some(Unread { all: Some(why), ..Unread::default() })
                }
            };
            if let Some(unread) = unread {
                return Ok(LogRead { log, unread, careful });
            }
            careful = true;
            self.talk(step, "the audit to read the log again, past the unreadable part", None);
        }
    }

    fn reader(
        &self,
        running: &Running,
        topics: Vec<LogTopic>,
        careful: bool,
        stall: Duration,
    ) -> ClientSpec {
        let common = Common {
            run: self.run.id.clone(),
            name: "audit".to_owned(),
            client_id: 0,
            member: 1,
            life: self.audits.next_life(),
            bootstrap: running.bootstrap(),
            dir: self.dir.clone(),
            config: running.cluster.client_config(),
            routes: running.cluster.router().map(|router| router.routes()),
            topic_numbers: self.topics.numbers(topics.iter().map(|topic| topic.name.as_str())),
        };
        let stall_ms = u64::try_from(stall.as_millis()).unwrap_or(u64::MAX);
        ClientSpec::Log(LogSpec { common, topics, stall_ms, careful })
    }

    /// Runs one reader to its end. A reader that is given up ends when its handle is dropped.
    async fn have_read(&self, spec: ClientSpec) -> Result<Reading, StepError> {
        let careful = matches!(&spec, ClientSpec::Log(spec) if spec.careful);
        let handle = Handle::spawn(&self.run.binary, spec, self.client_events()).await?;
        let over = |s: &ClientState| s.ended.is_some() && s.exit.is_some() || is_damaged(s);
        let read = tokio::select! {
            read = handle.reach("done reading the log", READ, over) => read,
            silent = silence(&handle) => {
                return if careful { Err(StepError::rig(silent)) } else { Ok(Reading::Stumbled(silent)) };
            }
        };
        let state = handle.state().borrow().clone();
        if is_damaged(&state) {
            return Ok(Reading::Stumbled(state.causes()));
        }
        if let Some(exit) = state.exit.as_ref().filter(|e| e.signalled) {
            let why = format!("the audit's reader was ended from outside: {}", exit.text);
            return match exit.crashed {
                true if !careful => Ok(Reading::Stumbled(why)),
                _ => Err(StepError::rig(why)),
            };
        }
        if let Some(error) = state.errors.iter().find(|e| e.code == NO_HISTORY) {
            let why = format!("the audit's reader cannot record what it finds: {}", error.text);
            return Err(StepError::rig(why));
        }
        Ok(match (read, state.ended.clone()) {
            (Ok(()), Some(ended)) => Reading::Ended(Box::new(state), ended),
            (Err(error), _) => Reading::Failed(error.to_string()),
            (Ok(()), None) => {
                Reading::Failed("the audit's reader did not report how far it read".to_owned())
            }
        })
    }
}

fn is_damaged(state: &ClientState) -> bool {
    state.errors.iter().any(|error| error.code == DAMAGED)
}

/// The partitions that a reader did not read to the end, with its error. With transactions the log is then not read
/// a second time: it is unknown what readers of committed messages see.
fn unread(state: &ClientState, ended: &Ended, transactional: bool) -> Unread {
    let mut unread = Unread::default();
    for p in &ended.unread {
        let place = format!("{}/{} ended at offset {}", p.topic, p.partition, p.offset);
        let errors = state.errors.iter().filter(|e| e.code == UNREAD);
        let reported = errors.map(|e| &e.text).find(|text| text.starts_with(&place));
        let words = format!("the log was not read to its end: {}", reported.unwrap_or(&place));
        if transactional {
            unread.all.get_or_insert_with(|| words.clone());
        }
        unread.of.insert((p.topic.clone(), p.partition), words);
    }
    unread
}

/// Waits until a reader has sent no report for too long.
async fn silence(handle: &Handle) -> String {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let silent_us = now_us() - handle.state().borrow().heard_us;
        if silent_us > i64::try_from(SILENCE.as_micros()).unwrap_or(i64::MAX) {
            return format!("the audit's reader hangs: it sent no report for {SILENCE:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{handle::SeenError, protocol::Position};

    #[test]
    fn a_partition_that_was_not_read_says_nothing_of_another_one() {
        let position = Position { topic: "t".into(), partition: 1, offset: 7 };
        let ended = Ended { left: 3, unread: vec![position] };
        let text = "t/1 ended at offset 7: it is damaged".to_owned();
        let error = SeenError { at_us: 0, code: UNREAD.to_owned(), text, fatal: false };
        let state = ClientState { errors: [error].into(), ..ClientState::default() };
        let plain = unread(&state, &ended, false);
        assert!(plain.why("t", 1).is_some_and(|why| why.ends_with("it is damaged")));
        assert_eq!(plain.why("t", 0), None);
        assert!(unread(&state, &ended, true).why("t", 0).is_some());
    }
}
