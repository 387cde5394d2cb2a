// A judge's figures: soft labels against what people said, and agreement by the least margin that a judge keeps.

const root = document.getElementById("calibration");
const CONFIG = { displaylogo: false, displayModeBar: false, responsive: true };
const DRAW = { reliability, routing };
let numbers = null;

async function load() {
  const reply = await fetch(root.dataset.url, { headers: { Accept: "application/json" } });
  if (!reply.ok) return;
  numbers = await reply.json();
  drawAll();
}

function drawAll() {
  if (!numbers) return;
  for (const place of root.querySelectorAll("[data-plot]")) {
    const figure = DRAW[place.dataset.plot](numbers, colours());
    if (!figure) continue; // the page says why there is nothing
    place.querySelector(".empty")?.remove();
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", figure.words);
    window.Plotly.react(place, figure.traces, { ...layout(), ...figure.layout }, CONFIG);
  }
}

function reliability({ reliability: rows }, colour) {
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map((row) => row.n));
  const points = {
    type: "scatter", mode: "markers", x: rows.map((row) => row.label), y: rows.map((row) => row.outcome), customdata: rows.map((row) => row.n),
    marker: { color: colour.batch, size: rows.map((row) => 6 + 12 * Math.sqrt(row.n / most)), opacity: 0.9 },
    error_y: { type: "data", symmetric: false, array: rows.map((row) => row.interval[1] - row.outcome), arrayminus: rows.map((row) => row.outcome - row.interval[0]), color: colour.faint, thickness: 1, width: 3 },
    hovertemplate: "said %{x:.2f}, people %{y:.2f}, n = %{customdata}<extra></extra>",
  };
  const diagonal = { type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], line: { color: colour.faint, width: 1, dash: "dot" }, hoverinfo: "skip" };
  return {
    traces: [diagonal, points],
    words: `Reliability of soft labels in ${rows.length} bins`,
    layout: { hovermode: "closest", xaxis: { ...axis(), range: [-0.04, 1.04], title: title("probability that the judge gives the first reply") }, yaxis: { ...axis(), range: [-0.04, 1.04], title: title("people prefer it") } },
  };
}

function routing({ routing: points, people }, colour) {
  const known = points.filter((point) => point.judge !== null);
  if (known.length === 0) return null;
  const x = known.map((point) => point.margin);
  const band = (place, extra) => ({ type: "scatter", mode: "lines", x, y: known.map((point) => point.interval[place]), line: { width: 0 }, hoverinfo: "skip", showlegend: false, ...extra });
  const line = (name, y, shade, dash = "solid") => ({ type: "scatter", mode: "lines", name, x: points.map((point) => point.margin), y, line: { color: shade, width: 2, dash }, hovertemplate: `%{y:.0%} ${name}<extra></extra>` });
  const traces = [
    band(1, {}), band(0, { fill: "tonexty", fillcolor: colour.band }),
    line("agreement of what it keeps", points.map((point) => point.judge), colour.batch),
    line("expected of all", points.map((point) => point.expected), colour.heldOut),
    line("kept by the judge", points.map((point) => point.kept), colour.faint, "dash"),
  ];
  const shapes = people === null ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: people, y1: people, line: { color: colour.faint, width: 1, dash: "dot" } }];
  const annotations = people === null ? [] : [{ xref: "paper", x: 1, xanchor: "right", y: people, yanchor: "bottom", text: `people ${Math.round(people * 100)} %`, showarrow: false, font: { size: 11, color: colour.faint } }];
  return {
    traces,
    words: "Agreement and share of comparisons that the judge keeps, by least margin",
    layout: { shapes, annotations, margin: { l: 48, r: 8, t: 28, b: 42 }, showlegend: true, legend: { orientation: "h", y: 1.16, x: 0, font: { size: 11 } }, xaxis: { ...axis(), showgrid: false, range: [0, 1], title: title("least margin of what the judge keeps") }, yaxis: { ...axis(), range: [0, 1.02], tickformat: ".0%" } },
  };
}

function title(text) {
  return { text, font: { size: 11 } };
}

function axis() {
  const { faint, line } = colours();
  return { gridcolor: line, zeroline: false, linecolor: line, tickfont: { size: 11, color: faint }, nticks: 6 };
}

function layout() {
  const { faint } = colours();
  return {
    margin: { l: 48, r: 8, t: 10, b: 42 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x unified",
    font: { family: getComputedStyle(document.body).fontFamily, color: faint },
  };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const batch = read("--curve-batch");
  return { faint: read("--ink-3"), line: read("--line"), batch, heldOut: read("--curve-held-out"), band: `${batch}30` };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
window.addEventListener("DOMContentLoaded", load); // plotly's script is deferred: it has run by then
