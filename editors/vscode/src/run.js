// One run of `kplan run` for one test of the Test Explorer, and its results.

const { mkdtemp, readFile, rm } = require("node:fs/promises");
const os = require("node:os");
const path = require("node:path");
const vscode = require("vscode");

const lines = (text) => text.replace(/\r?\n/g, "\r\n");

/** The tests that have a result of their own: the combinations of a plan, or the plan. */
const leavesOf = (item) => (item.children.size > 0 ? [...item.children].map(([, child]) => child) : [item]);

/** Runs a plan or one combination of its matrix, and puts what the report says into `run`. */
async function runPlan(kplan, panel, run, item) {
  const tests = leavesOf(item);
  const note = (text) => run.appendOutput(lines(text), undefined, tests.length === 1 ? tests[0] : undefined);
  if (!vscode.workspace.isTrusted) {
    const text = "This workspace is not trusted, so no plan of it is run: a plan can start programs.";
    tests.forEach((test) => run.errored(test, new vscode.TestMessage(text)));
    return;
  }
  const { path: command, common, run: more } = kplan.settings(item.uri);
  const cwd = kplan.directory(item.uri);
  const reports = await mkdtemp(path.join(os.tmpdir(), "kplan-report-"));
  try {
    const [json, html] = ["report.json", "report.html"].map((name) => path.join(reports, name));
    const pinned = Object.entries(item.cell ?? {}).flatMap(([key, value]) => ["--param", `${key}=${value}`]);
    const args = ["run", item.uri.fsPath, ...pinned, ...common, ...more];
    note(`${command} ${args.join(" ")}\n`);
    tests.forEach((test) => run.started(test));
    const end = await kplan.start(item.uri, [...args, "--json", json, "--html", html], { token: run.token, heard: note });
    const report = await readFile(json, "utf8").then(JSON.parse, () => undefined);
    if (report) {
      panel.keep([item, ...tests].map((test) => test.id), {
        title: `kplan: ${path.basename(item.uri.fsPath)}`, html: await readFile(html, "utf8"),
      });
    }
    if (run.token.isCancellationRequested) tests.forEach((test) => run.skipped(test));
    else if (report) tests.forEach((test) => judge(run, test, report, cwd));
    else await refused(kplan, run, item, tests, end, cwd);
  } catch (error) {
    const message = new vscode.TestMessage(`kplan cannot be started: ${error.message}`);
    tests.forEach((test) => run.errored(test, message));
    kplan.explain(error, item.uri);
  } finally {
    await rm(reports, { recursive: true, force: true });
  }
}

/** The result of one test, from all its suites that count. */
function judge(run, test, report, cwd) {
  const cell = test.cell && test.label;
  const suites = report.suites.filter((suite) => suite.counts && (cell === undefined || suite.cell === cell));
  const took = suites.reduce((sum, suite) => sum + suite.took_ms, 0);
  const messages = suites.flatMap((suite) => messagesOf(suite, cwd));
  const any = (verdict) => suites.some((suite) => suite.verdict === verdict);
  if (any("failed")) run.failed(test, messages, took);
  else if (any("broken")) run.errored(test, messages, took);
  else if (suites.some((suite) => suite.verdict === "passed")) run.passed(test, took);
  else if (suites.length === 0 && report.trouble) run.errored(test, new vscode.TestMessage(report.trouble));
  // Not begun, or all of it skipped.
  else run.skipped(test);
}

const KINDS = {
  failed: "failed",
  inconclusive: "inconclusive",
  timeout: "did not hold in time",
  broken: "broken, the rig failed",
};

/** Everything that went wrong in a suite, each at its line. What is optional fails nothing. */
function messagesOf(suite, cwd) {
  return suite.troubles.filter((trouble) => !trouble.optional).flatMap((trouble) => {
    const at = (line, ...parts) => messageAt(parts.join("\n"), trouble.file, line, cwd);
    const step = suite.steps.find((each) => each.id === trouble.step);
    const wrong = (step?.conditions ?? []).filter(({ judged }) => judged === "does_not_hold" || judged === "inconclusive");
    if (wrong.length === 0) {
      return [at(trouble.line, `${KINDS[trouble.kind]}: ${trouble.title}`, trouble.message, ...trouble.evidence)];
    }
    return wrong.map(({ condition, line, judged, expected, found, evidence }) => {
      const kind = KINDS[judged === "inconclusive" ? judged : trouble.kind];
      return at(line, `${kind}: ${found}`, condition, `expected: ${expected}`, ...evidence, ...trouble.evidence);
    });
  });
}

function messageAt(text, file, line, cwd) {
  const message = new vscode.TestMessage(text);
  message.location = new vscode.Location(vscode.Uri.file(path.resolve(cwd, file)), new vscode.Position(line - 1, 0));
  return message;
}

/** kplan wrote no report: the plan has errors, or the command line has. */
async function refused(kplan, run, item, tests, end, cwd) {
  const { common } = kplan.settings(item.uri);
  const answer = await kplan.start(item.uri, ["check", item.uri.fsPath, "--format", "json", ...common]);
  let errors = [];
  try {
    errors = JSON.parse(answer.stdout).diagnostics.filter((each) => each.severity === "error");
  } catch {
    // No report of the check either: what the run said is shown.
  }
  const messages = errors.map((wrong) => {
    const text = [`${wrong.code}: ${wrong.message}`, wrong.help].filter(Boolean).join("\n");
    return messageAt(text, wrong.file, wrong.line, cwd);
  });
  const said = end.stderr.trim() || `kplan ended with ${end.signal ?? `exit status ${end.status}`}`;
  const shown = messages.length > 0 ? messages : [new vscode.TestMessage(said)];
  tests.forEach((test) => run.errored(test, shown));
}

module.exports = { leavesOf, runPlan };
