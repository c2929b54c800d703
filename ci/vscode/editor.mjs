// VS Code as a person uses it: keys, commands, and what its page shows.

import puppeteer from "puppeteer-core";

export const PATIENCE = 30_000;
const PAUSE = 100;
const SIZE = { width: 1120, height: 700 };

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The first answer of `ask` but undefined and false. Without one in time, `what` was not seen. */
export const until = async (what, ask, patience = PATIENCE) => {
  const end = Date.now() + patience;
  for (;;) {
    // A page that is just drawn anew has no answer.
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`not seen: ${what}`);
    await sleep(PAUSE);
  }
};

export class Editor {
  static async open(chromium, address, folder) {
    const browser = await puppeteer.launch({
      executablePath: chromium,
      // Only this machine is asked for anything.
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
    });
    const editor = new Editor(browser, await browser.newPage());
    await editor.page.setViewport(SIZE);
    await editor.page.goto(`${address}/?folder=${encodeURIComponent(folder)}`);
    await editor.see("the files", ".explorer-folders-view .monaco-list-row", (text) => text.includes("outage.yaml"));
    return editor;
  }

  constructor(browser, page) {
    this.browser = browser;
    this.page = page;
  }

  close() {
    return this.browser.close();
  }

  /** Presses keys one after the other; `Control+Space` are two at once. */
  async keys(...all) {
    for (const each of all) {
      const names = each.split("+");
      const last = names.pop();
      for (const name of names) await this.page.keyboard.down(name);
      await this.page.keyboard.press(last);
      for (const name of names.reverse()) await this.page.keyboard.up(name);
    }
  }

  type(text) {
    return this.page.keyboard.type(text);
  }

  async pick(text) {
    await this.see("the input", ".quick-input-widget input", () => true);
    await this.type(text);
    const entry = text.replace(/^>/, "").toLowerCase();
    await this.see(`the entry ${entry}`, ".quick-input-list .monaco-list-row.focused", (row) => row.toLowerCase().includes(entry));
    await this.keys("Enter");
  }

  async command(name) {
    await this.keys("F1");
    await this.pick(name);
  }

  async file(name) {
    await this.keys("Control+KeyP");
    await this.pick(name);
    await this.see(name, ".tab.active", (text) => text.includes(name));
    await this.see("its text", ".editor-instance .view-line", (text) => text.includes("plan"));
  }

  /** Puts the cursor behind the text in the open file. */
  async go(line, column) {
    await this.keys("Control+KeyG");
    await this.see("the input", ".quick-input-widget input", () => true);
    await this.type(`${line}:${column}`);
    await this.keys("Enter");
    await this.see(`line ${line}`, ".statusbar-item", (text) => text.includes(`Ln ${line}, Col ${column}`));
  }

  /** What elements say that are seen, by their text or what a screen reader reads. */
  texts(selector) {
    return this.page.$$eval(selector, (all) => all
      .filter((each) => each.getClientRects().length > 0)
      .map((each) => `${each.getAttribute("aria-label") ?? ""} ${each.innerText ?? each.textContent}`.replaceAll("\u00a0", " ").trim()));
  }

  /** Waits until one of the elements has a text that fits. */
  see(what, selector, fits, patience) {
    return until(what, async () => (await this.texts(selector)).find(fits), patience);
  }

  gone(what, selector, fits = () => true) {
    return until(`${what} goes away`, async () => !(await this.texts(selector)).some(fits));
  }

  find(what, selector, fits, within = this.page) {
    return until(what, async () => {
      for (const each of await within.$$(selector)) {
        const text = await each.evaluate((e) => `${e.getAttribute("aria-label") ?? ""} ${e.innerText ?? ""}`);
        if (fits(text.replaceAll("\u00a0", " ")) && (await each.isVisible())) return each;
      }
      return undefined;
    });
  }

  async click(what, selector, fits) {
    await (await this.find(what, selector, fits)).click();
  }

  /** What the open file shows of failures, with the text of their lines. */
  failures() {
    return this.page.evaluate(() => {
      const text = (each) => each.innerText.replaceAll("\u00a0", " ").trim();
      const middle = (each) => { const box = each.getBoundingClientRect(); return (box.top + box.bottom) / 2; };
      const lines = [...document.querySelectorAll(".editor-instance .view-line")];
      return [...document.querySelectorAll(".test-error-content-widget")].map((each) => {
        const at = lines.find((line) => Math.abs(middle(line) - middle(each)) < line.offsetHeight / 2);
        return { line: at && text(at), message: text(each) };
      });
    });
  }
}
