// The HTML page of a run in a panel beside the plan.

const vscode = require("vscode");

class Panel {
  constructor() {
    // The page of the newest run of each test.
    this.pages = new Map();
    this.newest = undefined;
    this.panel = undefined;
  }

  keep(ids, page) {
    ids.forEach((id) => this.pages.set(id, page));
    this.newest = page;
    vscode.commands.executeCommand("setContext", "kplan.reported", [...this.pages.keys()]);
  }

  show(id) {
    const page = this.pages.get(id) ?? this.newest;
    if (!page) {
      vscode.window.showInformationMessage("No plan was run in this window: run one in the Test Explorer first.");
      return;
    }
    if (!this.panel) {
      // The page holds its own policy: only its own script runs, and nothing is loaded.
      const options = { enableScripts: true, retainContextWhenHidden: true, localResourceRoots: [] };
      this.panel = vscode.window.createWebviewPanel("kplan.report", "kplan", vscode.ViewColumn.Beside, options);
      this.panel.onDidDispose(() => (this.panel = undefined));
    }
    this.panel.title = page.title;
    this.panel.webview.html = page.html;
    this.panel.reveal();
  }

  dispose() {
    this.panel?.dispose();
  }
}

module.exports = { Panel };
