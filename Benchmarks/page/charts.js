// Charts drawn as SVG: lines over two scales, bars, and ranges of percentiles. No library, no network.
"use strict";

const NS = "http://www.w3.org/2000/svg";

function node(name, attributes, parent, text) {
  const made = document.createElementNS(NS, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return +(value / 1e6).toPrecision(3) + "M";
  if (size >= 1e4) return +(value / 1e3).toPrecision(3) + "k";
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return String(+value.toPrecision(3));
}

function logScale(low, high) {
  const from = Math.log(low), to = Math.log(high);
  const place = value => (Math.log(value) - from) / (to - from || 1);
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of [1, 2, 5]) {
      const value = digit * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  }
  const strict = ticks.filter(value => Math.log10(value) % 1 === 0);
  if (ticks.length < 3) {
    const between = [0.1, 0.5, 0.9].map(share => +Math.exp(from + (to - from) * share).toPrecision(2));
    return { place, ticks: [...new Set(between)], format: short };
  }
  return { place, ticks: ticks.length > 9 && strict.length > 2 ? strict : ticks, format: short };
}

// Recall, stretched towards 1: each halving of what is missed takes the same room.
function recallScale(low) {
  const missed = 4e-4;
  const bend = recall => -Math.log(1 - recall + missed);
  const from = bend(low), to = bend(1);
  const all = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1];
  return {
    place: value => (bend(value) - from) / (to - from),
    ticks: all.filter(value => value >= low), format: value => String(value),
    first: [0.9, 0.95, 0.99, 1],
  };
}

const tip = {
  show(event, lines) {
    const box = document.getElementById("tip");
    box.replaceChildren();
    lines.forEach((line, index) => {
      const part = document.createElement(index ? "div" : "b");
      part.textContent = line;
      box.appendChild(part);
    });
    box.style.display = "block";
    const width = box.offsetWidth, height = box.offsetHeight;
    const right = window.scrollX + document.documentElement.clientWidth;
    let left = event.pageX + 14;
    if (left + width > right - 8) left = Math.max(window.scrollX + 8, event.pageX - width - 14);
    const top = event.pageY - height - 12 < window.scrollY ? event.pageY + 16 : event.pageY - height - 12;
    box.style.left = left + "px";
    box.style.top = top + "px";
  },
  hide() { document.getElementById("tip").style.display = "none"; },
};

function frame(holder, height, margin, label) {
  holder.replaceChildren();
  const width = Math.max(280, holder.clientWidth || 640);
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label }, holder);
  return { svg, width, height, left: margin.left, top: margin.top, inner: width - margin.left - margin.right,
    tall: height - margin.top - margin.bottom };
}

function axes(at, x, y, xLabel, yLabel) {
  const across = value => at.left + x.place(value) * at.inner;
  const up = value => at.top + (1 - y.place(value)) * at.tall;
  const taken = [], first = x.first || [];
  const ordered = [...x.ticks].sort((a, b) => first.includes(b) - first.includes(a));
  for (const value of ordered) {
    const place = across(value);
    node("line", { class: "grid", x1: place, x2: place, y1: at.top, y2: at.top + at.tall }, at.svg);
    if (taken.some(other => Math.abs(other - place) < 34)) continue;
    taken.push(place);
    node("text", { x: place, y: at.top + at.tall + 18, "text-anchor": "middle" }, at.svg, x.format(value));
  }
  for (const value of y.ticks) {
    const place = up(value);
    node("line", { class: "grid", x1: at.left, x2: at.left + at.inner, y1: place, y2: place }, at.svg);
    node("text", { x: at.left - 8, y: place + 4, "text-anchor": "end" }, at.svg, y.format(value));
  }
  node("line", { class: "axis", x1: at.left, x2: at.left + at.inner, y1: at.top + at.tall, y2: at.top + at.tall }, at.svg);
  node("text", { x: at.left + at.inner / 2, y: at.height - 4, "text-anchor": "middle" }, at.svg, xLabel);
  node("text", { x: at.left - 40, y: 12 }, at.svg, yLabel);
  return { across, up };
}

// series: [{name, color, dash, strong, points: [{x, y, lines}]}]
function lineChart(holder, series, x, y, labels) {
  const height = Math.min(460, Math.max(300, (holder.clientWidth || 640) * 0.52));
  const at = frame(holder, height, { left: 52, right: 14, top: 24, bottom: 44 }, labels.title);
  const { across, up } = axes(at, x, y, labels.x, labels.y);
  const drawn = [], spots = [];
  for (const one of [...series].sort((a, b) => (a.strong ? 1 : 0) - (b.strong ? 1 : 0))) {
    const group = node("g", {}, at.svg);
    const places = one.points.map(point => [across(point.x), up(point.y)]);
    const path = places.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    node("path", { class: "curve", d: path, stroke: one.color, "stroke-width": one.strong ? 3 : 1.8,
      "stroke-dasharray": one.dash || "none" }, group);
    places.forEach(([px, py], i) => {
      node("circle", { cx: px, cy: py, r: one.strong ? 3.6 : 2.6, fill: one.color }, group);
      spots.push({ px, py, group, lines: [one.name, ...one.points[i].lines] });
    });
    drawn.push(group);
  }
  follow(at, spots, drawn);
}

// The nearest point under the pointer, or under a finger, tells what it is.
function follow(at, spots, drawn) {
  const lit = group => drawn.forEach(other => other.classList.toggle("dim", group !== null && other !== group));
  at.svg.addEventListener("pointermove", event => {
    const box = at.svg.getBoundingClientRect(), scale = at.width / box.width;
    const px = (event.clientX - box.left) * scale, py = (event.clientY - box.top) * scale;
    let best = null, least = 40 ** 2;
    for (const spot of spots) {
      const distance = (spot.px - px) ** 2 + (spot.py - py) ** 2;
      if (distance < least) { least = distance; best = spot; }
    }
    lit(best ? best.group : null);
    if (best) tip.show(event, best.lines); else tip.hide();
  });
  at.svg.addEventListener("pointerleave", () => { lit(null); tip.hide(); });
}

function rowNames(at, rows, step) {
  rows.forEach((row, index) => {
    node("text", { x: at.left - 8, y: at.top + (index + 0.5) * step + 4, "text-anchor": "end",
      class: row.strong ? "ours" : "name" }, at.svg, fitted(row.name, at.left));
  });
}

function fitted(name, room) {
  const letters = Math.floor(room / 6.6);
  return name.length > letters ? name.slice(0, letters - 1) + "…" : name;
}

function nameRoom(holder, rows) {
  const longest = Math.max(...rows.map(row => row.name.length));
  return Math.min(longest * 6.6 + 14, Math.max(120, (holder.clientWidth || 640) * 0.46));
}

// rows: [{name, color, strong, value, lines}]
function barChart(holder, rows, label, format) {
  const step = 22, most = Math.max(...rows.map(row => row.value));
  const left = nameRoom(holder, rows);
  const at = frame(holder, rows.length * step + 8, { left, right: 58, top: 4, bottom: 4 }, label);
  rowNames(at, rows, step);
  rows.forEach((row, index) => {
    const y = at.top + index * step, width = Math.max(2, row.value / most * at.inner);
    const bar = node("rect", { class: "bar", x: at.left, y: y + 4, width, height: step - 8, rx: 2, fill: row.color,
      opacity: row.strong ? 1 : 0.72 }, at.svg);
    node("text", { x: at.left + width + 6, y: y + step / 2 + 4 }, at.svg, format(row.value));
    bar.addEventListener("pointermove", event => tip.show(event, [row.name, ...row.lines]));
    bar.addEventListener("pointerleave", () => tip.hide());
  });
}

// rows: [{name, color, strong, values: [p50, p95, p99], lines}]
function rangeChart(holder, rows, label) {
  const step = 22, all = rows.flatMap(row => row.values);
  const left = nameRoom(holder, rows);
  const at = frame(holder, rows.length * step + 40, { left, right: 20, top: 4, bottom: 36 }, label);
  const x = logScale(Math.min(...all) * 0.8, Math.max(...all) * 1.25);
  axes(at, x, { place: () => 0, ticks: [], format: short }, "microseconds a query: p50, p95, p99", "");
  rowNames(at, rows, step);
  rows.forEach((row, index) => {
    const y = at.top + (index + 0.5) * step, places = row.values.map(value => at.left + x.place(value) * at.inner);
    const group = node("g", { class: "range" }, at.svg);
    node("rect", { x: at.left, y: y - step / 2, width: at.inner, height: step, fill: "transparent" }, group);
    node("line", { x1: places[0], x2: places[2], y1: y, y2: y, stroke: row.color, "stroke-width": 3, opacity: 0.45 }, group);
    places.forEach((place, i) => {
      node("circle", { cx: place, cy: y, r: [5, 4, 3][i], fill: row.color, opacity: [1, 0.75, 0.55][i] }, group);
    });
    group.addEventListener("pointermove", event => tip.show(event, [row.name, ...row.lines]));
    group.addEventListener("pointerleave", () => tip.hide());
  });
}
