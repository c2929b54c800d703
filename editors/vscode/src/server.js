// The language server `kplan lsp`. It is started when the first plan or fragment is opened.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");
const { kindOf } = require("./kplan");

class Server {
  constructor(kplan) {
    this.kplan = kplan;
    this.client = undefined;
    // Starts and stops follow one another.
    this.turn = Promise.resolve();
  }

  opened(document) {
    if (!this.wanted && document.languageId === "yaml" && kindOf(document.getText())) {
      this.wanted = true;
      this.restart();
    }
  }

  restart() {
    this.turn = this.turn.then(async () => {
      await this.end();
      if (this.wanted) await this.start();
    });
    return this.turn;
  }

  stop() {
    this.turn = this.turn.then(() => this.end());
    return this.turn;
  }

  async start() {
    const { path, common } = this.kplan.settings();
    // Asked first: the client would try several times, and show each time another message than what to do.
    try {
      await this.kplan.start(undefined, ["--version"]);
    } catch (error) {
      this.kplan.explain(error);
      return;
    }
    const command = { command: path, args: ["lsp", ...common] };
    const options = { documentSelector: [{ scheme: "file", language: "yaml" }] };
    this.client = new LanguageClient("kplan", "kplan", command, options);
    try {
      await this.client.start();
    } catch (error) {
      this.client = undefined;
      vscode.window.showErrorMessage(
        `The language server of kplan does not start: ${error.message}. See the output channel kplan, and the setting kplan.arguments.`,
      );
    }
  }

  async end() {
    const client = this.client;
    this.client = undefined;
    await client?.stop().catch(() => {});
  }
}

module.exports = { Server };
