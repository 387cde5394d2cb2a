// Points as lines: smoothing, bands, and how a small plot looks.

export const SMOOTH_FROM = 60; // points: longer curves get a running mean over the noise
const ROUGH = 0.01; // mean bend of a curve, as a share of its range
export const PLOT = { displaylogo: false, displayModeBar: false, responsive: true };

/** Map(step → value) as {x, y} by step. */
export function points(series) {
  if (!series) return { x: [], y: [] };
  const sorted = [...series].sort((a, b) => a[0] - b[0]);
  return { x: sorted.map((point) => point[0]), y: sorted.map((point) => point[1]) };
}

/** Whether a curve zigzags: a schedule such as the learning rate does not, and is drawn as it is. */
export function isRough(values) {
  const bends = values.slice(2).map((value, index) => Math.abs(value - 2 * values[index + 1] + values[index]));
  const range = Math.max(...values) - Math.min(...values);
  return bends.reduce((sum, bend) => sum + bend, 0) > ROUGH * range * bends.length;
}

/** Centred means and deviations over a `share` of the curve: they do not lag behind a trend. */
export function smooth(values, share) {
  const widest = Math.max(1, Math.round((values.length * share) / 2));
  const mean = [];
  const deviation = [];
  for (let index = 0; index < values.length; index++) {
    const near = values.slice(Math.max(0, index - widest), index + widest + 1);
    const middle = near.reduce((sum, value) => sum + value, 0) / near.length;
    mean.push(middle);
    deviation.push(Math.sqrt(near.reduce((sum, value) => sum + (value - middle) ** 2, 0) / near.length));
  }
  return { mean, deviation };
}

/** One curve as traces: the points, and where they are rough their running mean with a band of one deviation. */
export function curve(name, { x, y }, color, { smoothing, hasBands, dash, isLone = true }) {
  if (y.length === 0) return [];
  const isLong = smoothing > 0 && y.length >= SMOOTH_FROM && isRough(y);
  if (!isLong) return [line(name, { x, y }, { color, dash, width: isLone ? 1.75 : 1.5 })];
  const { mean, deviation } = smooth(y, smoothing);
  const traces = hasBands ? band(x, mean, deviation, color) : [{ ...line(name, { x, y }, { color, width: 1 }), opacity: 0.3, showlegend: false, hoverinfo: "skip" }];
  return [...traces, line(name, { x, y: mean }, { color, dash, width: 2 })];
}

export function line(name, { x, y }, style) {
  return { type: "scatter", mode: y.length > 1 ? "lines" : "markers", name, x, y, line: style, marker: { color: style.color }, hovertemplate: "%{y:.4~r}" };
}

function band(x, mean, deviation, color) {
  const edge = { type: "scatter", mode: "lines", x, line: { width: 0 }, hoverinfo: "skip", showlegend: false };
  const [low, high] = [-1, 1].map((sign) => mean.map((value, index) => value + sign * deviation[index]));
  return [{ ...edge, y: high }, { ...edge, y: low, fill: "tonexty", fillcolor: `${color}2e` }];
}

export function layout(title, { hasLegend = false } = {}) {
  const { ink, faint, line: grid } = palette();
  const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, tickfont: { size: 11, color: faint } };
  return {
    title: { text: title, font: { size: 13, color: ink }, x: 0, xanchor: "left", xref: "container", y: 0.97 },
    height: 230,
    margin: { l: 52, r: 6, t: hasLegend ? 48 : 34, b: 26 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: faint },
    showlegend: hasLegend,
    legend: { orientation: "h", x: 0, y: 1.16, font: { size: 11, color: faint }, bgcolor: "rgba(0,0,0,0)" },
    hovermode: "x unified",
    hoverlabel: { font: { color: "#1d1f21" }, bgcolor: "#fffefb" },
    xaxis: { ...axis, nticks: 6, showgrid: false, rangemode: "tozero" },
    yaxis: { ...axis, nticks: 5, tickformat: ".3~r" },
  };
}

export function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), faint: read("--ink-3"), line: read("--line"), batch: read("--curve-batch"), heldOut: read("--curve-held-out"), bad: read("--bad") };
}

/** A figure for a group, made when it is first asked for, below the group's heading and explanation. */
export function figureIn(root, group, series) {
  const key = series.join(" ");
  let figure = root.querySelector(`[data-name="${CSS.escape(key)}"]`);
  if (figure) return figure;
  figure = document.createElement("div");
  figure.className = "curve";
  figure.dataset.name = key;
  figure.setAttribute("role", "img");
  placeOf(root, group).append(figure);
  return figure;
}

function placeOf(root, { title, about }) {
  let section = root.querySelector(`[data-group="${CSS.escape(title)}"]`);
  if (section) return section.querySelector(".curves");
  section = document.createElement("section");
  section.dataset.group = title;
  section.className = "curve-group";
  section.append(element("h3", title));
  if (about) section.append(explanation(about));
  const place = element("div");
  place.className = "curves";
  section.append(place);
  root.append(section);
  return place;
}

function explanation(about) {
  const details = element("details");
  details.className = "curve-about";
  details.append(element("summary", "What it means"), element("p", about));
  return details;
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** How the reader wants curves drawn; kept in this browser. `onChange` is called whenever that changes. */
export function settings(onChange) {
  const smoothing = document.getElementById("smoothing");
  const bands = document.getElementById("bands");
  for (const input of [smoothing, bands]) {
    const kept = localStorage.getItem(`curves-${input.id}`);
    if (kept !== null && input.type === "checkbox") input.checked = kept === "true";
    else if (kept !== null) input.value = kept;
    input.addEventListener("input", () => {
      localStorage.setItem(`curves-${input.id}`, input.type === "checkbox" ? input.checked : input.value);
      onChange();
    });
  }
  return () => ({ smoothing: Number(smoothing.value) / 100, hasBands: bands.checked });
}
