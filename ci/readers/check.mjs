// Reads kplan's JUnit with the parsers behind common GitHub actions: `node check.mjs DIRECTORY`.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import * as junit2json from "junit2json";
import testResults from "test-results-parser";
import xmlJs from "xml-js";
import xml2js from "xml2js";

// What each kind of run must show: tests, failures and errors together, skipped.
const EXPECTED = {
  passing: [10, 0, 0], failing: [10, 1, 0], broken: [10, 1, 8], killed: [11, 2, 5],
  interrupted: [12, 3, 5], outage: [30, 1, 0], flaky: [10, 0, 9],
};
const [directory] = process.argv.slice(2);
const wrong = [];
const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

const count = (cases, failed, skipped) =>
  [cases.length, cases.filter(failed).length, cases.filter(skipped).length];

const readers = {
  async xml2js(text) {
    const { testsuites } = await xml2js.parseStringPromise(text);
    const cases = list(testsuites.testsuite).flatMap((s) => list(s.testcase));
    for (const one of cases.flatMap((c) => [...list(c.failure), ...list(c.error)])) {
      if (!one.$.message || !one._) throw new Error("a failure without message and body");
    }
    return count(cases, (c) => c.failure || c.error, (c) => c.skipped);
  },
  // As the reporter of action-junit-report reads it: the compact form, attributes apart.
  async "xml-js"(text) {
    const { testsuites } = xmlJs.xml2js(text, { compact: true });
    const cases = list(testsuites.testsuite).flatMap((s) => list(s.testcase));
    for (const one of cases.filter((c) => c._attributes.name !== "the run")) {
      if (!one._attributes.file || !(Number(one._attributes.line) > 0)) throw new Error("no file and line");
    }
    return count(cases, (c) => c.failure || c.error, (c) => c.skipped);
  },
  async junit2json(text) {
    const suites = await junit2json.parse(text);
    const cases = list(suites.testsuite).flatMap((s) => list(s.testcase));
    return count(cases, (c) => c.failure || c.error, (c) => c.skipped);
  },
  async "fast-xml-parser"(text) {
    const valid = XMLValidator.validate(text);
    if (valid !== true) throw new Error(JSON.stringify(valid.err));
    const parser = new XMLParser({ ignoreAttributes: false, isArray: (name) => ["testsuite", "testcase"].includes(name) });
    const { testsuites } = parser.parse(text);
    const cases = list(testsuites.testsuite).flatMap((s) => list(s.testcase));
    const has = (c, name) => Object.hasOwn(c, name);
    return count(cases, (c) => has(c, "failure") || has(c, "error"), (c) => has(c, "skipped"));
  },
  async "test-results-parser"(_, file) {
    const result = testResults.parse({ type: "junit", files: [file] });
    // It counts skipped cases apart from the total.
    return [result.total + result.skipped, result.failed + (result.errors || 0), result.skipped];
  },
};

const files = readdirSync(directory).filter((f) => f.endsWith(".xml"));
for (const file of files) {
  const name = path.basename(file, ".xml");
  const text = readFileSync(path.join(directory, file), "utf8");
  for (const [reader, read] of Object.entries(readers)) {
    try {
      const counts = await read(text, path.join(directory, file));
      const wanted = EXPECTED[name] ?? counts;
      if (String(counts) !== String(wanted)) wrong.push(`${name}: ${reader} counts ${counts}, wanted ${wanted}`);
    } catch (error) {
      wrong.push(`${name}: ${reader}: ${error.message}`);
    }
  }
}
for (const line of wrong) console.error(`wrong: ${line}`);
const names = Object.keys(readers).join(", ");
console.log(`readers of Node.js: ${files.length} files, ${names}, ${wrong.length} wrong`);
process.exitCode = wrong.length === 0 && files.length > 0 ? 0 : 1;
