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
    /// Runs a command on the machine that kplan runs on, without a shell. It is refused without `--allow-run`.
    ///
    /// The command's time limit is the step's `timeout` (60s if it is not set). When the limit is reached, and also
    /// when the command ends, its whole process group is killed. The environment variable `KPLAN_BOOTSTRAP`
    /// contains the brokers' addresses, `KPLAN_RUN` the run's id. The report contains the first 64 KiB of its
    /// standard output and of its standard error.
    #[example("run: { command: [kcat, -L, -b, localhost:9092], expect: { exit: 0 } }")]
    pub struct Run("run") {
        /// The program and its arguments.
        command: Spanned<Vec<Spanned<String>>>,
        /// Additional environment variables.
        env: Settings,
        /// The expected result; an exit status of 0 if it is not set.
        #[weighs(Presence)]
        expect: Option<RunExpect>,
    }
}

args! {
    /// The expected result of a command.
    pub struct RunExpect("expect") {
        /// Its exit status.
        exit: i32 = "0",
        /// A text that the command must print.
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
        reader.needs_allow_run("`run`", span);
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        // A command may create topics that the checker does not know.
        ground.state.topics_unknown = true;
    }

    fn judges(&self) -> bool {
        true
    }
}
