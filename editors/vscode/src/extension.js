// What VS Code calls: the language server, the Test Explorer and the panel with the report, each in its own file.

const vscode = require("vscode");
const { Kplan } = require("./kplan");
const { Server } = require("./server");
const { Tests } = require("./tests");
const { Panel } = require("./panel");

let server;
let kplan;

async function activate(context) {
  kplan = new Kplan();
  server = new Server(kplan);
  const panel = new Panel();
  const tests = new Tests(kplan, panel);
  context.subscriptions.push(
    tests,
    panel,
    vscode.commands.registerCommand("kplan.restart", () => server.restart()),
    vscode.commands.registerCommand("kplan.showReport", (item) => panel.show(item?.id)),
    // The code lens of the server: the plan, or one combination of its matrix.
    vscode.commands.registerCommand("kplan.run", ({ uri, cell }) => tests.runLens(vscode.Uri.parse(uri), cell)),
    vscode.workspace.onDidOpenTextDocument((document) => server.opened(document)),
    vscode.workspace.onDidChangeTextDocument(({ document }) => server.opened(document)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("kplan.path") || event.affectsConfiguration("kplan.arguments")) server.restart();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => server.restart()),
  );
  vscode.workspace.textDocuments.forEach((document) => server.opened(document));
  await tests.discover();
}

async function deactivate() {
  await Promise.all([server?.stop(), kplan?.interruptAll()]);
}

module.exports = { activate, deactivate };
