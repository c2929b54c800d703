// Takes the pictures of docs/gallery.md: `node gallery.mjs PAGE CHROMIUM DIRECTORY`, or with names of plans those of their suites.

import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import puppeteer from "puppeteer-core";

const [file, chromium, directory, ...only] = process.argv.slice(2);
const WIDE = { width: 1180, height: 860 };
const PHONE = { width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 1 };
const SIZE_LIMIT = 250_000;
const PLANS = ["outage", "broker-restart", "client-restart", "single-replica", "listeners"];

mkdirSync(directory, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"],
});
const page = await browser.newPage();
const taken = [];

const open = async (viewport, scheme = "light") => {
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(`file://${path.resolve(file)}`, { waitUntil: "load" });
};
const keep = async (name, what, options = {}) => {
  const target = path.join(directory, `${name}.png`);
  await what.screenshot({ path: target, ...options });
  const { size } = statSync(target);
  if (size > SIZE_LIMIT) throw new Error(`${target} has ${size} bytes`);
  taken.push(`${name} ${Math.ceil(size / 1000)} kB`);
};
// The first suite of a plan, unfolded.
const suite = async (plan) => {
  const id = await page.evaluate((plan) => {
    const found = [...document.querySelectorAll(".suite")].find((s) => s.querySelector(".facts dd").textContent.endsWith(`${plan}.yaml`));
    if (!found) return null;
    found.querySelector("details.body").open = true;
    return found.id;
  }, plan);
  if (!id) throw new Error(`the run has no suite of ${plan}.yaml`);
  return `#${id}`;
};
// From the top of one element to the bottom of another, with a little air.
const stretch = (from, until) => page.evaluate((from, until) => {
  const [a, b] = [from, until].map((s) => document.querySelector(s).getBoundingClientRect());
  return { x: 0, y: a.top + scrollY - 12, width: innerWidth, height: b.bottom - a.top + 24 };
}, from, until);

try {
  for (const plan of only.length ? only : PLANS) {
    await open(WIDE);
    const id = await suite(plan);
    const clip = await stretch(id, `${id} .legend`);
    await keep(plan, page, { clip, captureBeyondViewport: true });
    if (plan === "outage") await keep("outage-timeline", await page.$(`${id} .timeline`));
  }
  if (!only.length) {
    await open(WIDE);
    await keep("page", page);
    await open(WIDE, "dark");
    const dark = await suite("outage");
    await keep("outage-dark", page, { clip: await stretch(`${dark}-timeline`, `${dark} .legend`), captureBeyondViewport: true });
    await open(PHONE);
    await keep("phone", page);
  }
  console.log(`gallery: ${taken.join(", ")}`);
} finally {
  await browser.close();
}
