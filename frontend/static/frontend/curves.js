// Live curves of a training run: one small plot a quantity, held-out values beside those of the training batches.

const POLL_MS = 2000;
const SMOOTH_FROM = 60; // points: longer curves get a running mean over the noise
const ROUGH = 0.01; // mean bend of a curve, as a share of its range
const HELD_OUT = /^held_out_/;
// What is looked at first, and what last; anything else lies between.
const FIRST = ["loss", "accuracy", "exact", "margin", "reward", "score", "win", "kl", "entropy", "logp"];
const LAST = ["clip", "grad", "lr", "learning_rate", "seconds", "tokens"];

const root = document.getElementById("curves");
const data = { step: new Map(), evaluation: new Map() }; // kind → name → Map(step → value)
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
    for (const [name, points] of Object.entries(body[kind])) {
      const series = data[kind].get(name) ?? new Map();
      for (const [step, value] of points) series.set(step, value);
      data[kind].set(name, series);
    }
  }
  latest = body.latest;
}

function draw() {
  const names = new Set([...data.step.keys(), ...data.evaluation.keys()].map((name) => name.replace(HELD_OUT, "")));
  if (names.size === 0) return;
  root.querySelector(".empty")?.remove();
  for (const name of [...names].sort(byOrder)) plot(name);
}

function byOrder(a, b) {
  const rank = (name) => {
    const [first, last] = [FIRST, LAST].map((words) => words.findIndex((word) => name.includes(word)));
    if (last >= 0) return FIRST.length + 1 + last;
    return first >= 0 ? first : FIRST.length;
  };
  return rank(a) - rank(b) || a.localeCompare(b);
}

function plot(name) {
  let figure = root.querySelector(`[data-name="${CSS.escape(name)}"]`);
  if (!figure) {
    figure = document.createElement("div");
    figure.className = "curve";
    figure.dataset.name = name;
    root.append(figure);
  }
  figure.setAttribute("role", "img");
  figure.setAttribute("aria-label", inWords(name));
  window.Plotly.react(figure, traces(name), layout(name), { displaylogo: false, displayModeBar: false, responsive: true });
}

function inWords(name) {
  const { x, y } = points(data.step.get(name) ?? data.evaluation.get(name) ?? data.evaluation.get(`held_out_${name}`));
  return `${name.replaceAll("_", " ")}: ${y.length} points, ${y.at(-1).toPrecision(4)} at step ${x.at(-1)}`;
}

function traces(name) {
  const colours = palette();
  const batch = points(data.step.get(name));
  const heldOut = points(data.evaluation.get(name) ?? data.evaluation.get(`held_out_${name}`));
  const isLong = batch.y.length >= SMOOTH_FROM && isRough(batch.y);
  const result = [];
  if (batch.y.length) {
    result.push(line("batch", batch, colours.batch, { width: isLong ? 1 : 1.75 }, isLong ? 0.3 : 1));
    if (isLong) result.push(line("running mean", { x: batch.x, y: smooth(batch.y) }, colours.batch, { width: 2 }, 1));
  }
  if (heldOut.y.length) {
    const trace = line("held out", heldOut, colours.heldOut, { width: 2 }, 1);
    result.push({ ...trace, mode: "lines+markers", marker: { size: 5, color: colours.heldOut } });
  }
  return result;
}

function line(name, { x, y }, color, style, opacity) {
  return { type: "scatter", mode: y.length > 1 ? "lines" : "markers", name, x, y, opacity, line: { color, ...style }, hovertemplate: "%{y:.4~r}" };
}

function points(series) {
  if (!series) return { x: [], y: [] };
  const sorted = [...series].sort((a, b) => a[0] - b[0]);
  return { x: sorted.map((point) => point[0]), y: sorted.map((point) => point[1]) };
}

/** Whether a curve zigzags: a schedule such as the learning rate does not, and is drawn as it is. */
function isRough(values) {
  const bends = values.slice(2).map((value, index) => Math.abs(value - 2 * values[index + 1] + values[index]));
  const range = Math.max(...values) - Math.min(...values);
  return bends.reduce((sum, bend) => sum + bend, 0) > ROUGH * range * bends.length;
}

/** A centred mean over about a twentieth of the curve: it does not lag behind a trend. */
function smooth(values) {
  const widest = Math.max(2, Math.round(values.length / 40));
  return values.map((_, index) => {
    const near = values.slice(Math.max(0, index - widest), index + widest + 1);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}

function layout(name) {
  const { ink, faint, line: grid } = palette();
  const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, tickfont: { size: 11, color: faint } };
  return {
    title: { text: name.replaceAll("_", " "), font: { size: 13, color: ink }, x: 0, xanchor: "left", xref: "container", y: 0.97 },
    height: 230,
    margin: { l: 52, r: 6, t: 34, b: 26 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: faint },
    showlegend: false,
    hovermode: "x unified",
    xaxis: { ...axis, nticks: 6, showgrid: false, rangemode: "tozero" },
    yaxis: { ...axis, nticks: 5, tickformat: ".3~r" },
  };
}

function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), faint: read("--ink-3"), line: read("--line"), batch: read("--curve-batch"), heldOut: read("--curve-held-out") };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
window.addEventListener("DOMContentLoaded", poll); // plotly's script is deferred: it has run by then
