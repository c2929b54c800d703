// Starts kplan: its settings, its processes, and what to do when it is not there.

const { spawn } = require("node:child_process");
const { dirname } = require("node:path");
const vscode = require("vscode");

/** `plan`, `fragment`, or nothing for another YAML file: as `kplan lsp` recognizes them. */
const kindOf = (text) => {
  const [, kind, version] = /^(plan|fragment):(.*)$/m.exec(text) ?? [];
  return /^\s*v\d/.test(version) || (kind && /^steps:/m.test(text)) ? kind : undefined;
};

// Once only: kplan takes a second signal as the wish to end at once.
const interrupted = new WeakSet();
const interrupt = (child) => {
  if (interrupted.has(child)) return;
  interrupted.add(child);
  child.kill("SIGINT");
};

class Kplan {
  constructor() {
    this.running = new Set();
  }

  settings(uri) {
    const all = vscode.workspace.getConfiguration("kplan", uri);
    return { path: all.get("path"), common: all.get("arguments"), run: all.get("runArguments") };
  }

  /** Where kplan runs for a file: paths in settings and reports are relative to it. */
  directory(uri) {
    return vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath ?? dirname(uri.fsPath);
  }

  /**
   * Runs kplan to its end in a process group of its own, so that no signal reaches it but by `token`: SIGINT, after
   * which kplan removes what it started. Its end is waited for.
   */
  start(uri, args, { token, heard = () => {} } = {}) {
    const { path } = this.settings(uri);
    return new Promise((resolve, reject) => {
      const cwd = uri && this.directory(uri);
      const child = spawn(path, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
      const told = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"]) {
        child[name].setEncoding("utf8").on("data", (text) => {
          told[name] += text;
          heard(text);
        });
      }
      this.running.add(child);
      const cancelled = token?.onCancellationRequested(() => interrupt(child));
      const over = () => {
        this.running.delete(child);
        cancelled?.dispose();
      };
      child.on("error", (error) => {
        over();
        reject(error);
      });
      child.on("close", (status, signal) => {
        over();
        resolve({ status, signal, ...told });
      });
      if (token?.isCancellationRequested) interrupt(child);
    });
  }

  /** Shows why kplan could not be started. */
  async explain(error, uri) {
    const { path } = this.settings(uri);
    const reason = error.code === "ENOENT" ? "there is no such command or file" : error.message;
    const open = "Open the Setting";
    const text = `kplan cannot be started as \`${path}\`: ${reason}. Install kplan, or name its file in the setting kplan.path.`;
    if ((await vscode.window.showErrorMessage(text, open)) === open) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "kplan.path");
    }
  }

  /** Interrupts what still runs, and waits for it as long as VS Code does. */
  interruptAll() {
    return Promise.all([...this.running].map((child) => new Promise((resolve) => {
      child.once("close", resolve);
      interrupt(child);
    })));
  }
}

module.exports = { Kplan, kindOf };
