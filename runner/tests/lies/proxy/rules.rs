//! What the proxy changes, for whom, and what it did.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use super::{
    batch::{Checksum, Told},
    lock,
};

/// What is changed, and where.
#[derive(Clone, Debug)]
pub struct Rule {
    /// For whom.
    pub on: Selector,
    /// What.
    pub act: Act,
    /// How many batches (for [`Act::Delay`] answers) that it covers are left as they are first.
    pub after: u32,
    /// To how many it is done then.
    pub times: u32,
}

/// Narrows a rule.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// The client's id (`client.id`), or its beginning before a dash: `kplan-audit` is each life of the audit's
    /// reader. None: every client.
    pub client: Option<String>,
    /// The topic; none: every topic.
    pub topic: Option<String>,
}

impl Selector {
    /// Whether what this client does to this topic is meant.
    pub fn covers(&self, client: &str, topic: &str) -> bool {
        let is = |name: &String| {
            client.strip_prefix(name.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('-'))
        };
        self.client.as_ref().is_none_or(is) && self.topic.as_ref().is_none_or(|t| t == topic)
    }
}

/// What is done to a batch, or to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A produced batch never reaches the broker; its producer is answered with success and the
    /// offset that would have come next.
    SwallowProduced,
    /// A produced batch is sent to the broker twice; its producer gets the first answer.
    ProduceTwice,
    /// A Produce request is kept until the connection's next one was sent, and follows it.
    HoldProduced,
    /// A byte of the last record of a produced batch is changed.
    ChangeProduced(Checksum),
    /// The offset in the answer to a produced batch is moved by this much.
    MoveProduced(i64),
    /// A fetched batch stands twice in the answer.
    FetchTwice,
    /// The answer to a fetch is given once more, to the request that comes next.
    FetchAgain,
    /// A fetched batch is taken out of every answer.
    WithholdFetched,
    /// A byte of the last record of a fetched batch is changed.
    ChangeFetched(Checksum),
    /// The same in every answer that holds the batch, the checksum left wrong.
    SpoilFetched,
    /// The offsets of a fetched batch are moved by this much, and the answer ends with it.
    MoveFetched(i64),
    /// The answer to a fetch does not name the aborted transactions.
    HideAborted,
    /// The answer to Produce comes this much later.
    DelayProduced(Duration),
}

impl Act {
    /// Whether it is done to what is produced; else to what is fetched.
    pub(super) fn is_of_produce(self) -> bool {
        match self {
            Self::SwallowProduced
            | Self::ProduceTwice
            | Self::HoldProduced
            | Self::ChangeProduced(_)
            | Self::MoveProduced(_)
            | Self::DelayProduced(_) => true,
            Self::FetchTwice
            | Self::FetchAgain
            | Self::WithholdFetched
            | Self::ChangeFetched(_)
            | Self::SpoilFetched
            | Self::MoveFetched(_)
            | Self::HideAborted => false,
        }
    }
}

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Deed {
    /// The partition.
    pub partition: i32,
    /// The records, as they were before; their offsets as the broker gives them, or, of a produced
    /// batch, counted from 0.
    pub records: Vec<Told>,
}

/// A rule, and what it has done.
#[derive(Debug)]
pub struct Standing {
    rule: Rule,
    met: Mutex<Met>,
}

#[derive(Debug, Default)]
struct Met {
    /// How many it covered so far.
    count: u32,
    deeds: Vec<Deed>,
    /// The last offset that a client was given of a partition: what is fetched again is not counted
    /// again.
    highest: BTreeMap<(String, i32), i64>,
}

impl Standing {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, met: Mutex::default() }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What was done so far.
    pub fn deeds(&self) -> Vec<Deed> {
        lock(&self.met).deeds.clone()
    }

    /// Whether it is to be done to the one that is now met.
    pub(super) fn is_due(&self) -> bool {
        let mut met = lock(&self.met);
        let number = met.count;
        met.count = number.saturating_add(1);
        let from = self.rule.after;
        number >= from && number - from < self.rule.times
    }

    /// [`Self::is_due`] for a fetched batch that ends at `last`; never for what was met before.
    pub(super) fn is_due_at(&self, client: &str, partition: i32, last: i64) -> bool {
        let new = {
            let mut met = lock(&self.met);
            let highest = met.highest.entry((client.to_owned(), partition)).or_insert(-1);
            let new = last > *highest;
            *highest = last.max(*highest);
            new
        };
        new && self.is_due()
    }

    /// It could not be done to the one that was due: the next one is.
    pub(super) fn not_done(&self) {
        let mut met = lock(&self.met);
        met.count = met.count.saturating_sub(1);
    }

    /// Writes down what was done.
    pub(super) fn done(&self, partition: i32, records: Vec<Told>) {
        lock(&self.met).deeds.push(Deed { partition, records });
    }

    /// Whether a batch that begins at this offset was dealt with before.
    pub(super) fn did(&self, partition: i32, first: i64) -> bool {
        let met = lock(&self.met);
        met.deeds.iter().any(|d| {
            d.partition == partition && d.records.first().is_some_and(|r| r.offset == first)
        })
    }
}
