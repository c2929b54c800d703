//! `run`

use super::StepWord;
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::Settings;

args! {
    /// Runs a command on this machine, without a shell. Refused without `--allow-run`.
    ///
    /// It has the step's `timeout` (60s unless said otherwise); then, and whenever it ends, its whole
    /// process group is killed. `KPLAN_BOOTSTRAP` holds the brokers' addresses and `KPLAN_RUN` the
    /// run's id. The first 64 KiB of each of its outputs are in the report.
    #[example("run: { command: [kcat, -L, -b, localhost:9092], expect: { exit: 0 } }")]
    pub struct Run("run") {
        /// The program and its arguments.
        command: Spanned<Vec<Spanned<String>>>,
        /// Environment variables beside the usual ones.
        env: Settings,
        /// What must come of it; an exit status of 0 unless said otherwise.
        #[weighs(Presence)]
        expect: Option<RunExpect>,
    }
}

args! {
    /// What must come of a command.
    pub struct RunExpect("expect") {
        /// Its exit status.
        exit: i32 = "0",
        /// A text that it must print.
        stdout: Option<String>,
    }
}

impl StepWord for Run {
    const FACTS: StepFacts = StepFacts::of(Kind::Program);

    fn explain(&self) -> String {
        let command: Vec<&str> = self.command.iter().map(|c| c.as_str()).collect();
        format!("Run {}", command.join(" "))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.command.is_empty() {
            let message = "the command is empty";
            reader.push(Diagnostic::new(Code::E015, self.command.span, message));
        }
        if !reader.scope.allows_run() {
            let message = "`run` is not allowed";
            let help = "allow commands with --allow-run, if you trust the plan";
            reader.push(Diagnostic::new(Code::E072, span, message).help(help));
        }
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        // A command may make topics that nobody here knows of.
        ground.state.topics_unknown = true;
    }

    fn judges(&self) -> bool {
        true
    }
}
