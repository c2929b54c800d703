// Reads every diagram that is given with Mermaid's own parser.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

// Mermaid cleans texts with a sanitizer that wants a document.
const { window } = new JSDOM("<!DOCTYPE html><body></body>");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

// What must not pass, so that a parser that takes everything is noticed.
const refused = await mermaid.parse("gantt\n    dateFormat X\n    nonsense ((\n", { suppressErrors: true });
if (refused !== false) {
  console.error("mermaid: the parser takes everything");
  process.exit(1);
}

let wrong = 0;
for (const path of process.argv.slice(2)) {
  try {
    const text = readFileSync(path, "utf8");
    const { diagramType } = await mermaid.parse(text);
    const tasks = text.split("\n").filter((line) => / :/.test(line)).length;
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const read = db.getTasks();
    if (diagramType !== "gantt" || read.length !== tasks) {
      throw new Error(`${diagramType}: ${read.length} of ${tasks} bars were read`);
    }
    for (const task of read) {
      if (!(task.startTime < task.endTime)) throw new Error(`"${task.task}" has no length`);
    }
    console.log(`${path}: ${tasks} bars`);
  } catch (error) {
    console.error(`${path}: ${error.message ?? error}`);
    wrong += 1;
  }
}
process.exit(wrong === 0 ? 0 : 1);
