// Looks at the pages that the tests of reports left: `node check.mjs PAGES CHROMIUM [PICTURES]`.
// Everything that is wrong is told; the exit status is 1 then.

import { mkdirSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import puppeteer from "puppeteer-core";

const [pages, chromium, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDE = { width: 1400, height: 900 };
const PHONE = { width: 390, height: 844, isMobile: true, hasTouch: true };
// Loading is measured so often, and the best counts: other work on the machine is not the page's.
const LOADS = 4;
const LOAD_LIMIT_MS = 2000;
const SIZE_LIMIT = 3_000_000;

let checked = 0;
const wrong = [];
let current = "";
const expect = (holds, what) => {
  checked += 1;
  if (!holds) wrong.push(`${current}: ${what}`);
};
const near = (a, b, tolerance) => Math.abs(a - b) <= tolerance;

const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"],
});

const open = async (name, viewport = WIDE) => {
  const page = await browser.newPage();
  const trouble = [];
  page.on("console", (m) => ["error", "warn"].includes(m.type()) && trouble.push(m.text()));
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("request", (r) => r.url().startsWith("file:") || trouble.push(`asks for ${r.url()}`));
  await page.setViewport(viewport);
  await page.goto(`file://${path.resolve(pages, name)}.html`, { waitUntil: "load" });
  return { page, trouble };
};
const picture = async (page, name, options = {}) => {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`), ...options });
};

// What axe says against a page. It is slow and all suites are made alike: the whole page is asked for
// what only the whole can get wrong, the head and the first suites for the rest, and contrast in
// both colour schemes.
const accessible = async (page) => {
  const ask = (scope, options) => page.evaluate(async (source, scope, options) => {
    if (!window.axe) (0, Function)(source)();
    const result = await window.axe.run(scope ?? document, { resultTypes: ["violations"], ...options });
    return result.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].any.map((a) => a.message).join(" ")}`);
  }, axe, scope, options).catch((error) => [`axe: ${error.message}`]);
  const scope = await page.evaluate(() => {
    const parts = [document.querySelector("header.lead"), document.querySelector(".overview"),
      ...[...document.querySelectorAll("main .suite")].slice(0, 2)].filter(Boolean);
    parts.forEach((part, n) => part.setAttribute("data-checked", n));
    return { include: parts.map((_, n) => [`[data-checked="${n}"]`]) };
  });
  const whole = ["landmark-unique", "landmark-one-main", "duplicate-id-aria", "document-title", "html-has-lang", "bypass"];
  const found = [...await ask(null, { runOnly: whole }), ...await ask(scope, { rules: { "color-contrast": { enabled: false } } })];
  expect(found.length === 0, `accessibility: ${found.join("\n    ")}`);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const faint = await ask(scope, { runOnly: ["color-contrast"] });
    expect(faint.length === 0, `${scheme}: ${faint.join("\n    ")}`);
  }
};

// Every page: no errors, no requests, accessible in both colour schemes, no sideways scrolling.
const everyPage = async (name) => {
  const { page, trouble } = await open(name);
  expect((await page.title()) !== "owned", "a script of the run ran");
  expect((await page.$$("img, iframe, object, link, script[src]")).length === 0, "foreign elements");
  expect(statSync(path.join(pages, `${name}.html`)).size < SIZE_LIMIT, "the page is too large");
  await accessible(page);
  await page.setViewport(PHONE);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow <= 0, `on a phone the page is ${overflow} px too wide`);
  const ids = await page.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    const dead = [...document.querySelectorAll("a[href^='#']")]
      .map((a) => a.getAttribute("href").slice(1)).filter((id) => !document.getElementById(id));
    return { twice: ids.filter((id, at) => ids.indexOf(id) !== at), dead };
  });
  expect(ids.twice.length === 0, `ids used twice: ${ids.twice.slice(0, 3)}`);
  expect(ids.dead.length === 0, `links to nothing: ${ids.dead.slice(0, 3)}`);
  expect(trouble.length === 0, trouble.join("; "));
  await page.close();
};

const timeline = async (page) => {
  // The story kills every broker 20 s into a suite of 120 s, and they are back 13.1 s later.
  const shade = await page.$eval("#s1 .shade", (shade) => {
    const box = shade.getBoundingClientRect();
    const track = document.querySelector("#s1 .axis .track").getBoundingClientRect();
    return { left: (box.left - track.left) / track.width, width: box.width / track.width };
  });
  expect(near(shade.left, 20 / 120, 0.003), `the fault begins at ${shade.left}`);
  expect(near(shade.width, 13.1 / 120, 0.003), `the fault lasts ${shade.width}`);
  const dead = await page.$$eval("#s1 .row.node a.dead", (all) => all.map((a) => parseFloat(a.style.left)));
  expect(dead.length === 3 && dead.every((left) => near(left, (20.05 / 120) * 100, 0.1)), `dead at ${dead}`);
  await page.focus("#s1 [data-moment]");
  await page.keyboard.press("Home");
  for (let n = 0; n < 26; n += 1) await page.keyboard.press("ArrowRight");
  const said = await page.$eval("#s1 [data-moment]", (t) => t.getAttribute("aria-valuetext"));
  for (const part of ["+26.0 s", "fault: brokers 1, 2, 3 killed", "P acknowledged 0/s", "broker 2: dead", "orders/1: no leader"]) {
    expect(said.includes(part), `no "${part}" at 26 s: ${said}`);
  }
  const width = () => page.$eval("#s1 .inner", (inner) => inner.getBoundingClientRect().width);
  const before = await width();
  await page.click("#s1 [data-zoom=faults]");
  expect((await width()) > before * 2, "zoom to the faults");
  const seen = await page.$eval("#s1 .shade", (shade) => {
    const box = shade.getBoundingClientRect();
    return box.left >= 0 && box.right <= innerWidth;
  });
  expect(seen, "after zooming the fault is seen");
  await page.click("#s1 [data-zoom=all]");
  expect(near(await width(), before, 1), "zoom back");
};

const filters = async (page) => {
  const shown = () => page.$$eval("#s1 .steps > li", (all) => all.filter((li) => !li.hidden).map((li) => li.id));
  const all = (await shown()).length;
  await page.click("#s1 [data-bad]");
  expect(String(await shown()) === "s1-step-15", `only what did not pass: ${await shown()}`);
  await page.click("#s1 [data-bad]");
  await page.type("#s1 [data-filter]", "kill_broker");
  expect(String(await shown()) === "s1-step-7", `steps with a word of the plan: ${await shown()}`);
  const count = await page.$eval("#s1 [data-count]", (c) => c.textContent);
  expect(count === `1 of ${all}`, `count: ${count}`);
  // A link to a step that the filter hides shows it.
  await page.$eval("#s1-troubles h4 a", (a) => a.click());
  await page.waitForFunction(() => !document.getElementById("s1-step-15").hidden, { timeout: 5000 }).catch(() => {});
  expect((await shown()).includes("s1-step-15"), "a link shows what the filter hid");
  await page.type("[data-filter=suites]", "0.10.1.1");
  const rows = await page.$$eval(".overview tbody tr", (all) => all.filter((tr) => !tr.hidden).length);
  expect(rows === 1, `suites filtered: ${rows}`);
};

const logs = async (page) => {
  const lines = () => page.$$eval("#s1 [data-log=lines] > span", (all) => all.map((s) => s.textContent));
  expect((await lines()).length > 100, "log lines are shown");
  await page.type("#s1 [data-log=query]", "shrinking isr");
  const found = await lines();
  expect(found.length > 0 && found.every((l) => l.includes("Shrinking ISR")), "log search");
  await page.select("#s1 [data-log=level]", "error");
  expect((await lines()).length === 0, "no such errors");
  await page.$eval("#s1-anomalies [data-logs]", (a) => a.click());
  const around = await page.$eval("#s1 [data-log=around]", (i) => parseFloat(i.value));
  expect(near(around, 20, 0.2), `logs around the anomaly: ${around}`);
  const seconds = (await lines()).map((l) => parseFloat(l.trim().slice(1)));
  expect(seconds.length > 10 && seconds.every((s) => near(s, around, 5.1)), `lines around: ${seconds.slice(0, 5)}`);
};

// Everything that a pointer does, keys do too.
const keyboard = async () => {
  const { page } = await open("outage");
  const focused = (what) => page.evaluate(what);
  await page.keyboard.press("Tab");
  expect(await focused(() => document.activeElement.matches("a.jump")), "the first stop skips to the results");
  await page.keyboard.press("Enter");
  expect(await focused(() => location.hash === "#main"), "Enter follows a link");
  const stops = new Set();
  let unseen = 0;
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press("Tab");
    const stop = await focused(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      const box = e.getBoundingClientRect();
      const seen = style.outlineStyle !== "none" && box.width > 0;
      return { name: e.outerHTML.slice(0, 80), seen };
    });
    stops.add(stop.name);
    unseen += stop.seen ? 0 : 1;
  }
  expect(stops.size > 25, `Tab comes to ${stops.size} places only`);
  expect(unseen === 0, `focus is not seen at ${unseen} of 60 stops`);
  const body = () => page.$eval("#s2 details.body", (d) => d.open);
  const before = await body();
  await page.focus("#s2 details.body > summary");
  await page.keyboard.press("Enter");
  expect((await body()) !== before, "Enter opens and closes a suite");
  await page.focus("#s1 [data-bad]");
  await page.keyboard.press("Space");
  const left = await page.$$eval("#s1 .steps > li", (all) => all.filter((li) => !li.hidden).length);
  expect(left === 1, `Space ticks the box: ${left} steps are left`);
  await page.focus("#s1 [data-zoom=faults]");
  await page.keyboard.press("Enter");
  await page.focus("#s1 .timeline");
  const scrolled = () => page.$eval("#s1 .timeline", (box) => box.scrollLeft);
  const from = await scrolled();
  await page.keyboard.press("ArrowRight");
  const moved = await page.waitForFunction(
    (from) => document.querySelector("#s1 .timeline").scrollLeft > from, { timeout: 5000 }, from,
  ).catch(() => null);
  expect(moved !== null, "arrow keys scroll the timeline");
  await page.close();
};

// On a phone the first screen says what was lost; links work by touch.
const phone = async () => {
  const { page } = await open("outage", PHONE);
  const seen = await page.$eval("header.lead .card.bad", (c) => c.getBoundingClientRect().bottom < innerHeight);
  expect(seen, "on a phone what was lost is seen without scrolling");
  await page.tap("header.lead .card.bad a");
  const there = await page.waitForFunction(() => {
    const box = document.querySelector("#s1-anomaly-lost").getBoundingClientRect();
    return location.hash === "#s1-anomaly-lost" && box.top < innerHeight && box.bottom > 0;
  }, { timeout: 5000 }).catch(() => null);
  expect(there !== null, "a tap on a number leads to what it is about");
  await page.close();
};

// Paper has no buttons, all of the text, and nothing cut off at the side.
const print = async () => {
  const { page } = await open("outage");
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await page.emulateMediaType("print");
  const hidden = await page.$$eval(".tools, nav, .logs", (all) => all.every((e) => getComputedStyle(e).display === "none"));
  expect(hidden, "tools, links to parts and logs are not printed");
  expect(await page.$$eval("details", (all) => all.every((d) => d.open)), "everything is opened for print");
  await page.setViewport({ width: 794, height: 1123 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide <= 0, `on paper the page is ${wide} px too wide`);
  const pdf = await page.pdf({ format: "A4", printBackground: true });
  expect(pdf.length > 50_000, `a PDF of ${pdf.length} bytes`);
  await page.close();
};

// Without its script the page still tells everything but the logs.
const scriptless = async () => {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(`file://${path.resolve(pages, "outage")}.html`, { waitUntil: "load" });
  const text = await page.$eval("body", (body) => body.innerText);
  for (const part of ["36", "orders/0: 20", "kill_broker: all", "The log lines need JavaScript"]) {
    expect(text.includes(part), `without a script there is no "${part}"`);
  }
  const tools = await page.$$eval(".js", (all) => all.every((e) => getComputedStyle(e).display === "none"));
  expect(tools, "without a script no tool is offered");
  await page.close();
};

const outage = async () => {
  const { page, trouble } = await open("outage");
  await picture(page, "outage", { clip: { x: 0, y: 0, width: 1400, height: 2000 } });
  const timelineBox = await page.$("#s1-timeline");
  if (pictures) await timelineBox.screenshot({ path: path.join(pictures, "timeline.png") });
  const top = await page.$eval("header.lead", (h) => h.innerText);
  expect(top.includes("36") && top.includes("orders/0: 20") && top.includes("until recovered"), "the top says what was lost");
  const visible = await page.$eval("header.lead .card.bad", (c) => c.getBoundingClientRect().bottom < innerHeight);
  expect(visible, "what was lost is seen without scrolling");
  await timeline(page);
  await filters(page);
  await logs(page);
  expect(trouble.length === 0, trouble.join("; "));
  await page.close();
};

const quick = async () => {
  let best = Infinity;
  for (let n = 0; n < LOADS; n += 1) {
    const { page, trouble } = await open("thirty-minutes");
    const took = await page.evaluate(() => {
      const [entry] = performance.getEntriesByType("navigation");
      return entry.loadEventEnd - entry.startTime;
    });
    best = Math.min(best, took);
    if (n === 0) {
      // Every third minute of the story all brokers are killed.
      const faults = await page.$$eval("#s1 .row.faults a.fault", (all) => all.map((a) => parseFloat(a.style.left)));
      const wanted = Array.from({ length: 10 }, (_, k) => ((20 + k * 180) / 1800) * 100);
      expect(faults.length === 10 && faults.every((left, k) => near(left, wanted[k], 0.05)), `faults at ${faults}`);
    }
    expect(trouble.length === 0, trouble.join("; "));
    await page.close();
  }
  expect(best < LOAD_LIMIT_MS, `opens in ${Math.round(best)} ms`);
  console.log(`thirty-minutes opens in ${Math.round(best)} ms`);
};

try {
  const names = readdirSync(pages).filter((f) => f.endsWith(".html")).map((f) => f.slice(0, -5)).sort();
  expect(names.includes("outage") && names.includes("hostile"), `pages: ${names}`);
  for (const name of names) {
    current = name;
    const began = Date.now();
    await everyPage(name);
    console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
  current = "outage";
  await outage();
  await keyboard();
  await phone();
  await print();
  await scriptless();
  current = "thirty-minutes";
  await quick();
} catch (error) {
  wrong.push(`${current}: ${error.stack}`);
} finally {
  await browser.close();
}
for (const line of wrong) console.error(`wrong: ${line}`);
console.log(`browser: ${checked} checks, ${wrong.length} wrong`);
process.exitCode = wrong.length === 0 ? 0 : 1;
