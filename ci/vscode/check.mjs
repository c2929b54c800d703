// Uses the extension in VS Code: `node check.mjs ADDRESS DIRECTORY KPLAN CHROMIUM [PICTURES]`.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Editor, until } from "./editor.mjs";

const [address, work, kplan, chromium, pictures] = process.argv.slice(2);
const SIZE_LIMIT = 150_000;
const expect = (holds, what) => {
  if (!holds) throw new Error(what);
};
const shown = (name) => readFileSync(path.join(work, "plans", name), "utf8");

const editor = await Editor.open(chromium, address, path.join(work, "plans"));
const picture = async (name) => {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  const file = path.join(pictures, `${name}.png`);
  await editor.page.screenshot({ path: file });
  const { size } = statSync(file);
  if (size > SIZE_LIMIT) throw new Error(`${file} has ${size} bytes`);
};

const DIALOG = ".monaco-dialog-box";
const NOTICE = ".notification-toast";
const MARKERS = ".markers-panel .monaco-list-row";
const TESTS = ".test-explorer .monaco-list-row";
const test = (name, state) => editor.see(`${name} is ${state}`, TESTS, (text) => text.includes(name) && text.includes(`(${state})`), 60_000);

// Without kplan there is a message that says what to do, and the setting is followed at once.
const missing = async () => {
  await editor.file("outage.yaml");
  await editor.see("kplan is missing", NOTICE, (text) => text.includes("cannot be started as `kplan`") && text.includes("kplan.path"));
  mkdirSync(path.join(work, "user/Machine"), { recursive: true });
  writeFileSync(path.join(work, "user/Machine/settings.json"), JSON.stringify({ "kplan.path": kplan }));
  await editor.command("Notifications: Clear All Notifications");
};

const diagnostics = async () => {
  await editor.command("Problems: Focus on Problems View");
  const marker = await editor.see("the mistake", MARKERS, (text) => text.includes("kil_broker"));
  expect(marker.includes("unknown step `kil_broker`") && marker.includes("E020"), marker);
  expect(marker.includes("[Ln 10, Col 5]"), `the place of the mistake: ${marker}`);
  await editor.command("View: Hide Panel");
  await editor.file("outage.yaml");
  await editor.see("the line under it", ".squiggly-error", () => true);
};

const fix = async () => {
  await editor.go(10, 8);
  await editor.command("Quick Fix...");
  const menu = ".action-widget .monaco-list-row";
  await editor.see("the fix", menu, (text) => text.includes("Replace `kil_broker` by `kill_broker`"));
  await picture("fix");
  await editor.keys("Enter");
  await editor.see("the corrected line", ".editor-instance .view-line", (text) => text.includes("- kill_broker: 2"));
  await editor.gone("the line under the mistake", ".squiggly-error");
  await editor.keys("Control+KeyS");
  await until("the saved file", async () => shown("outage.yaml").includes("  - kill_broker: 2\n"));
};

// Presses the button beside a test.
const press = async (name, button = "Run Test") => {
  await editor.command("Testing: Focus on Test Explorer View");
  const row = await editor.find(name, TESTS, (text) => text.includes(name));
  await row.hover();
  const found = await editor.find(button, ".action-label", (text) => text.includes(button), row);
  await found.click();
};

// Waits for a failure that the open file shows at a line.
const failure = (line, message) => until(`${message} at ${line}`, async () => {
  const all = await editor.failures();
  return all.some((each) => each.line?.startsWith(line) && each.message.includes(message));
});

// Clicks a code lens. VS Code asks for them only while the text has the focus.
const lensOf = async (title) => {
  await editor.command("View: Focus Active Editor Group");
  await editor.click(`the code lens ${title}`, ".codelens-decoration a", (text) => text.trim() === title);
};

// Plans are tests; fragments and other YAML files are none. None is run in a workspace that is not trusted.
const untrusted = async () => {
  await editor.command("Testing: Focus on Test Explorer View");
  for (const name of ["durable", "long", "outage", "quiet", "wrong"]) await editor.see(name, TESTS, (text) => text.includes(`${name}.yaml`));
  const others = (await editor.texts(TESTS)).filter((text) => /part|compose/.test(text));
  expect(others.length === 0, `no plans: ${others}`);
  await editor.file("quiet.yaml");
  await press("quiet.yaml");
  await editor.see("the question", DIALOG, (text) => text.includes("Do you trust the authors"));
  await editor.click("Cancel", `${DIALOG} .monaco-button`, (text) => text.includes("Cancel"));
  await editor.gone("the question", DIALOG);
  // The code lens does not lead past it.
  await lensOf("Run");
  await test("quiet.yaml", "Errored");
  await failure("plan: v1", "This workspace is not trusted");
  expect(!existsSync(path.join(work, "plans/.kplan")), "kplan ran");
  await editor.command("View: Close All Editors");
  await editor.command("Workspaces: Manage Workspace Trust");
  await editor.click("Trust", ".workspace-trust-editor .monaco-button", (text) => text.trim() === "Trust");
  await editor.see("that it is trusted", ".workspace-trust-editor", (text) => text.includes("You trust this folder"));
  await editor.command("View: Close All Editors");
};

const completion = async () => {
  await editor.command("View: Hide Panel");
  await editor.command("View: Show Explorer");
  await editor.file("durable.yaml");
  await editor.go(10, 29);
  await editor.keys("Enter");
  await editor.type("min.ins");
  await editor.see("the setting", ".suggest-widget .monaco-list-row.focused", (text) => text.includes("min.insync.replicas"));
  await editor.keys("Control+Space");
  await editor.see("its documentation", ".suggest-details", (text) => /acks/.test(text));
  await picture("completion");
  await editor.keys("Enter");
  await editor.type("2");
  await editor.see("the line", ".editor-instance .view-line", (text) => text.includes("min.insync.replicas: 2"));
  await editor.keys("Control+KeyS");
  await until("the saved file", async () => shown("durable.yaml").includes("        min.insync.replicas: 2\n"));
};

// A plan with a matrix: one combination passes, one fails, and the failures stand at their lines.
const run = async () => {
  await editor.file("outage.yaml");
  await editor.command("Testing: Focus on Test Explorer View");
  // Its combinations are asked for when it is unfolded.
  await editor.click("outage.yaml", TESTS, (text) => text.includes("outage.yaml"));
  await editor.see("a combination", TESTS, (text) => text.includes("replicas=3"));
  await press("outage.yaml");
  await test("replicas=1", "Failed");
  await test("replicas=3", "Passed");
  await test("outage.yaml", "Failed");
  await failure("- offline_partitions: 0", "did not hold in time: 1 of 2 partitions without a leader");
  await failure("- progressing: P", "did not hold in time: P has nothing acknowledged");
  const failures = await editor.failures();
  expect(failures.length === 2, `two failures: ${JSON.stringify(failures)}`);
  await editor.see("how long it took", TESTS, (text) => text.includes("replicas=1") && /\b4\.\ds/.test(text));
  await editor.page.mouse.move(700, 100);
  await picture("test-explorer");
};

// What cannot be judged has not passed, and says that it is inconclusive.
const inconclusive = async () => {
  await editor.file("quiet.yaml");
  await press("quiet.yaml");
  await test("quiet.yaml", "Failed");
  await failure("- lost: { is: 0, sent: before, of: kill }", "inconclusive: there was no message to judge");
};

// A plan with errors is not run: they stand at their lines.
const refused = async () => {
  await editor.file("wrong.yaml");
  await press("wrong.yaml");
  await test("wrong.yaml", "Errored");
  await failure("- create_topic: { name: orders", "E010: unknown key `partition`");
};

// The page of the run: its own script works in the panel.
const panel = async () => {
  await editor.command("View: Hide Panel");
  await editor.command("View: Close All Editors");
  await press("outage.yaml", "Show the Report");
  await editor.see("the panel", ".tab.active", (text) => text.includes("kplan: outage.yaml"));
  const page = await until("the page", async () => {
    for (const frame of editor.page.frames()) {
      if (await frame.$("header.lead").catch(() => null)) return frame;
    }
    return undefined;
  });
  expect(await page.$eval("header.lead", (lead) => lead.innerText.includes("1 of 2 suites")), "the page says what failed");
  expect(await page.$eval("html", (html) => html.classList.contains("live")), "the page's script runs");
  await picture("report");
  const shown = () => page.$$eval(".overview tbody tr", (all) => all.filter((row) => row.getClientRects().length > 0).length);
  expect((await shown()) === 2, `two suites: ${await shown()}`);
  await page.type("[data-filter=suites]", "replicas=3");
  expect((await shown()) === 1, `the page filters its suites: ${await shown()}`);
  await editor.command("View: Close All Editors");
};

// The events of the newest run.
const events = () => readFileSync(path.join(work, "plans/.kplan/latest/events.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
// The processes of kplan and its clients that belong to a run.
const processes = () => execFileSync("pgrep", ["-f", "--", `${kplan} (run|client)`], { encoding: "utf8" }).trim().split("\n");

// The code lens runs one combination alone.
const lens = async () => {
  await editor.file("outage.yaml");
  await lensOf("Run replicas=3");
  await until("a run of one combination", async () => {
    const all = events();
    return all[0].suites === 1 && all[1].file === "outage.yaml" && all[1].cell === "replicas=3" && all.at(-1).event === "run_ended";
  });
  await editor.see("its result", ".result-summary", (text) => text.includes("1/1"));
  await test("replicas=3", "Passed");
};

// A cancelled run ends in order, and nothing of it is left.
const cancel = async () => {
  await editor.file("long.yaml");
  await press("long.yaml");
  await until("the run", async () => events()[1]?.file.endsWith("long.yaml") && events().some((event) => event.title === "Wait 10m" || event.step === "4"));
  expect(processes().length > 1, "kplan and its clients run");
  await editor.command("Test: Cancel Test Run");
  await until("the end of the run", async () => events().at(-1).event === "run_ended");
  await test("long.yaml", "Skipped");
  await until("that no process is left", async () => {
    try {
      processes();
      return false;
    } catch {
      return true;
    }
  });
  const left = readdirSync(path.join(work, "home")).filter((name) => name.startsWith("kplan-report-"));
  expect(left.length === 0, `directories of reports: ${left}`);
};

const steps = { missing, diagnostics, fix, untrusted, completion, run, inconclusive, refused, panel, lens, cancel };
let current = "";
try {
  for (const [name, step] of Object.entries(steps)) {
    current = name;
    const began = Date.now();
    await step();
    console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
} catch (error) {
  console.error(`wrong: ${current}: ${error.stack}`);
  await editor.page.screenshot({ path: path.join(work, "failure.png") });
  process.exitCode = 1;
} finally {
  await editor.close();
}
