// The Test Explorer: every plan of the workspace is a test, the combinations of its matrix are its children.

const vscode = require("vscode");
const { kindOf } = require("./kplan");
const { leavesOf, runPlan } = require("./run");

const FILES = "**/*.{yaml,yml}";
// As `kplan list DIRECTORY`: nothing that is hidden. Packages of others and builds are no plans of the workspace either.
const LEFT_OUT = /(^|\/)(\.[^/]*|node_modules|target)\//;

/** A combination of the matrix, as the report names it. */
const titleOf = (cell) => Object.entries(cell).map(([key, value]) => `${key}=${value}`).join(", ");

class Tests {
  constructor(kplan, panel) {
    this.kplan = kplan;
    this.panel = panel;
    // The tests whose combinations were asked for.
    this.resolved = new WeakSet();
    this.controller = vscode.tests.createTestController("kplan", "kplan");
    this.controller.resolveHandler = (item) => (item ? this.resolve(item) : this.discover());
    this.controller.refreshHandler = () => this.discover();
    this.controller.createRunProfile("Run", vscode.TestRunProfileKind.Run, (request) => this.run(request), true);
    this.watcher = vscode.workspace.createFileSystemWatcher(FILES);
    this.watcher.onDidCreate((uri) => this.look(uri));
    this.watcher.onDidChange((uri) => this.look(uri));
    this.watcher.onDidDelete((uri) => this.controller.items.delete(uri.toString()));
  }

  async discover() {
    const files = await vscode.workspace.findFiles(FILES);
    const known = new Set(files.map(String));
    this.controller.items.forEach((item) => known.has(item.id) || this.controller.items.delete(item.id));
    await Promise.all(files.map((uri) => this.look(uri)));
  }

  /** Makes a file's test, or removes it where the file is no plan. */
  async look(uri) {
    const id = uri.toString();
    const path = vscode.workspace.asRelativePath(uri, false);
    // A file that cannot be read is no plan.
    const read = () => vscode.workspace.fs.readFile(uri).then((bytes) => new TextDecoder().decode(bytes), () => "");
    const text = LEFT_OUT.test(path) ? "" : await read();
    if (kindOf(text) !== "plan") {
      this.controller.items.delete(id);
      return undefined;
    }
    let item = this.controller.items.get(id);
    if (!item) {
      item = this.controller.createTestItem(id, path, uri);
      item.canResolveChildren = true;
      item.range = new vscode.Range(0, 0, 0, 0);
      this.controller.items.add(item);
    } else if (this.resolved.has(item)) {
      await this.resolve(item);
    }
    return item;
  }

  /** Asks kplan for the combinations of a plan. One with errors has none. */
  async resolve(item) {
    if (item.parent) return;
    const { common } = this.kplan.settings(item.uri);
    const args = ["list", item.uri.fsPath, "--format", "json", ...common];
    const answer = await this.kplan.start(item.uri, args).catch((error) => {
      this.kplan.explain(error, item.uri);
    });
    if (!answer) return;
    const plan = answer.status === 0 ? JSON.parse(answer.stdout).plans[0] : undefined;
    item.description = plan?.name;
    item.tags = (plan?.tags ?? []).map((tag) => new vscode.TestTag(tag));
    const cells = (plan?.suites ?? []).map((suite) => suite.cell).filter((cell) => Object.keys(cell).length > 0);
    item.children.replace(cells.map((cell) => {
      const id = `${item.id}#${titleOf(cell)}`;
      // One that is there already keeps its result.
      const child = item.children.get(id) ?? this.controller.createTestItem(id, titleOf(cell), item.uri);
      child.range = item.range;
      child.cell = cell;
      return child;
    }));
    item.canResolveChildren = cells.length > 0;
    this.resolved.add(item);
  }

  /** What the code lens names: a plan, or one of its combinations. */
  async runLens(uri, cell) {
    const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri.toString());
    await document?.save();
    const item = await this.look(uri);
    if (!item) return;
    await this.resolve(item);
    const chosen = Object.keys(cell).length === 0 ? item : item.children.get(`${item.id}#${titleOf(cell)}`);
    if (chosen) await this.run(new vscode.TestRunRequest([chosen]));
  }

  async run(request) {
    const run = this.controller.createTestRun(request);
    try {
      const wanted = await this.wanted(request);
      wanted.flatMap(leavesOf).forEach((test) => run.enqueued(test));
      for (const item of wanted) {
        if (run.token.isCancellationRequested) leavesOf(item).forEach((test) => run.skipped(test));
        else await runPlan(this.kplan, this.panel, run, item);
      }
    } finally {
      run.end();
    }
  }

  /** The plans and combinations of a request. A plan is run as a whole, unless some of its combinations are left out. */
  async wanted({ include, exclude = [] }) {
    const roots = include ?? [...this.controller.items].map(([, item]) => item);
    for (const item of roots) await this.resolve(item);
    const parts = roots.flatMap((item) => (leavesOf(item).some((test) => exclude.includes(test)) ? leavesOf(item) : [item]));
    return parts.filter((item) => !exclude.includes(item));
  }

  dispose() {
    this.watcher.dispose();
    this.controller.dispose();
  }
}

module.exports = { Tests };
