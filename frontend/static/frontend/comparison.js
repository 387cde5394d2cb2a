// Curves of several training runs over one another: a colour for each run, held-out values dashed.

import { grouped, titleOf } from "./curve_groups.js";
import { curve, figureIn, layout, line, PLOT, points, settings } from "./curve_lines.js";

const POLL_MS = 5000;
const HELD_OUT = /^held_out_/;
const root = document.getElementById("curves");
const wanted = settings(() => draw());
let runs = [];

async function load() {
  let isMoving = true;
  try {
    const reply = await fetch(root.dataset.url, { headers: { Accept: "application/json" } });
    if (reply.ok) {
      ({ runs } = await reply.json());
      for (const run of runs) run.name = run.name.replaceAll("<", "&lt;"); // Plotly reads tags in names
      draw();
      isMoving = runs.some((run) => !run.has_ended);
    } else if (reply.status < 500) return;
  } catch {
    // no connection: the next poll tries again
  }
  if (isMoving) setTimeout(load, POLL_MS);
}

function draw() {
  const names = new Set(runs.flatMap((run) => [...Object.keys(run.step), ...Object.keys(run.evaluation)]).map((name) => name.replace(HELD_OUT, "")));
  if (names.size === 0) return;
  root.querySelector(".empty")?.remove();
  for (const group of grouped(names)) for (const name of group.figures.flat()) plot(group, name);
}

function plot(group, name) {
  const figure = figureIn(root, group, [name]);
  const traces = runs.flatMap((run, place) => lines(run, name, colour(place)));
  figure.setAttribute("aria-label", `${name.replaceAll("_", " ")} of ${runs.map((run) => run.name).join(", ")}`);
  window.Plotly.react(figure, traces, layout(titleOf([name])), PLOT);
}

function lines(run, name, color) {
  const batch = points(run.step[name]);
  const heldOut = points(run.evaluation[name] ?? run.evaluation[`held_out_${name}`]);
  const traces = curve(run.name, batch, color, { ...wanted(), isLone: false });
  if (heldOut.y.length) {
    const trace = line(`${run.name}, held out`, heldOut, { color, width: 1.75, dash: "dot" });
    traces.push({ ...trace, mode: "lines+markers", marker: { size: 5, color } });
  }
  return traces;
}

function colour(place) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--run-${place + 1}`).trim();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
window.addEventListener("DOMContentLoaded", load); // plotly's script is deferred: it has run by then
