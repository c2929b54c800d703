(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("live");

  // Lists: a text filter, and a box for what did not pass.
  const filterList = (name) => {
    const list = document.querySelector(`[data-list="${name}"]`);
    const field = document.querySelector(`[data-filter="${name}"]`);
    const box = document.querySelector(`[data-bad="${name}"]`);
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const items = all("tbody > tr, :scope > li", list);
    let shown = 0;
    for (const item of items) {
      const text = item.textContent.toLowerCase();
      const bad = !box || !box.checked || !["passed", "skipped"].includes(item.dataset.verdict);
      item.hidden = !(bad && words.every((word) => text.includes(word)));
      shown += item.hidden ? 0 : 1;
    }
    const count = document.querySelector(`[data-count="${name}"]`);
    count.textContent = shown === items.length ? "" : `${shown} of ${items.length}`;
  };
  for (const field of all("[data-filter]")) field.addEventListener("input", () => filterList(field.dataset.filter));
  for (const box of all("[data-bad]")) box.addEventListener("change", () => filterList(box.dataset.bad));

  // Where a link leads must be visible: open what hides it, lift the filter that does.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let up = target; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") up.open = true;
      if (up.hidden) up.hidden = false;
    }
    if (target.classList.contains("suite")) target.querySelector("details.body").open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => all("details").forEach((d) => (d.open = true)));

  const offset = (ms) => {
    const s = Math.abs(ms) / 1000;
    const sign = ms < 0 ? "−" : "+";
    return s < 60 ? `${sign}${s.toFixed(1)} s` : `${sign}${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;
  };
  const clock = (ms) => new Date(ms).toISOString().slice(11, 23);

  // The value of a curve at a moment: its newest point, if that is not too old.
  const valueAt = (points, at) => {
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= at) low = middle + 1; else high = middle;
    }
    const point = points[low - 1];
    const spacing = points.length > 1 ? (points.at(-1)[0] - points[0][0]) / (points.length - 1) : 0;
    return point && at - point[0] <= Math.max(2600, spacing * 6) ? point[1] : null;
  };

  const timeline = (suite, data) => {
    const box = suite.querySelector(".timeline");
    const inner = box.querySelector(".inner");
    const cursor = box.querySelector(".cursor");
    const track = box.querySelector(".axis .track");
    const readout = suite.querySelector(".readout");
    const moment = suite.querySelector("[data-moment]");
    const lanes = all(".row.node, .row.client, .row.partition, .row.faults", box).map((row) => ({
      name: row.querySelector(".label").textContent,
      kind: row.className,
      parts: all(".track > a", row).map((a) => ({
        from: parseFloat(a.style.left), width: parseFloat(a.style.width), kind: a.className, text: a.textContent,
      })),
    }));
    const words = (at) => {
      const percent = (at / data.span) * 100;
      const told = data.curves.map((curve) => {
        const value = valueAt(curve.points, at);
        const what = curve.chart === "Latency" ? curve.name : `${curve.name} ${curve.chart.toLowerCase()}`;
        if (value === null) return null;
        return curve.unit === " ms" && value >= 1000 ? `${what} ${(value / 1000).toFixed(1)} s` : `${what} ${value}${curve.unit}`;
      });
      for (const lane of lanes) {
        const now = lane.parts.find((p) => p.from <= percent && percent < p.from + Math.max(p.width, 0.05));
        if (!now) continue;
        if (lane.kind.includes("faults")) told.unshift(`fault: ${now.text}`);
        else if (!["up", "full"].includes(now.kind)) told.push(`${lane.name}: ${now.text || now.kind}${now.kind === "some" || now.kind === "one" ? `, ${now.kind} in sync` : ""}`);
      }
      return `${offset(at)} (${clock(data.begin + at)}) · ${told.filter(Boolean).join(" · ")}`;
    };
    let now = 0;
    const show = (at) => {
      now = Math.min(Math.max(at, 0), data.span);
      cursor.hidden = false;
      cursor.style.left = `${(now / data.span) * 100}%`;
      const text = words(now);
      readout.textContent = text;
      moment.value = String(Math.round(now / 1000));
      moment.setAttribute("aria-valuetext", text);
    };
    box.addEventListener("pointermove", (event) => {
      const edge = track.getBoundingClientRect();
      if (event.clientX >= edge.left) show(((event.clientX - edge.left) / edge.width) * data.span);
    });
    let zoom = 1;
    const setZoom = (to, center) => {
      zoom = Math.min(Math.max(to, 1), 64);
      inner.style.width = zoom === 1 ? "" : `${zoom * 100}%`;
      const edge = track.getBoundingClientRect();
      const left = track.offsetLeft;
      box.scrollLeft = left + (edge.width * center) / data.span - (box.clientWidth + left) / 2;
    };
    moment.addEventListener("input", () => {
      show(Number(moment.value) * 1000);
      if (zoom > 1) setZoom(zoom, now);
    });
    const shades = all(".shade", box).map((s) => [parseFloat(s.style.left), parseFloat(s.style.width)]);
    for (const button of all("[data-zoom]", suite)) {
      button.addEventListener("click", () => {
        const how = button.dataset.zoom;
        if (how === "faults") {
          const from = Math.min(...shades.map((s) => s[0]));
          const until = Math.max(...shades.map((s) => s[0] + s[1]));
          setZoom(80 / Math.max(until - from, 2), (((from + until) / 2) / 100) * data.span);
        } else {
          setZoom(how === "all" ? 1 : how === "in" ? zoom * 2 : zoom / 2, now || data.span / 2);
        }
      });
    }
  };

  const logs = (suite, data) => {
    const part = (name) => suite.querySelector(`[data-log="${name}"]`);
    const lines = part("lines");
    if (!lines) return null;
    const ranks = { debug: 0, info: 1, warn: 2, error: 3 };
    const PAGE = 300;
    let shown = PAGE;
    const render = () => {
      const query = part("query").value.toLowerCase();
      const who = part("who").value;
      const level = ranks[part("level").value] ?? 0;
      const around = parseFloat(part("around").value.replace(",", ".")) * 1000;
      const found = data.lines.filter(([at, by, rank, text]) =>
        (who === "" || by === Number(who)) && ranks[rank] >= level &&
        (Number.isNaN(around) || (at !== null && Math.abs(at - around) <= 5000)) &&
        (query === "" || text.toLowerCase().includes(query)));
      const rows = found.slice(0, shown).map(([at, by, rank, text]) => {
        const row = document.createElement("span");
        row.className = rank;
        const head = document.createElement("i");
        head.textContent = `${at === null ? "" : offset(at).padStart(9)} ${data.who[by]} `;
        row.append(head);
        const hit = query === "" ? -1 : text.toLowerCase().indexOf(query);
        if (hit < 0) row.append(text);
        else {
          const mark = document.createElement("mark");
          mark.textContent = text.slice(hit, hit + query.length);
          row.append(text.slice(0, hit), mark, text.slice(hit + query.length));
        }
        return row;
      });
      lines.replaceChildren(...rows);
      part("more").hidden = found.length <= shown;
      const kept = data.leftOut > 0 ? `; ${data.leftOut} further lines are only in the run's directory` : "";
      part("count").textContent = `${found.length} of ${data.lines.length} lines${kept}`;
    };
    for (const name of ["query", "who", "level", "around"]) {
      part(name).addEventListener("input", () => { shown = PAGE; render(); });
    }
    part("more").addEventListener("click", () => { shown += PAGE; render(); });
    render();
    return (at) => {
      part("around").value = ((at - data.begin) / 1000).toFixed(1);
      part("query").value = "";
      part("who").value = "";
      part("level").value = "";
      shown = PAGE;
      render();
    };
  };

  for (const suite of all(".suite")) {
    // Read when it is first looked at: a page of many suites opens at once.
    let woken = null;
    const wake = () => {
      if (woken) return woken;
      const data = JSON.parse(suite.querySelector("script.data").textContent);
      timeline(suite, data);
      woken = { jump: logs(suite, data) };
      return woken;
    };
    const body = suite.querySelector("details.body");
    if (body.open) wake();
    body.addEventListener("toggle", () => { if (body.open) wake(); });
    for (const link of all("[data-logs]", suite)) {
      link.addEventListener("click", () => {
        const jump = wake().jump;
        if (jump) jump(Number(link.dataset.at));
      });
    }
  }
  reveal();
})();
