// The page: what report.py put into #model, by data set.
"use strict";

const model = JSON.parse(document.getElementById("model").textContent);
const state = { set: 0, kept: "best", hidden: new Set() };
const redraws = [];

function html(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const key in attributes) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), attributes[key]);
    else made.setAttribute(key, attributes[key]);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

// A holder that a chart is drawn into, now and whenever the page changes its width.
function chart(draw) {
  const holder = html("div", { class: "chart" });
  redraws.push(() => draw(holder));
  return holder;
}

function section(title, note, ...children) {
  return html("section", {}, html("h2", {}, title), note ? html("p", { class: "note" }, note) : null, ...children);
}

const color = engine => model.colors[engine] || "#888888";
const isOurs = engine => engine === model.ours;

function shown(set) {
  const kept = { best: curve => curve.best, ours: curve => isOurs(curve.engine) || curve.label === set.reference,
    every: () => true }[state.kept];
  return set.curves.filter(curve => curve.points.length && kept(curve));
}

function visible(set) {
  return shown(set).filter(curve => !state.hidden.has(curve.label));
}

const dashes = ["", "7 4", "2 4", "10 4 2 4", "4 2", "1 3", "12 3", "6 2 2 2", "3 5", "9 6"];

function dash(set, curve) {
  return dashes[set.curves.filter(other => other.engine === curve.engine).indexOf(curve) % dashes.length];
}

function recallChart(set) {
  return chart(holder => {
    const low = 0.8, curves = visible(set);
    const series = curves.map(curve => ({
      name: curve.label, color: color(curve.engine), dash: dash(set, curve), strong: isOurs(curve.engine),
      points: curve.front.filter(point => point.recall >= low).map(point => ({
        x: point.recall, y: point.qps,
        lines: [`recall ${point.recall.toFixed(4)}`, `${short(point.qps)} queries a second`, point.setting,
          `p50 ${short(point.p50)} µs, p99 ${short(point.p99)} µs`],
      })),
    })).filter(one => one.points.length);
    const speeds = series.flatMap(one => one.points.map(point => point.y));
    const y = speeds.length ? logScale(Math.min(...speeds) * 0.8, Math.max(...speeds) * 1.25) : logScale(10, 1000);
    lineChart(holder, series, recallScale(low), y, { x: `recall@${set.k}`, y: "queries a second", title: "recall and speed" });
  });
}

function legend(set) {
  const holder = html("div", { class: "legend" });
  for (const curve of shown(set)) {
    const line = html("i", { style: `border-color: ${color(curve.engine)}; ${dash(set, curve) ? "border-top-style: dashed" : ""}` });
    const pressed = !state.hidden.has(curve.label);
    holder.append(html("button", {
      type: "button", "aria-pressed": pressed, title: "click: hide or show; double click: only this",
      onclick: event => {
        if (state.hidden.has(curve.label)) state.hidden.delete(curve.label); else state.hidden.add(curve.label);
        event.currentTarget.setAttribute("aria-pressed", !state.hidden.has(curve.label));
        redraw();
      },
      ondblclick: () => {
        state.hidden = new Set(shown(set).map(other => other.label).filter(label => label !== curve.label));
        render();
      },
    }, line, curve.label));
  }
  return holder;
}

function choice(set) {
  const pick = kept => html("button", {
    type: "button", "aria-pressed": state.kept === kept,
    onclick: () => { state.kept = kept; state.hidden.clear(); render(); },
  }, { best: "best of each engine", ours: `all of ${model.ours}`, every: "every configuration" }[kept]);
  const has = set.curves.some(curve => isOurs(curve.engine));
  return html("div", { class: "choice" }, pick("best"), has ? pick("ours") : null, pick("every"));
}

function headline(set) {
  if (!set.against.length) return null;
  return html("div", { class: "headline" }, ...set.against.map(row => html("div", { class: "card" },
    html("b", {}, row.ratio === null ? "–" : row.ratio.toFixed(2) + "×"),
    html("span", {}, row.ratio === null ? `recall ${row.recall}: ${row.why}`
      : `the best other at recall ${row.recall}: ${row.ours} against ${row.best} (${short(row.qps)} and ${short(row.bestQps)} QPS)`))));
}

function table(heads, rows, left = 2) {
  const cell = (name, content, index, more = "") =>
    html(name, { class: (index < left ? "left " : "") + more }, ...(Array.isArray(content) ? content : [content]));
  return html("div", { class: "card scroll" }, html("table", {},
    html("thead", {}, html("tr", {}, ...heads.map((head, index) => cell("th", head, index)))),
    html("tbody", {}, ...rows.map(row => html("tr", { class: row.ours ? "ours" : "" },
      ...row.cells.map((content, index) => content && content.text !== undefined
        ? cell("td", content.text, index, content.is) : cell("td", content, index)))))));
}

function speedTable(set) {
  const rows = [...set.curves].sort((a, b) => (b.at[0].qps || 0) - (a.at[0].qps || 0)).map(curve => ({
    ours: isOurs(curve.engine),
    cells: [curve.engine, curve.configuration,
      ...curve.at.map(at => at.qps === null ? { text: `≤ ${curve.most.toFixed(3)}`, is: "no" }
        : [short(at.qps) + " ", html("small", {}, at.ratio ? `${at.ratio.toFixed(2)}×` : "")]),
      short(curve.build), short(curve.resident), curve.disk > 0.5 ? short(curve.disk) : "–"],
  }));
  return table(["engine", "configuration", ...set.targets.map(target => `QPS at ${target}`), "build s", "resident MB",
    "files MB"], rows);
}

function bars(set, field, label, format) {
  return chart(holder => barChart(holder, [...visible(set)].sort((a, b) => a[field] - b[field]).map(curve => ({
    name: curve.label, color: color(curve.engine), strong: isOurs(curve.engine), value: Math.max(0, curve[field]),
    lines: [`${format(curve[field])} (${label})`],
  })), label, format));
}

function latencies(set) {
  const rows = () => visible(set).filter(curve => curve.latency).sort((a, b) => a.latency.values[0] - b.latency.values[0]);
  return chart(holder => rows().length && rangeChart(holder, rows().map(curve => ({
    name: curve.label, color: color(curve.engine), strong: isOurs(curve.engine), values: curve.latency.values,
    lines: [`recall ${curve.latency.recall.toFixed(3)}`,
      ...["p50", "p95", "p99"].map((name, i) => `${name} ${short(curve.latency.values[i])} µs`)],
  })), "latency percentiles"));
}

function scaling(plot) {
  return chart(holder => {
    const series = plot.series.map(one => ({
      name: one.name, color: color(one.engine), strong: isOurs(one.engine), dash: one.dash ? "7 4" : "",
      points: one.points.map(([x, y]) => ({ x, y, lines: [`${plot.x}: ${short(x)}`, `${plot.y}: ${short(y)}`] })),
    }));
    const xs = series.flatMap(one => one.points.map(point => point.x));
    const ys = series.flatMap(one => one.points.map(point => point.y));
    lineChart(holder, series, logScale(Math.min(...xs) * 0.9, Math.max(...xs) * 1.1),
      logScale(Math.min(...ys) * 0.8, Math.max(...ys) * 1.25), { x: plot.x, y: plot.y, title: plot.title });
  });
}

function plots(list) {
  return html("div", { class: "pair" }, ...list.map(plot => html("div", { class: "card" },
    html("p", { class: "note" }, plot.title), scaling(plot),
    html("div", { class: "legend" }, ...plot.series.map(one => html("span", { class: "note" },
      html("i", { style: `border-color: ${color(one.engine)}` }), ` ${one.name} `))))));
}

function tables(list) {
  return list.map(one => section(one.title, one.note, table(one.heads, one.rows.map(row => ({
    ours: row.ours, cells: row.cells.map(text => text === "met" || text === "missed" ? { text, is: text } : text),
  })), one.left)));
}

function page(set) {
  const parts = [
    section(set.title, set.facts, headline(set)),
    section("Recall and speed", "One query a call, one thread on one core. Up and to the right is better.",
      html("div", { class: "card" }, choice(set), recallChart(set), legend(set))),
    section("Speed at a recall",
      `Read off each curve; in small letters, times ${set.reference} beside it. “≤” is the best recall of a sweep that does not get there.`,
      speedTable(set)),
    html("section", { class: "pair" },
      html("div", {}, html("h2", {}, "Build"), html("p", { class: "note" }, "Seconds on two threads."),
        html("div", { class: "card" }, bars(set, "build", "seconds", value => short(value) + " s"))),
      html("div", {}, html("h2", {}, "Memory"), html("p", { class: "note" }, "Resident after all searches, mapped files included."),
        html("div", { class: "card" }, bars(set, "resident", "resident", value => short(value) + " MB")))),
    section("Latency", "The fastest setting that reaches recall 0.95; single calls.", html("div", { class: "card" }, latencies(set))),
  ];
  if (set.filters.length) parts.push(section("Filters", set.filterNote, plots(set.filters)));
  parts.push(...tables(set.tables));
  return parts;
}

function redraw() { for (const draw of redraws) draw(); report(); }

function render() {
  redraws.length = 0;
  const set = model.sets[state.set];
  document.getElementById("sets").replaceChildren(...model.sets.map((one, index) => html("button", {
    type: "button", "aria-pressed": index === state.set,
    onclick: () => { state.set = index; state.hidden.clear(); render(); window.scrollTo(0, 0); },
  }, one.title)));
  const common = [];
  if (model.scaling.length) common.push(section("Growth", model.scalingNote, plots(model.scaling)));
  common.push(...tables(model.tables), html("footer", {}, model.footer));
  document.getElementById("page").replaceChildren(...(set ? page(set) : []), ...common);
  redraw();
}

function theme() {
  const root = document.documentElement, button = document.getElementById("theme"), kinds = ["system", "light", "dark"];
  let kind = "system";
  try { kind = localStorage.getItem("vidx-theme") || kind; } catch { /* a page from a file may have no storage */ }
  const apply = () => {
    if (kind === "system") delete root.dataset.theme; else root.dataset.theme = kind;
    button.textContent = `theme: ${kind}`;
  };
  button.addEventListener("click", () => {
    kind = kinds[(kinds.indexOf(kind) + 1) % kinds.length];
    try { localStorage.setItem("vidx-theme", kind); } catch { /* as above */ }
    apply();
  });
  apply();
}

// For check_report.py: what has been drawn, what went wrong, and whether the page is wider than its window.
function report() {
  const root = document.documentElement;
  root.dataset.curves = document.querySelectorAll(".curve").length;
  root.dataset.bars = document.querySelectorAll(".bar").length;
  root.dataset.ranges = document.querySelectorAll(".range").length;
  root.dataset.overflow = root.scrollWidth - root.clientWidth;
}

// For check_report.py, too: a pointer over a point of the first curve, then a click that hides it.
function probe() {
  const root = document.documentElement, spot = document.querySelector(".chart circle"), before = root.dataset.curves;
  const box = spot.getBoundingClientRect();
  const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true };
  spot.dispatchEvent(new PointerEvent("pointermove", at));
  root.dataset.tip = document.getElementById("tip").innerText.length;
  tip.hide();
  const button = document.querySelector(".legend button");
  button.click();
  root.dataset.hides = before - root.dataset.curves;
  button.click();
}

const asked = new URLSearchParams(location.hash.slice(1));
if (asked.has("set")) state.set = Math.min(model.sets.length - 1, Number(asked.get("set")) || 0);
if (asked.has("theme")) document.documentElement.dataset.theme = asked.get("theme");
theme();
if (asked.has("theme")) document.documentElement.dataset.theme = asked.get("theme");
render();
if (asked.has("probe")) probe();
let width = window.innerWidth;
window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; redraw(); } });
