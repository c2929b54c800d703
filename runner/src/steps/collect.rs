//! `collect`: what a service wrote elsewhere than into a topic, as a command prints it.

use std::{mem, path::PathBuf, time::Duration};

use async_trait::async_trait;
use kplan_dsl::steps::Collect;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use super::run::{LAST_WORDS, keep, start};
use crate::{
    audit::ServiceWork,
    event::Event,
    history::{
        Header, HistoryError, HistoryWriter, Mark, Message, MessageRun, RunRecorder, Writer, now_us,
    },
    identity::{payload::run_hash, text::TextId},
    stage::{
        clients::Client,
        collected::{Collection, lives_of},
        outcome::{Done, PlanCause, StepError},
    },
    steps::{Act, Cx},
};

#[async_trait]
impl Act for Collect {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let client = cx.stage.clients.get(&self.service)?;
        let Some(work) = client.elsewhere() else {
            let text = format!("{} is no service with a `from` and no `to`", *self.service);
            return Err(StepError::not_so(text));
        };
        let lives = (!client.lives()).then(|| lives_of(&client));
        let mut output = CollectedOutput::create(&client, &work, cx)?;
        let words: Vec<&str> = self.command.iter().map(|w| w.as_str()).collect();
        let (mut child, group) = start(&words, &self.env, cx)?;
        let errors = tokio::spawn(keep(child.stderr.take()));
        if let Some(stdout) = child.stdout.take() {
            output.read(stdout).await?;
        }
        let status = child.wait().await.map_err(StepError::rig)?;
        drop(group);
        if !status.success() {
            let errors = tokio::time::timeout(LAST_WORDS, errors).await;
            let errors = errors.ok().and_then(Result::ok).unwrap_or_default();
            let errors = String::from_utf8_lossy(&errors).trim().to_owned();
            let text = format!("{} ended with {status}: {errors}", words.join(" "));
            return Err(StepError::Plan(PlanCause::Command(text)));
        }
        let (path, lines) = output.finish()?;
        let of = kplan_dsl::words::count(lines.unsigned_abs(), "line");
        cx.stage.tell.emit(Event::Described {
            step: cx.id.to_owned(),
            title: format!("Output of {}", words.join(" ")),
            text: format!("{of} with ids of messages that {} read", client.name),
        });
        cx.stage.collected.put(&client.name, Collection { path, lines, lives });
        Ok(Done::default())
    }

    fn limit(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }
}

/// What a command prints, as the audit's history of a partition.
struct CollectedOutput {
    path: PathBuf,
    recorder: RunRecorder,
    /// The run's hash, and the number of the service's input, in identities.
    run: u64,
    input: u16,
    lines: i64,
    ids: Vec<TextId>,
}

impl CollectedOutput {
    fn create(client: &Client, work: &ServiceWork, cx: &Cx<'_>) -> Result<Self, StepError> {
        let number = cx.stage.collected.next();
        let run = cx.stage.run.id.clone();
        let input = cx.stage.topics.numbers([work.from.as_str()].into_iter());
        let common = client.spec.common();
        let header = Header {
            run: run.clone(),
            writer: Writer::Collected,
            client: client.name.clone(),
            client_id: client.id(),
            member: 1,
            life: u16::try_from(number).unwrap_or(u16::MAX),
            topics: vec![work.to.clone()],
            group: None,
            pid: std::process::id(),
        };
        let path = common.dir.join("history").join(format!("{}-{number}.collected", client.name));
        let writer = HistoryWriter::create(&path, &header).map_err(broken)?;
        let mut recorder = RunRecorder::new(writer);
        recorder.append(&edge(Mark::LogStart, 0)).map_err(broken)?;
        let input = input.get(&work.from).copied().unwrap_or(u16::MAX);
        Ok(Self { path, recorder, run: run_hash(&run), input, lines: 0, ids: Vec::new() })
    }

    async fn read(&mut self, stream: impl AsyncRead + Unpin) -> Result<(), StepError> {
        let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
        while stream.read_until(b'\n', &mut line).await.map_err(StepError::rig)? > 0 {
            self.take(&mem::take(&mut line)).map_err(broken)?;
        }
        Ok(())
    }

    /// Records a line in which identities of the input stand: each of them once.
    fn take(&mut self, line: &[u8]) -> Result<(), HistoryError> {
        let input = self.input;
        self.ids.clear();
        self.ids.extend(TextId::all(line, self.run).filter(|id| id.topic == input));
        if self.ids.is_empty() {
            return Ok(());
        }
        self.ids.sort_unstable();
        self.ids.dedup();
        let here = Message::at_offset(Mark::Foreign, (0, 0), self.lines, now_us());
        self.recorder.record(&here)?;
        for id in &self.ids {
            self.recorder.record(&Message {
                mark: Mark::Derived,
                client: id.client,
                life: id.life,
                source_partition: id.partition,
                seq: id.seq,
                ..here
            })?;
        }
        self.lines += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<(PathBuf, i64), StepError> {
        self.recorder.append(&edge(Mark::LogEnd, self.lines)).map_err(broken)?;
        Ok((self.path, self.lines))
    }
}

/// The beginning or the end of what was collected.
fn edge(mark: Mark, offset: i64) -> MessageRun {
    MessageRun { count: 0, ..Message::at_offset(mark, (0, 0), offset, now_us()).run() }
}

fn broken(error: HistoryError) -> StepError {
    StepError::rig(format!("what was collected cannot be recorded: {error}"))
}
