//! The client's side of its pipes: reports out, orders in. A client never outlives its runner: when
//! a pipe breaks the process ends, even while librdkafka blocks its main thread.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::{BufRead, Write},
    process,
    rc::Rc,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
};

use serde::Deserialize;

use super::{
    log,
    protocol::{BrokerStats, ClientReport, Order},
    raw::Code,
};
use crate::history::now_us;

/// The exit status of a client whose runner is gone.
pub(super) const ORPHANED: i32 = 3;
/// Error reports in one second; the rest is only counted.
const ERRORS_A_SECOND: u32 = 20;

/// Sends reports to the runner.
pub(crate) struct Voice {
    lines: SyncSender<ClientReport>,
    errors: Cell<(i64, u32)>,
}

impl Voice {
    /// Starts the thread that writes reports to stdout.
    pub(super) fn start() -> (Rc<Self>, JoinHandle<()>) {
        let (lines, queue) = sync_channel::<ClientReport>(1024);
        let writer = std::thread::spawn(move || {
            #[expect(
                clippy::disallowed_methods,
                reason = "reports for the runner, which reads them as JSON"
            )]
            let mut out = std::io::stdout().lock();
            for report in queue {
                let written = serde_json::to_writer(&mut out, &report)
                    .map_err(std::io::Error::from)
                    .and_then(|()| out.write_all(b"\n"))
                    .and_then(|()| out.flush());
                if let Err(e) = written {
                    log(&format!("the runner no longer reads reports: {e}"));
                    process::exit(ORPHANED);
                }
            }
        });
        (Rc::new(Self { lines, errors: Cell::new((0, 0)) }), writer)
    }

    /// Sends a report; waits if the runner is slow to read.
    pub(super) fn say(&self, report: ClientReport) {
        // The writer ends only with the process.
        let _ = self.lines.send(report);
    }

    /// Sends a report that may be left out if the runner is slow to read.
    pub(super) fn mention(&self, report: ClientReport) {
        let _ = self.lines.try_send(report);
    }

    /// Reports an error, unless there are too many.
    pub(super) fn error(&self, code: Code, fatal: bool, words: &str) {
        self.complain(code.name(), code.0, words, fatal);
    }

    /// The same for an error by its name.
    pub(super) fn complain(&self, code: &str, number: i32, text: &str, fatal: bool) {
        let at_us = now_us();
        log(&format!("error {code}: {text}"));
        let (second, count) = self.errors.get();
        let this = at_us / 1_000_000;
        let count = if this == second { count + 1 } else { 1 };
        self.errors.set((this, count));
        if fatal || count <= ERRORS_A_SECOND {
            self.say(ClientReport::Error {
                at_us,
                code: code.to_owned(),
                number,
                text: text.to_owned(),
                fatal,
            });
        }
    }

    /// Reports librdkafka's statistics, of which only the connections are read. Their time is taken from
    /// librdkafka's own clock, the same monotonic one: the counts are of that moment or later. When they
    /// are handed over they may be old, and with the present time they would count as newer than they are.
    pub(super) fn stats(&self, json: &[u8]) {
        #[derive(Deserialize)]
        struct Stats {
            ts: i64,
            brokers: BTreeMap<String, Broker>,
        }
        #[derive(Deserialize)]
        struct Broker {
            nodeid: i32,
            state: String,
            rx: u64,
            tx: u64,
        }
        match serde_json::from_slice::<Stats>(json) {
            Ok(stats) => {
                let brokers = stats.brokers.into_iter();
                let of = |(name, b): (String, Broker)| BrokerStats {
                    name,
                    id: b.nodeid,
                    state: b.state,
                    rx: b.rx,
                    tx: b.tx,
                };
                let brokers = brokers.map(of).collect();
                self.mention(ClientReport::Stats { at_us: stats.ts, brokers });
            }
            Err(e) => log(&format!("statistics that cannot be read: {e}")),
        }
    }
}

/// Starts the thread that reads orders from stdin, whose end is the end of this process.
pub(super) fn orders() -> Receiver<Order> {
    let (sender, orders) = sync_channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                // The receiver ends only with the process.
                Ok(order) => drop(sender.send(order)),
                Err(e) => log(&format!("not an order: {line}: {e}")),
            }
        }
        log("the runner is gone");
        process::exit(ORPHANED);
    });
    orders
}
