// Asks the YAML language server, as editors do, about kplan's plans: completion, hover, mistakes.
// Usage: node check.mjs REPOSITORY

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = process.argv[2];
const SETTINGS = {
  yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false } },
  http: {},
  editor: { tabSize: 2 },
};
// No answer within this time is a failure, not a hang.
const PATIENCE_MS = 30_000;

const wrong = [];
const expect = (holds, what) => void (holds || wrong.push(what));

const server = spawn(process.execPath, [join(here, "node_modules/yaml-language-server/bin/yaml-language-server"), "--stdio"], {
  stdio: ["pipe", "pipe", "inherit"],
});
const line = createMessageConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
const waiting = new Map();
line.onNotification("textDocument/publishDiagnostics", ({ uri, diagnostics }) => waiting.get(uri)?.(diagnostics));
line.onRequest("workspace/configuration", ({ items }) =>
  items.map(({ section }) => section.split(".").reduce((at, key) => at?.[key], SETTINGS) ?? null));
line.onRequest("client/registerCapability", () => null);
line.onRequest("custom/schema/content", () => null);
line.listen();

const soon = (promise, what) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// The server keeps what it read under a file's name, so each text has a name of its own.
let opened = 0;
const fresh = () => `plans/unsaved-${(opened += 1)}.yaml`;

/** Opens a text as a file of the repository; gives back its address and the mistakes that are shown. */
async function open(path, text) {
  const uri = pathToFileURL(join(root, path)).href;
  const told = new Promise((resolve) => waiting.set(uri, resolve));
  await line.sendNotification("textDocument/didOpen", {
    textDocument: { uri, languageId: "yaml", version: 1, text },
  });
  const diagnostics = await soon(told, path);
  waiting.delete(uri);
  return { uri, diagnostics };
}

const close = (uri) => line.sendNotification("textDocument/didClose", { textDocument: { uri } });

/** A plan with a `|` where the cursor stands, in a file that does not exist. */
async function at(steps, method) {
  const marked = `# yaml-language-server: $schema=../schemas/plan.schema.json\nplan: v1\nname: x\nsteps:\n${steps}`;
  const before = marked.slice(0, marked.indexOf("|")).split("\n");
  const position = { line: before.length - 1, character: before.at(-1).length };
  const { uri } = await open(fresh(), marked.replace("|", ""));
  const answer = await soon(line.sendRequest(method, { textDocument: { uri }, position }), method);
  await close(uri);
  return answer;
}

const plain = (content) => (typeof content === "string" ? content : content?.value ?? "");

async function completion(steps, wanted) {
  const answer = await at(steps, "textDocument/completion");
  const items = new Map((answer?.items ?? answer ?? []).map((item) => [item.label, plain(item.documentation)]));
  for (const [label, text] of Object.entries(wanted)) {
    expect(items.has(label), `completion of ${JSON.stringify(steps)}: no ${label} among ${[...items.keys()].slice(0, 60)}`);
    expect((items.get(label) ?? "").includes(text), `completion of ${label}: ${items.get(label)}`);
  }
  return items;
}

async function hover(steps, text) {
  const answer = await at(steps, "textDocument/hover");
  const shown = plain(answer?.contents);
  // Markdown shows some characters escaped.
  expect(shown.replaceAll("\\", "").replaceAll("&nbsp;", " ").includes(text), `hover over ${JSON.stringify(steps)}: ${shown}`);
}

async function mistake(text, expectedLine, words) {
  const head = "# yaml-language-server: $schema=../schemas/plan.schema.json\n";
  const { uri, diagnostics } = await open(fresh(), head + text);
  await close(uri);
  const lines = diagnostics.map((d) => d.range.start.line + 1);
  expect(lines.includes(expectedLine), `${JSON.stringify(text)}: mistakes on lines ${lines}, expected ${expectedLine}`);
  const messages = diagnostics.map((d) => d.message).join("; ");
  expect(messages.includes(words), `${JSON.stringify(text)}: ${messages}`);
}

const yaml = (folder) =>
  readdirSync(join(root, folder)).filter((name) => name.endsWith(".yaml")).map((name) => join(folder, name)).sort();

async function main() {
  await soon(line.sendRequest("initialize", {
    processId: process.pid,
    rootUri: pathToFileURL(root).href,
    workspaceFolders: [{ uri: pathToFileURL(root).href, name: "kplan" }],
    capabilities: {
      textDocument: {
        completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
        hover: { contentFormat: ["markdown"] },
        publishDiagnostics: {},
      },
      workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
    },
  }), "initialize");
  await line.sendNotification("initialized", {});
  await line.sendNotification("workspace/didChangeConfiguration", { settings: SETTINGS });

  let clean = 0;
  for (const path of [...yaml("plans"), ...yaml("examples"), ...yaml("examples/parts")]) {
    const { uri, diagnostics } = await open(path, readFileSync(join(root, path), "utf8"));
    for (const d of diagnostics) wrong.push(`${path}:${d.range.start.line + 1}: ${d.message}`);
    clean += 1;
    await close(uri);
  }
  expect(clean > 80, `only ${clean} plans were found`);

  await completion("  - |\n", {
    kill_broker: "SIGKILL",
    start_producer: "identity",
    assert: "",
    stop_client: "",
  });
  await completion("  - kill|\n", { kill_broker: "SIGKILL", kill_client: "SIGKILL" });
  await completion("  - start_producer:\n      name: P\n      |\n", {
    rate: "messages a second",
    acks: "acknowledgements",
    transactional: "transactions",
  });
  await completion("  - restart_broker:\n      broker: 1\n      how: |\n", { kill: "", stop: "" });
  await completion("  - assert:\n      - |\n", { lost: "acknowledged", undelivered: "", unavailable: "" });
  await completion("  - wait: 1s\n    |\n", { name: "reports", optional: "", timeout: "" });

  await hover("  - kill_|broker: 2\n", "Kills brokers with SIGKILL");
  await hover("  - start_producer:\n      name: P\n      topic: orders\n      ra|te: 200/s\n", "How many messages a second");
  await hover("  - assert:\n      - los|t: 0\n", "acknowledged");
  await hover("  - wait: 1s\n    opti|onal: true\n", "the plan goes on");

  await mistake("plan: v1\nname: x\nsteps:\n  - start_cluster\n  - kil_broker: 2\n", 6, "kil_broker");
  await mistake("plan: v1\nname: x\nsteps:\n  - start_cluster:\n      brokers: 3\n      brokres: 3\n", 7, "brokres");
  await mistake("plan: v1\nname: x\nsteps:\n  - wait: 30\n", 5, "");
  await mistake("plan: v1\nname: x\nsteps:\n  - start_cluster\n  - start_producer:\n      name: P\n", 6, "topic");
  await mistake("plan: v2\nname: x\nsteps:\n  - start_cluster\n", 2, "v1");
  await mistake("plan: v1\nname: x\nsteps:\n  - assert:\n      - lots: 0\n", 6, "lots");

  return clean;
}

let clean = 0;
try {
  clean = await main();
} catch (error) {
  wrong.push(String(error.message ?? error));
}
server.kill();
for (const each of wrong) console.error(`wrong: ${each}`);
console.log(`editor: ${clean} plans without a mistake in the language server, ${wrong.length} wrong`);
process.exit(wrong.length > 0 ? 1 : 0);
