//! The content of an explanation, independent of its format.

use super::capital;
use super::sentence::sentence;
use super::timeline::Timeline;
use crate::facts::Kind;
use crate::plan::{Always, Param, Plan, Step};
use crate::steps::{Children, Verb};
use crate::value::External;
use crate::visible;
use crate::words::{Sentence, spoken};

/// The content of an explanation of a plan.
pub(super) struct Minutes {
    pub name: String,
    pub path: String,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub params: Vec<Param>,
    pub timeout: String,
    /// The combination that is explained; none without a matrix.
    pub cell: Option<String>,
    /// The other combinations with their differences.
    pub others: Vec<Other>,
    pub clusters: Vec<String>,
    /// The clients of other programs, with what runs them.
    pub clients: Vec<String>,
    /// The topics and groups of programs outside the plan.
    pub external: Option<String>,
    pub steps: Vec<Line>,
    /// The checks after the last step that does something.
    pub end: Vec<String>,
    pub always: Vec<String>,
    pub finally: Vec<Line>,
    pub timeline: Timeline,
}

/// Another combination of the matrix.
pub(super) struct Other {
    pub label: String,
    pub differs: Vec<String>,
}

/// A step, or the name of a branch.
#[derive(Clone, PartialEq)]
pub(super) struct Line {
    /// The number; none for the name of a branch.
    pub id: String,
    pub depth: usize,
    pub name: Option<String>,
    pub text: String,
    pub points: Vec<String>,
}

/// The longest piece of text, in bytes.
const LONGEST: usize = 2_000;
/// The greatest number of steps that are shown. A plan may have many thousands.
const MOST_LINES: usize = 500;

impl Minutes {
    /// The content for the first suite, with the differences of the others.
    pub fn of(suites: &[Plan]) -> Option<Self> {
        let plan = suites.first()?;
        let (steps, finally) = (lines(&plan.steps), lines(&plan.finally));
        let own = [steps.as_slice(), finally.as_slice()].concat();
        let others = suites.iter().skip(1).map(|other| Other::of(other, &own)).collect();
        let minutes = Self {
            name: plan.name.to_string(),
            path: plan.path.display().to_string(),
            description: plan.description.as_ref().map(|d| d.trim().to_owned()),
            tags: plan.tags.clone(),
            params: plan.params.clone(),
            timeout: spoken(plan.timeout.value),
            cell: plan.cell_label(),
            others,
            clusters: clusters(&plan.steps),
            clients: plan
                .programs()
                .into_iter()
                .map(crate::value::ChosenClient::in_words)
                .collect(),
            external: plan
                .external
                .as_ref()
                .map(External::in_words)
                .filter(|words| !words.is_empty()),
            end: at_the_end(&plan.steps),
            always: plan.always.iter().flat_map(always).collect(),
            timeline: Timeline::of(plan),
            steps,
            finally,
        };
        Some(minutes.shown())
    }

    /// All texts made safe to show: the plan may come from a stranger.
    fn shown(mut self) -> Self {
        let heads = [&mut self.name, &mut self.path].into_iter();
        let heads = heads.chain(&mut self.tags).chain(&mut self.cell).chain(&mut self.clusters);
        let heads = heads.chain(&mut self.clients).chain(&mut self.external);
        let others = self.others.iter_mut();
        let others = others.flat_map(|o| o.differs.iter_mut().chain([&mut o.label]));
        let params = self
            .params
            .iter_mut()
            .flat_map(|p| [&mut p.name, &mut p.value].into_iter().chain(&mut p.description));
        let lines = self.steps.iter_mut().chain(&mut self.finally).flat_map(|line| {
            line.points.iter_mut().chain([&mut line.id, &mut line.text]).chain(&mut line.name)
        });
        let lanes = self.timeline.lanes.iter_mut().map(|lane| &mut lane.name);
        let titles = self.timeline.steps.iter_mut().flat_map(|(id, title)| [id, title]);
        let texts = heads.chain(others).chain(params).chain(lines).chain(lanes).chain(titles);
        let texts = texts.chain(&mut self.end).chain(&mut self.always);
        texts.for_each(|text| *text = visible::one_line_within(text, LONGEST));
        if let Some(text) = &mut self.description {
            *text = visible::visible(text).into_owned();
        }
        self
    }
}

impl Other {
    fn of(plan: &Plan, first: &[Line]) -> Self {
        let own = [lines(&plan.steps), lines(&plan.finally)].concat();
        let differs =
            own.iter().filter(|line| !first.contains(line)).map(Line::on_one_line).collect();
        Self { label: plan.cell_label().unwrap_or_default(), differs }
    }
}

impl Line {
    /// On one line.
    fn on_one_line(&self) -> String {
        let points = self.points.join("; ");
        format!("step {}: {} {points}", self.id, self.text).trim_end().to_owned()
    }
}

fn lines(steps: &[Step]) -> Vec<Line> {
    let mut all = Vec::new();
    add_lines(steps, 0, &mut all);
    all
}

fn add_lines(steps: &[Step], depth: usize, all: &mut Vec<Line>) {
    for (index, step) in steps.iter().enumerate() {
        if all.len() >= MOST_LINES {
            let left = crate::words::count((steps.len() - index) as u64, "more step");
            let (id, name, points) = (String::new(), None, Vec::new());
            all.push(Line { id, depth, name, text: format!("... and {left}."), points });
            return;
        }
        let Sentence { text, points } = sentence(step);
        let name = step.head.name.as_ref().map(ToString::to_string);
        all.push(Line { id: step.head.id.to_string(), depth, name, text, points });
        match step.verb().map(Verb::children) {
            Some(Children::Branches(branches)) => {
                for branch in branches {
                    let (id, text) = (String::new(), format!("{}:", branch.name));
                    all.push(Line { id, depth: depth + 1, name: None, text, points: Vec::new() });
                    add_lines(&branch.steps, depth + 2, all);
                }
            }
            // The rounds of a loop differ by one value, which the sentence of the loop lists.
            _ => {
                if let Some(first) = step.children().first() {
                    add_lines(first, depth + 1, all);
                }
            }
        }
    }
}

/// The lists of steps inside a step; for a loop those of one round.
pub(super) fn rounds(step: &Step) -> Vec<&[Step]> {
    let mut all = step.children();
    if matches!(step.verb().map(Verb::children), Some(Children::Rounds(_))) {
        all.truncate(1);
    }
    all
}

/// All steps in the order in which they run, those of a loop once, each with the fault that ends after it.
fn flat(steps: &[Step]) -> Vec<&Step> {
    let mut all = Vec::new();
    for step in steps {
        all.push(step);
        all.extend(rounds(step).into_iter().flat_map(flat));
        // The fault is undone after its own steps, which are in the middle of the plan.
        if !step.during().is_empty() {
            all.push(step);
        }
    }
    all
}

fn clusters(steps: &[Step]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for step in flat(steps) {
        if let Some(Verb::StartCluster(it)) = step.verb() {
            let text = it.in_words();
            if !all.contains(&text) {
                all.push(text);
            }
        }
    }
    all
}

/// The asserts after the last step that does something.
fn at_the_end(steps: &[Step]) -> Vec<String> {
    let looks = |step: &&&Step| {
        let facts = step.head.facts;
        facts.goes_on || matches!(facts.kind, Kind::Observation | Kind::Note)
    };
    let runs = |step: &Step| step.head.when.as_ref().is_none_or(|w| w.known() != Some(false));
    let all = flat(steps);
    let mut last: Vec<&Step> = all.iter().rev().take_while(looks).copied().collect();
    last.reverse();
    let judging = last.into_iter().filter(|step| runs(step) && step.head.facts.goes_on);
    let checks = judging.filter_map(Step::verb).flat_map(|verb| {
        let conditions = verb.conditions().into_iter().flat_map(|all| all.clauses());
        conditions.chain(verb.finds()).map(|clause| capital(&clause)).collect::<Vec<_>>()
    });
    checks.collect()
}

fn always(it: &Always) -> Vec<String> {
    let span = match (&it.from, &it.to) {
        (None, None) => String::new(),
        (Some(from), None) => format!(", from the end of \"{from}\" on"),
        (None, Some(to)) => format!(", until \"{to}\" begins"),
        (Some(from), Some(to)) => format!(", from the end of \"{from}\" until \"{to}\" begins"),
    };
    it.that.iter().map(|c| format!("{}{span}", capital(&c.clause()))).collect()
}
