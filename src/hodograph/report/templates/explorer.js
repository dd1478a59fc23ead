"use strict";
(() => {
const by = id => document.getElementById(id);
const page = JSON.parse(by("explorer").textContent);
const control = Object.fromEntries(
  ["metric", "storage", "arm", "step", "layer", "module", "show", "log"].map(id => [id, by(id)]));
const SHAPES = [["circle", "●"], ["square", "■"], ["triangle-down", "▼"], ["diamond", "◆"],
  ["triangle-up", "▲"], ["cross", "✚"], ["triangle-right", "▶"], ["triangle-left", "◀"]];
const ERRORS = 1; // a log level of Vega: a metric without nulls is no cause for a warning
const DASHES = [[1, 0], [7, 3], [8, 3, 2, 3], [2, 3]];
const dark = matchMedia("(prefers-color-scheme: dark)");
const blocks = {}, drawn = {};
const HOVERED = ["trajectory", "arms"];
let hidden = new Set(), hovered = "", queue = Promise.resolve();

/* ---- values ---- */

async function inflated(id) {
  const bytes = Uint8Array.from(atob(by(id).textContent.trim()), sign => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

const metric = () => page.metrics.find(one => one.name === control.metric.value);
const factor = () => metric().unit === "share" ? 100 : 1;
const unit = () => metric().unit === "share" ? "%" : metric().unit;
const storage = () => metric().storage_free ? 0 : page.storages.indexOf(control.storage.value);
const arms = () => page.arms.filter(arm => !hidden.has(arm));
const isMissing = value => value === null || value === undefined;
const digits = () => isWhole() ? 4 : 3;
const written = (value, many = digits()) => isMissing(value) ? "–" : String(Number(value.toPrecision(many)));

function mean(values) {
  const known = values.filter(value => !isMissing(value));
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

function chosenCells() {
  const fits = ([layer, module]) => (control.layer.value === "" || layer === Number(control.layer.value))
    && (control.module.value === "" || module === control.module.value);
  return page.cells.map((cell, place) => fits(cell) ? place : -1).filter(place => place >= 0);
}

const isWhole = () => control.layer.value === "" && control.module.value === "";
const stepsHeld = () => isWhole() ? page.steps : page.kept_steps;

/** The step closest to the one wanted; arms need not have been saved at the same steps. */
function nearest(step, steps) {
  return [...steps].sort((one, other) => Math.abs(one - step) - Math.abs(other - step))[0];
}

const stepsOf = (arm, lines) => lines.filter(line => line.arm === arm).map(line => line.step);

/** A value, or what stands beside it; cells hold the difference from the null in place of the null. */
function valueAt(block, part, kind, place) {
  const held = (block[part + kind] ?? [])[place];
  if (part !== "null_" || kind === "means") return held;
  const value = block.cells[place], difference = (block.difference_cells ?? [])[place];
  return isMissing(value) || isMissing(difference) ? null : value - difference;
}

/** One row for each run (or arm, where seeds are averaged) and step: means over the chosen cells. */
function pointRows(block) {
  const whole = isWhole(), steps = stepsHeld(), lines = whole ? page.runs : page.lines;
  const chosen = whole ? [0] : chosenCells(), width = whole ? 1 : page.cells.length;
  const kind = whole ? "means" : "cells";
  const rows = [];
  lines.forEach(([arm, seed], line) => steps.forEach((step, place) => {
    const start = ((storage() * lines.length + line) * steps.length + place) * width;
    const over = part => mean(chosen.map(cell => valueAt(block, part, kind, start + cell)));
    if (!isMissing(over("")) && !hidden.has(arm)) rows.push(row(arm, seed, step, over));
  }));
  return rows;
}

function row(arm, seed, step, over) {
  const value = over(""), chance = over("null_"), doubt = over("doubt_") ?? 0;
  return {arm, seed: seed ?? "–", step, value: value * factor(),
    null_value: isMissing(chance) ? null : chance * factor(), doubt,
    shown: written(value * factor()), null_shown: isMissing(chance) ? "–" : written(chance * factor()),
    note: doubt > 0 ? "near the rounding noise of the storage" : "–"};
}

/** The mean over seeds of the points of each arm and step. */
function lineRows(points) {
  const found = new Map();
  for (const point of points) {
    const key = `${point.arm}\n${point.step}`;
    found.set(key, [...(found.get(key) ?? []), point]);
  }
  return [...found.values()].map(some => ({arm: some[0].arm, step: some[0].step,
    value: mean(some.map(one => one.value)), null_value: mean(some.map(one => one.null_value))}));
}

function cellRows(block, step) {
  const lines = page.lines.map(([arm], line) => arm === control.arm.value ? line : -1)
    .filter(line => line >= 0);
  const place = page.kept_steps.indexOf(step);
  const rows = page.cells.map(([layer, module], cell) => {
    const over = part => mean(lines.map(line => valueAt(block, part, "cells",
      ((storage() * page.lines.length + line) * page.kept_steps.length + place) * page.cells.length + cell)));
    const found = row(control.arm.value, null, step, over), difference = over("difference_");
    const value = {value: found.value, null: found.null_value,
      difference: isMissing(difference) ? null : difference * factor()};
    return {...found, layer: layer < 0 ? "none" : String(layer), module: short(module),
      value: value[control.show.value], known: !isMissing(over("")),
      chosen: !isWhole() && chosenCells().includes(cell)};
  });
  return labelled(rows.filter(one => one.known && !isMissing(one.value)));
}

/** The kept step closest to the one wanted at which the arm chosen has values. */
function cellStep(block, wanted) {
  const known = page.kept_steps.filter(step => cellRows(block, step).length);
  return nearest(wanted, known.length ? known : page.kept_steps);
}

function labelled(rows) {
  const values = rows.map(one => one.value), low = Math.min(...values), high = Math.max(...values);
  const bright = isDifference() ? value => Math.abs(value) < 0.6 * extent(rows)
    : value => (value - low) / (high - low || 1) > 0.5;
  const roomy = new Set(page.cells.map(cell => cell[1])).size * 60 < by("layers").clientWidth;
  return rows.map(one => ({...one,
    label: roomy ? written(one.value, 3) + (one.doubt > 0 ? "?" : "") : "",
    bright: bright(one.value)}));
}

const isDifference = () => control.show.value === "difference";
const extent = rows => Math.max(...rows.map(one => Math.abs(one.value)), 0) || 1;
const short = module => module.replace(/_proj$/, "");

/* ---- charts ---- */

const title = () => metric().title + (unit() ? `, ${unit()}` : "");

function words(rows) {
  const style = getComputedStyle(document.documentElement);
  const colour = name => style.getPropertyValue(name).trim();
  const places = page.arms.map((_, place) => place);
  return {"@title": title(), "@value": unit() ? `value, ${unit()}` : "value", "@format": rows.some(one => Math.abs(one.value) >= 1e-3) ? "~r" : "~e", "@extent": [-extent(rows), extent(rows)],
    "@ink": colour("--ink"), "@muted": colour("--muted"), "@grid": colour("--grid"),
    "@paper": colour("--paper"), "@arms": page.arms,
    "@colours": places.map(place => colour(`--arm-${place % 8}`)),
    "@shapes": places.map(place => SHAPES[place % 8][0]),
    "@dashes": places.map(place => DASHES[Math.floor(place / 8) % 4]),
    "@layers": [...new Set(page.cells.map(([layer]) => layer < 0 ? "none" : String(layer)))],
    "@modules": [...new Set(page.cells.map(([, module]) => short(module)))]};
}

function filled(part, replaced) {
  if (Array.isArray(part)) {
    if (part.length === 1 && Array.isArray(replaced[part[0]])) return replaced[part[0]];
    return part.map(one => filled(one, replaced));
  }
  if (part && typeof part === "object") {
    return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, filled(one, replaced)]));
  }
  return typeof part === "string" && part in replaced ? replaced[part] : part;
}

async function show(name, scale, height, data) {
  const rows = data.cells ?? data.points;
  const spec = {...filled(page.charts[`${name}-${scale}`], words(rows)), height, description: by(`${name}-title`).textContent};
  const key = JSON.stringify(spec);
  if (drawn[name]?.key !== key) {
    drawn[name]?.result.finalize();
    const result = await vegaEmbed(by(name), {...spec, datasets: data}, {logLevel: ERRORS, renderer: "svg", ast: true,
      actions: {export: true, source: false, compiled: false, editor: false},
      tooltip: {theme: dark.matches ? "dark" : "light"}, downloadFileName: `${metric().name}-${name}`});
    drawn[name] = {key, result};
    return listen(name, result.view);
  }
  const view = drawn[name].result.view;
  for (const [rows, values] of Object.entries(data)) view.data(rows, values);
  await view.runAsync();
}

function scaleOf(rows, wanted) {
  return wanted && rows.every(one => one.value > 0 && (isMissing(one.null_value) || one.null_value > 0))
    ? "log" : "linear";
}

async function draw() {
  const block = blocks[metric().name] ??= JSON.parse(await inflated(`metric-${metric().name}`));
  const points = pointRows(block), lines = lineRows(points);
  const wanted = Number(control.step.value), step = nearest(wanted, lines.map(line => line.step)) ?? wanted;
  const kept = cellStep(block, wanted), cells = cellRows(block, kept);
  const at = new Map(arms().map(arm => [arm, nearest(wanted, stepsOf(arm, lines))]));
  const now = one => one.step === at.get(one.arm), scale = scaleOf(points, control.log.checked);
  control.log.disabled = scaleOf(points, true) === "linear";
  say(lines.filter(now), wanted, kept);
  await show("trajectory", scale, 300, {points, lines, now: [{step}]});
  await show("arms", scale, 26 * Math.max(arms().length, 1),
    {points: points.filter(now), lines: lines.filter(now)});
  const layers = new Set(page.cells.map(([layer]) => layer)).size;
  const kind = isDifference() ? "difference" : scaleOf(cells, scale === "log");
  await show("layers", kind,
    layers * Math.max(14, Math.min(38, 600 / layers)), {cells});
  document.body.dataset.state = "drawn";
  performance.mark("drawn"); // benchmarks/page.py reads it
}

const redraw = () => {
  document.body.dataset.state = "drawing";
  queue = queue.then(draw).catch(failed);
  return queue;
};

function failed(error) {
  document.body.dataset.state = "failed";
  by("status").textContent = `The explorer could not be drawn: ${error.message}`;
}

/* ---- words on the page ---- */

function where() {
  if (isWhole()) return "all matrices";
  const layer = control.layer.value === "" ? "all layers" : `layer ${control.layer.value}`;
  return `${layer}, ${control.module.value === "" ? "all modules" : short(control.module.value)}`;
}

function say(lines, step, kept) {
  const one = metric(), shown = {value: "", null: "null of ", difference: "difference from its null of "}[control.show.value];
  const line = lines.find(row => row.arm === control.arm.value);
  by("definition").textContent = `${one.name}: ${one.formula}${one.unit ? ` [${one.unit}]` : ""}. Source: ${one.source}.`
    + (one.null ? ` Null, ${one.null}: ${one.null_formula}.` : " No null is defined for this quantity.");
  by("trajectory-title").textContent = `${one.title} over training, ${where()}`;
  by("arms-title").textContent = lines.every(row => row.step === step) ? `At step ${step}, ${where()}`
    : `At the step of each arm nearest to ${step}, ${where()}`;
  by("layers-title").textContent = `By layer and module: ${shown}${control.arm.value}, step ${kept}`;
  by("status").textContent = `${control.arm.value}, step ${line?.step ?? step}, ${where()}: `
    + `${written(line?.value)}${unit() ? ` ${unit()}` : ""}, null ${written(line?.null_value)}.`;
  control.storage.disabled = one.storage_free;
}

/* ---- what the reader does ---- */

function hover(arm) {
  if (arm === hovered) return;
  hovered = arm;
  for (const name of HOVERED) {
    if (drawn[name]) drawn[name].result.view.signal("hover", arm).runAsync();
  }
}

function listen(name, view) {
  if (HOVERED.includes(name)) view.signal("hover", hovered);
  view.addEventListener("mouseover", (_, item) => hover(item?.datum?.arm ?? ""));
  view.addEventListener("mouseout", () => hover(""));
  view.addEventListener("click", (event, item) => CLICKED[name](item?.datum ?? {}, view, event));
}

const CLICKED = {
  trajectory(datum, view, event) {
    const box = by("trajectory").querySelector("svg").getBoundingClientRect();
    const step = view.scale("x").invert(event.clientX - box.left - view.origin()[0]);
    control.step.value = nearest(step, page.steps);
    if (datum.arm) control.arm.value = datum.arm;
    redraw();
  },
  arms(datum) {
    if (datum.arm) control.arm.value = datum.arm;
    redraw();
  },
  layers(datum) {
    if (datum.layer === undefined) return;
    const layer = datum.layer === "none" ? "-1" : datum.layer;
    const module = page.cells.find(([, name]) => short(name) === datum.module)[1];
    const again = control.layer.value === layer && control.module.value === module;
    control.layer.value = again ? "" : layer;
    control.module.value = again ? "" : module;
    redraw();
  },
};

const CHANGED = {metric: () => changeMetric().catch(failed), arm: showArm};

function chooseScale() {
  const values = (blocks[metric().name]?.means ?? []).filter(value => value > 0);
  control.log.checked = metric().unit !== "share" && values.length > 1
    && Math.max(...values) > 30 * Math.min(...values);
}

async function changeMetric() {
  document.body.dataset.state = "drawing";
  blocks[metric().name] ??= JSON.parse(await inflated(`metric-${metric().name}`));
  chooseScale();
  return redraw();
}

function option(select, value, text, group) {
  const made = new Option(text, value);
  if (!group) return select.add(made);
  let home = [...select.querySelectorAll("optgroup")].find(one => one.label === group);
  if (!home) select.append(home = Object.assign(document.createElement("optgroup"), {label: group}));
  home.append(made);
}

function fill() {
  for (const one of page.metrics) option(control.metric, one.name, one.title, one.family);
  for (const one of page.storages) option(control.storage, one, one);
  for (const one of page.arms) option(control.arm, one, one);
  for (const one of page.steps) option(control.step, one, one);
  option(control.layer, "", "all");
  for (const one of new Set(page.cells.map(([layer]) => layer))) option(control.layer, one, one < 0 ? "none" : one);
  option(control.module, "", "all");
  for (const one of new Set(page.cells.map(([, module]) => module))) option(control.module, one, short(one));
  control.step.value = page.steps.at(-1);
  control.metric.value = page.first;
}

function key(arm, place) {
  const label = document.createElement("label"), box = document.createElement("input");
  const mark = document.createElement("span");
  Object.assign(box, {type: "checkbox", value: arm, checked: !hidden.has(arm)});
  mark.textContent = SHAPES[place % 8][1];
  mark.className = "mark";
  mark.style.color = `var(--arm-${place % 8})`;
  mark.style.borderBottomStyle = ["solid", "dashed", "double", "dotted"][Math.floor(place / 8) % 4];
  label.append(box, mark, arm);
  box.addEventListener("change", () => { box.checked ? hidden.delete(arm) : hidden.add(arm); redraw(); });
  label.addEventListener("mouseenter", () => hover(arm));
  label.addEventListener("mouseleave", () => hover(""));
  return label;
}

function fillKeys() {
  const origins = [...new Set(page.origins)];
  const size = origin => page.origins.filter(one => one === origin).length;
  const largest = origins.reduce((best, one) => size(one) > size(best) ? one : best);
  hidden = new Set(page.arms.filter((_, place) => page.origins[place] !== largest));
  control.arm.value = page.arms[page.origins.indexOf(largest)];
  for (const origin of origins) {
    const group = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = origin;
    group.append(legend, ...page.arms.map((arm, place) => page.origins[place] === origin ? key(arm, place) : ""));
    by("keys").append(group);
  }
}

function showArm() {
  hidden.delete(control.arm.value);
  for (const box of by("keys").querySelectorAll("input")) box.checked = !hidden.has(box.value);
  return redraw();
}

async function start() {
  fill();
  fillKeys();
  for (const [name, one] of Object.entries(control)) {
    one.addEventListener("change", CHANGED[name] ?? redraw);
  }
  dark.addEventListener("change", redraw);
  const library = document.createElement("script");
  library.textContent = await inflated("library");
  document.head.append(library);
  await changeMetric();
}

start().catch(failed);
})();
