// Live curves of a training run: a small plot for each quantity, held-out values beside those of the training batches.

import { grouped, titleOf } from "./curve_groups.js";
import { curve, figureIn, layout, line, palette, PLOT, points, settings } from "./curve_lines.js";

const POLL_MS = 2000;
const HELD_OUT = /^held_out_/;

const root = document.getElementById("curves");
const data = { step: new Map(), evaluation: new Map() }; // kind → name → Map(step → value)
const wanted = settings(() => draw());
let latest = null;

async function poll() {
  const url = latest ? `${root.dataset.url}?since=${encodeURIComponent(latest)}` : root.dataset.url;
  let hasEnded = false;
  try {
    const reply = await fetch(url, { headers: { Accept: "application/json" } });
    if (reply.ok) {
      const body = await reply.json();
      merge(body);
      draw();
      hasEnded = body.has_ended;
    } else if (reply.status < 500) return;
  } catch {
    // no connection: the next poll tries again
  }
  if (!hasEnded) setTimeout(poll, POLL_MS);
}

function merge(body) {
  for (const kind of ["step", "evaluation"]) {
    for (const [name, values] of Object.entries(body[kind])) {
      const series = data[kind].get(name) ?? new Map();
      for (const [step, value] of values) series.set(step, value);
      data[kind].set(name, series);
    }
  }
  latest = body.latest;
}

function draw() {
  const names = new Set([...data.step.keys(), ...data.evaluation.keys()].map((name) => name.replace(HELD_OUT, "")));
  if (names.size === 0) return;
  root.querySelector(".empty")?.remove();
  for (const group of grouped(names)) for (const series of group.figures) plot(group, series);
}

function plot(group, series) {
  const figure = figureIn(root, group, series);
  figure.setAttribute("aria-label", series.map(spoken).join("; "));
  const traces = series.length === 1 ? single(series[0]) : several(series);
  window.Plotly.react(figure, traces, layout(titleOf(series), { hasLegend: series.length > 1 }), PLOT);
}

function spoken(name) {
  const { x, y } = points(data.step.get(name) ?? heldOutOf(name));
  return `${name.replaceAll("_", " ")}: ${y.length} points, ${y.at(-1).toPrecision(4)} at step ${x.at(-1)}`;
}

function heldOutOf(name) {
  return data.evaluation.get(name) ?? data.evaluation.get(`held_out_${name}`);
}

function single(name) {
  const colours = palette();
  const heldOut = points(heldOutOf(name));
  const traces = curve("batch", points(data.step.get(name)), colours.batch, wanted());
  if (heldOut.y.length) traces.push(marked("held out", heldOut, colours.heldOut));
  return traces;
}

/** Chosen and rejected in one figure; held-out values are dashed, with marks. */
function several(series) {
  const colours = [palette().batch, palette().bad];
  return series.flatMap((name, place) => {
    const word = name.split("_")[0];
    const heldOut = points(heldOutOf(name));
    const traces = curve(word, points(data.step.get(name)), colours[place], wanted());
    if (heldOut.y.length) traces.push(marked(`${word}, held out`, heldOut, colours[place], "dot"));
    return traces;
  });
}

function marked(name, values, color, dash = "solid") {
  return { ...line(name, values, { color, width: 2, dash }), mode: "lines+markers", marker: { size: 5, color } };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
window.addEventListener("DOMContentLoaded", poll); // plotly's script is deferred: it has run by then
