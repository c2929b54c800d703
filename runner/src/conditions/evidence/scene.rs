//! What the clients' histories show about the traffic.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    history::{HistoryFile, Mark, MessageRun, RUN_SPAN_US, Writer},
    stage::clients::Client,
};

use super::Traffic;

/// A time in which traffic is searched for, monotonic microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub from: i64,
    pub to: i64,
    /// Until when clients that were running between `from` and `to` may still notice what happened there; not
    /// before `to`. It does not apply to other clients.
    pub noticed: i64,
}

/// A part of a time, monotonic microseconds: its first and its last.
type TimePart = (i64, i64);

impl Times {
    pub fn of(from: i64, to: i64) -> Self {
        Self { from, to, noticed: to }
    }
}

/// Which traffic is searched for: of which client, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    pub topic: Option<String>,
    pub partition: Option<u32>,
    /// Only this client: what it sent, or what it was to read.
    pub client: Option<String>,
    /// Only what is for this service or copier.
    pub service: Option<String>,
}

#[derive(Debug, Default)]
pub struct Party {
    pub name: String,
    /// The topics that it sends to.
    pub sends: Vec<String>,
    /// The topics that it reads.
    pub reads: Vec<String>,
    /// For a service, which has no histories: the topic that it reads, and when it was first started.
    pub serves: Option<(String, i64)>,
    /// It begins at the log's start: earlier messages are for it too.
    pub from_start: bool,
    /// When the plan kept it from working; open at the end while it lasts.
    pub downs: Vec<(i64, Option<i64>)>,
    /// The plan keeps it from working now.
    pub away: bool,
    pub files: Vec<HistoryFile>,
}

/// The traffic of all clients.
#[derive(Debug, Default)]
pub struct Scene {
    pub parties: Vec<Party>,
}

impl Scene {
    /// What the histories of a suite's clients show by now. Unreadable histories are skipped: the
    /// audit reports them.
    pub fn of(clients: &[Arc<Client>]) -> Self {
        Self { parties: clients.iter().map(|client| Party::of(client)).collect() }
    }

    fn named(&self, name: &str) -> Option<&Party> {
        self.parties.iter().find(|p| p.name == name)
    }

    /// The clients that send such traffic: the client itself, or the senders to what it reads.
    pub fn senders<'s>(&'s self, subject: &'s Subject) -> impl Iterator<Item = &'s Party> {
        let only = subject.client.as_deref().and_then(|name| self.named(name));
        self.parties.iter().filter(move |party| {
            let by_client = only.is_none_or(|only| {
                only.name == party.name
                    || (only.sends.is_empty() && party.sends.iter().any(|t| only.reads.contains(t)))
            });
            let by_topic = subject.topic.as_ref().is_none_or(|t| party.sends.contains(t));
            !party.sends.is_empty() && by_client && by_topic
        })
    }

    /// The clients that read such traffic: the client itself, or the readers of what it sends.
    pub fn readers<'s>(&'s self, subject: &'s Subject) -> impl Iterator<Item = &'s Party> {
        let only = subject.client.as_deref().and_then(|name| self.named(name));
        self.parties.iter().filter(move |party| {
            let by_client = only.is_none_or(|only| {
                only.name == party.name
                    || (only.reads.is_empty() && party.reads.iter().any(|t| only.sends.contains(t)))
            });
            let by_topic = subject.topic.as_ref().is_none_or(|t| party.reads.contains(t));
            !party.reads.is_empty() && by_client && by_topic
        })
    }

    /// When the first such message was sent or delivered; none if there was none.
    pub fn first_us(&self, subject: &Subject) -> Option<i64> {
        self.senders(subject).chain(self.readers(subject)).filter_map(Party::first_us).min()
    }

    /// Whether there was such traffic in a time.
    pub fn went_on(&self, traffic: Traffic, subject: &Subject, times: Times) -> bool {
        match traffic {
            Traffic::Sent => self.sent(subject, times, false),
            Traffic::Transactions => self.sent(subject, times, true),
            Traffic::Read => self.read(subject, times, false),
            Traffic::ReadTransactions => self.read(subject, times, true),
            Traffic::Owed => self.owed(self.readers(subject), subject, times),
            Traffic::ToCopy => {
                let copiers = self.readers(subject).filter(|reader| reader.copies());
                self.owed(copiers, subject, times)
            }
            Traffic::Copied => self.copied(subject, times),
            Traffic::ToProcess => {
                let copiers = self.readers(subject);
                let copiers = copiers.filter(|party| party.copies() && subject.is_for(party));
                self.owed(copiers, subject, times) || self.served(subject, times, false)
            }
            Traffic::Processed => self.copied(subject, times) || self.served(subject, times, true),
            Traffic::Any => self.sent(subject, times, false) || self.read(subject, times, false),
        }
    }

    fn sent(&self, subject: &Subject, times: Times, transactions: bool) -> bool {
        self.senders(subject).any(|party| party.sent(subject, times, transactions))
    }

    /// Whether a message was sent that one of these readers should receive.
    fn owed<'s>(
        &'s self,
        mut readers: impl Iterator<Item = &'s Party>,
        subject: &Subject,
        times: Times,
    ) -> bool {
        readers.any(|reader| {
            let begun = |until: i64| reader.begun_us().is_some_and(|begun| begun <= until);
            let there = reader.from_start || begun(times.to);
            there && self.sent_to(reader, subject, times, false)
        })
    }

    /// Whether a copier wrote or received such messages, or could have.
    fn copied(&self, subject: &Subject, times: Times) -> bool {
        let only = subject.client.as_deref().and_then(|name| self.named(name));
        let meant = |copier: &&Party| {
            let by_client = only.is_none_or(|only| {
                only.name == copier.name || copier.reads.iter().any(|t| only.sends.contains(t))
            });
            let mut topics = copier.reads.iter().chain(&copier.sends);
            let by_topic = subject.topic.as_ref().is_none_or(|t| topics.any(|own| own == t));
            copier.copies() && by_client && by_topic && subject.is_for(copier)
        };
        self.parties.iter().filter(meant).any(|copier| {
            copier.sent(subject, times, false)
                || copier.took(subject, times)
                || (copier.at_work(times)
                    && self.sent_to(copier, &Subject::default(), times, false))
        })
    }

    /// Whether a message was sent that one of the services is to process; with `at_work` it ran meanwhile.
    fn served(&self, subject: &Subject, times: Times, at_work: bool) -> bool {
        let mut services = self.parties.iter().filter(|party| subject.is_for(party));
        services.any(|service| {
            let Some((from, _)) = &service.serves else { return false };
            let by_topic = subject.topic.as_ref().is_none_or(|topic| topic == from);
            // A count of the output is about what was sent to the input.
            let partition = subject.partition.filter(|_| by_topic);
            let part = Subject { partition, ..Subject::default() };
            let only = subject.client.as_ref().filter(|client| **client != service.name);
            let mut senders = self.parties.iter().filter(|party| party.sends.contains(from));
            (!at_work || service.at_work(times))
                && senders.any(|party| {
                    only.is_none_or(|only| *only == party.name) && party.sent(&part, times, false)
                })
        })
    }

    fn sent_to(&self, reader: &Party, subject: &Subject, times: Times, transactions: bool) -> bool {
        let senders = self.parties.iter();
        let mut senders = senders.filter(|p| p.sends.iter().any(|t| reader.reads.contains(t)));
        senders.any(|party| party.sent(subject, times, transactions))
    }

    /// Whether a message was delivered; or it was sent, and a reader was running to receive it.
    fn read(&self, subject: &Subject, times: Times, transactions: bool) -> bool {
        self.readers(subject).any(|reader| {
            if !transactions && reader.took(subject, times) {
                return true;
            }
            reader.at_work(times) && self.sent_to(reader, subject, times, transactions)
        })
    }
}

impl Party {
    fn of(client: &Client) -> Self {
        let downs = client.downs();
        let there = client.histories().into_iter().filter(|path| path.exists());
        Self {
            name: client.name.clone(),
            sends: if client.sends() { client.topics() } else { Vec::new() },
            reads: client.read_topics(),
            serves: client.serves().map(|work| (work.from, client.started_us)),
            from_start: client.begins_at_start(),
            away: downs.iter().any(|(_, to)| to.is_none()),
            downs,
            files: there.filter_map(|path| HistoryFile::open(&path).ok()).collect(),
        }
    }

    /// Whether it reads, and writes what it read.
    fn copies(&self) -> bool {
        !self.reads.is_empty() && !self.sends.is_empty()
    }

    /// When it began to read or to send.
    fn begun_us(&self) -> Option<i64> {
        if let Some((_, started_us)) = self.serves {
            return Some(started_us);
        }
        let first = |file: &HistoryFile| Some(file.iter_from(0).next()?.ok()?.first_us);
        let files = self.written(Writer::ProducerSent).chain(self.written(Writer::Consumer));
        files.filter_map(first).min()
    }

    fn written(&self, writer: Writer) -> impl Iterator<Item = &HistoryFile> {
        self.files.iter().filter(move |f| f.header().writer == writer)
    }

    fn first_us(&self) -> Option<i64> {
        let of = |file: &HistoryFile| {
            let runs = file.iter_from(0).map_while(Result::ok);
            let mut traffic = runs.filter(|r| matches!(r.mark, Mark::Sent | Mark::Delivered));
            traffic.next().map(|run| run.first_us)
        };
        let files = self.written(Writer::ProducerSent).chain(self.written(Writer::Consumer));
        files.filter_map(of).min()
    }

    /// Whether it handed messages over, or received answers to messages that were under way, in a time.
    ///
    /// Histories keep the time at which a message was to be sent. What was to be sent while the client
    /// was paused was sent when it was resumed: it counts as traffic from then on.
    fn sent(&self, subject: &Subject, times: Times, transactions: bool) -> bool {
        let (awake, let_go) = self.awake(times);
        let due: Vec<TimePart> = awake.iter().chain(&let_go).copied().collect();
        let is = |run: &MessageRun, marks: &[Mark]| {
            marks.contains(&run.mark) && (!transactions || run.epoch != 0)
        };
        let any = |writer: Writer, marks: &[Mark], pieces: &[TimePart]| {
            self.written(writer)
                .any(|file| some(file, pieces, |run| is(run, marks) && subject.covers(file, run)))
        };
        any(Writer::ProducerSent, &[Mark::Sent], &due)
            || any(Writer::ProducerHeard, &[Mark::Acked, Mark::Failed, Mark::Written], &awake)
            || self.waited(subject, times.from, self.until(times), transactions)
    }

    /// The parts of a time in which nothing kept it from working, and the earlier times whose messages it sent when
    /// it was resumed in that time. A run of a history continues over a short absence: the part that it is in
    /// decides, not where it begins and ends.
    fn awake(&self, times: Times) -> (Vec<TimePart>, Vec<TimePart>) {
        let (mut awake, mut made_up) = (Vec::new(), Vec::new());
        let (mut at, until) = (Some(times.from), self.until(times));
        let mut downs = self.downs.clone();
        downs.sort_unstable();
        for (begin, end) in downs {
            let Some(from) = at.filter(|_| begin <= until) else { break };
            if end.is_some_and(|end| end < times.from) {
                continue;
            }
            if begin > from {
                awake.push((from, begin - 1));
            }
            at = end.filter(|end| *end <= until);
            made_up.extend(at.map(|end| (begin, end)));
        }
        awake.extend(at.filter(|from| *from <= until).map(|from| (from, until)));
        (awake, made_up)
    }

    /// The end of a time for this client.
    fn until(&self, times: Times) -> i64 {
        let Times { from, to, noticed } = times;
        let there = || self.at_work(Times::of(from, to));
        if noticed > to && there() { noticed } else { to }
    }

    /// Whether messages that it had handed over before a moment had no answer yet, in a life that is known
    /// to have gone on: they were under way at that moment, and while the client was running.
    fn waited(&self, subject: &Subject, from: i64, to: i64, transactions: bool) -> bool {
        if self.let_go(from).is_none_or(|at| at > to) {
            return false;
        }
        // Runs that reach over the moment have been counted as handed over or answered already.
        let mut open: BTreeMap<(u16, u16, Option<&String>, u32), i128> = BTreeMap::new();
        let producers = self.files.iter().filter(|file| {
            matches!(file.header().writer, Writer::ProducerSent | Writer::ProducerHeard)
        });
        for file in producers.clone() {
            let header = file.header();
            let runs = file.iter_from(0).map_while(Result::ok);
            let before = from.saturating_add(2 * RUN_SPAN_US);
            let runs = runs.take_while(|run| run.first_us < before);
            for run in runs.filter(|run| (!transactions || run.epoch != 0) && run.last_us < from) {
                let count = match run.mark {
                    Mark::Sent if self.let_go(run.last_us).is_some_and(|at| at < from) => 1,
                    Mark::Acked | Mark::Failed | Mark::Written => -1,
                    _ => continue,
                } * i128::from(run.count);
                if subject.covers(file, &run) {
                    let topic = header.topics.get(usize::from(run.topic));
                    *open.entry((header.member, header.life, topic, run.partition)).or_default() +=
                        count;
                }
            }
        }
        let lived_on = |member: u16, life: u16| {
            producers
                .clone()
                .filter(|file| (file.header().member, file.header().life) == (member, life))
                .any(|file| some(file, &[(from, i64::MAX)], |_| true))
        };
        open.iter().any(|((member, life, ..), left)| *left > 0 && lived_on(*member, *life))
    }

    /// Whether messages were delivered to it in a time.
    fn took(&self, subject: &Subject, times: Times) -> bool {
        let given =
            |run: &MessageRun| matches!(run.mark, Mark::Delivered | Mark::Foreign | Mark::Corrupt);
        // Later messages may have been sent by a client that was not running before.
        let (awake, _) = self.awake(Times::of(times.from, times.to));
        self.written(Writer::Consumer)
            .any(|file| some(file, &awake, |run| given(run) && subject.covers(file, run)))
    }

    /// The moment at which an action that was due at a time could be done; none if never.
    fn let_go(&self, at: i64) -> Option<i64> {
        let down = self.downs.iter().find(|(from, to)| *from <= at && to.is_none_or(|to| at < to));
        down.map_or(Some(at), |(_, to)| *to)
    }

    /// Whether it was running for a part of the time: started, and neither stopped, killed nor paused.
    fn at_work(&self, Times { from, to, .. }: Times) -> bool {
        let Some(begun) = self.begun_us() else { return false };
        begun <= to && self.let_go(from.max(begun)).is_some_and(|at| at <= to)
    }
}

impl Subject {
    /// Whether it is about what this service or copier is to process.
    fn is_for(&self, party: &Party) -> bool {
        self.service.as_ref().is_none_or(|service| *service == party.name)
    }

    fn covers(&self, file: &HistoryFile, run: &MessageRun) -> bool {
        let topic = file.header().topics.get(usize::from(run.topic));
        self.topic.as_ref().is_none_or(|own| topic == Some(own))
            && self.partition.is_none_or(|own| own == run.partition)
    }
}

/// Whether a run of a history that overlaps one of these times meets a condition.
fn some(file: &HistoryFile, times: &[TimePart], is: impl Fn(&MessageRun) -> bool) -> bool {
    times.iter().any(|(from, to)| {
        let Ok(first) = file.first_at_or_after(*from) else { return false };
        let runs = file.iter_from(first).map_while(Result::ok);
        let mut reaching = runs.take_while(|run| run.first_us <= *to);
        reaching.any(|run| run.last_us >= *from && is(&run))
    })
}

/// Describes the traffic that is missing.
pub fn words(traffic: Traffic, subject: &Subject) -> String {
    let who = subject.client.as_deref();
    let mut text = match (traffic, who) {
        (Traffic::Sent, None) => "nothing was sent".to_owned(),
        (Traffic::Sent, Some(who)) => format!("nothing was sent by or to {who}"),
        (Traffic::Transactions | Traffic::ReadTransactions, _) => {
            "nothing was sent in a transaction".to_owned()
        }
        (Traffic::Read, None) => "there was nothing to read for a running consumer".to_owned(),
        (Traffic::Read, Some(who)) => {
            format!("there was nothing to read for {who} while it was running")
        }
        (Traffic::Owed, None) => "nothing was sent that a consumer should receive".to_owned(),
        (Traffic::Owed, Some(who)) => {
            format!("nothing was sent by or to {who} that a consumer should receive")
        }
        (Traffic::ToCopy, _) => "nothing was sent that a copier should copy".to_owned(),
        (Traffic::Copied, _) => "no running copier had anything to copy".to_owned(),
        (Traffic::ToProcess, _) => {
            format!("nothing was sent that {} should process", served(subject))
        }
        (Traffic::Processed, _) => {
            format!("nothing was sent that {} could process while it was running", served(subject))
        }
        (Traffic::Any, _) => "nothing was sent or read".to_owned(),
    };
    match (subject.topic.as_deref(), subject.partition) {
        (Some(topic), Some(partition)) => text.push_str(&format!(" in {topic}/{partition}")),
        (Some(topic), None) => text.push_str(&format!(" in {topic}")),
        _ => {}
    }
    text
}

fn served(subject: &Subject) -> &str {
    subject.service.as_deref().unwrap_or("a service")
}

#[cfg(test)]
mod tests;
