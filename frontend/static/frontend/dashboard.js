// A campaign's figures: judgments over time, agreement beside published figures, confusion, every two annotators.

const root = document.getElementById("figures");
const CONFIG = { displaylogo: false, displayModeBar: false, responsive: true };
const DRAW = { throughput, agreement, confusion, matrix };
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

function throughput({ throughput: { unit, starts, counts } }, colour) {
  if (starts.length === 0) return null;
  const step = unit === "hour" ? 3_600_000 : 86_400_000; // milliseconds
  const fewest = Math.max(0, (12 - starts.length) / 2) * step; // a lone bar does not fill the whole figure
  const range = [Date.parse(starts[0]) - step - fewest, Date.parse(starts.at(-1)) + step + fewest].map((moment) => new Date(moment).toISOString());
  const shades = [colour.batch, colour.heldOut, colour.faint];
  const traces = Object.entries(counts).map(([kind, y], place) => ({
    type: "bar", name: kind, x: starts, y, width: step * 0.85, marker: { color: shades[place % shades.length] }, hovertemplate: `%{y} by ${kind.toLowerCase()}<extra></extra>`,
  }));
  const total = Object.values(counts).flat().reduce((sum, count) => sum + count, 0);
  return {
    traces,
    words: `${total} judgments in ${starts.length} ${unit}s`,
    layout: { barmode: "stack", showlegend: traces.length > 1, legend: { orientation: "h", y: 1.12, x: 0 }, xaxis: { ...axis(), showgrid: false, type: "date", range }, yaxis: { ...axis(), title: { text: `a ${unit}`, font: { size: 11 } }, rangemode: "tozero" } },
  };
}

function agreement({ agreement: { is_by_time: isByTime, points, lines, longer } }, colour) {
  const known = points.filter((point) => point.value !== null);
  if (known.length === 0) return null;
  const x = known.map((point) => point.x);
  const band = known.filter((point) => point.interval);
  const traces = [
    { type: "scatter", mode: "lines", x: band.map((p) => p.x), y: band.map((p) => p.interval[1]), line: { width: 0 }, hoverinfo: "skip" },
    { type: "scatter", mode: "lines", x: band.map((p) => p.x), y: band.map((p) => p.interval[0]), line: { width: 0 }, fill: "tonexty", fillcolor: colour.band, hoverinfo: "skip" },
    { type: "scatter", mode: known.length > 1 ? "lines+markers" : "markers", x, y: known.map((p) => p.value), customdata: known.map((p) => p.n), line: { color: colour.batch, width: 2 }, marker: { size: 5, color: colour.batch }, hovertemplate: "%{y:.1%} of %{customdata} comparisons<extra></extra>" },
  ];
  const shapes = lines.map((line) => level(line.low, line.high, colour));
  const annotations = apart(lines.map((line) => ({ y: (line.low + line.high) / 2, text: line.name })).concat(longer?.value != null ? [{ y: longer.value, text: "longer wins, here" }] : []), colour);
  if (longer?.value != null) shapes.push(level(longer.value, longer.value, { ...colour, faint: colour.heldOut }));
  return {
    traces,
    words: `Raw agreement, last ${(known.at(-1).value * 100).toFixed(0)} % over ${known.at(-1).n} comparisons`,
    layout: {
      shapes, annotations, margin: { l: 44, r: 150, t: 10, b: 34 }, hovermode: "closest",
      xaxis: { ...axis(), showgrid: false, title: isByTime ? undefined : { text: "comparisons in the order in which they were completed", font: { size: 11 } }, showticklabels: isByTime },
      yaxis: { ...axis(), tickformat: ".0%", range: [0, 1] },
    },
  };
}

/** A published figure as a line, or as a band where it is a range. */
function level(low, high, colour) {
  const base = { xref: "paper", x0: 0, x1: 1, yref: "y" };
  if (high - low < 0.005) return { ...base, type: "line", y0: low, y1: low, line: { color: colour.faint, width: 1, dash: "dot" } };
  return { ...base, type: "rect", y0: low, y1: high, line: { width: 0 }, fillcolor: colour.faint, opacity: 0.14 };
}

/** Labels beside the lines that they name, moved apart where they would lie over one another. */
function apart(labels, colour) {
  const GAP = 0.065;
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  let last = -1;
  return sorted.map(({ y, text }) => {
    last = Math.max(y, last + GAP);
    return { xref: "paper", x: 1, xanchor: "left", xshift: 6, yref: "y", y: Math.min(last, 1.02), text: `${text} ${Math.round(y * 100)} %`, showarrow: false, font: { size: 11, color: colour.faint } };
  });
}

function confusion({ confusion: { names, cells, counts } }, colour) {
  if (!counts.flat().some((count) => count > 0)) return null;
  return heat({ names, cells, counts, unit: "pairs of judgments" }, colour, { isConfusion: true });
}

function matrix({ matrix: { names, labels, cells, counts } }, colour) {
  if (!counts.flat().some((count) => count > 0)) return null;
  return heat({ names, labels, cells, counts, unit: "shared" }, colour, { isConfusion: false });
}

function heat({ names, labels = names, cells, counts, unit }, colour, { isConfusion }) {
  const short = labels.map((name) => (name.length > 18 ? `${name.slice(0, 17)}…` : name));
  const places = names.map((_, place) => place);
  const isSmall = names.length <= 9;
  const isCrowded = names.length > 15; // columns stand in the order of the rows, and pointing at a cell names both
  const trace = {
    type: "heatmap", x: places, y: places, z: cells, customdata: counts, zmin: 0, zmax: 1, xgap: 1, ygap: 1, hoverongaps: false, showscale: !isSmall,
    colorscale: [[0, colour.sunken], [1, colour.batch]], colorbar: { thickness: 10, tickformat: ".0%", outlinewidth: 0, tickfont: { size: 11, color: colour.faint } },
    text: cells.map((row, y) => row.map((cell, x) => `${names[y]} / ${names[x]}: ${cell === null ? "nothing shared" : `${Math.round(cell * 100)} %`}, ${counts[y][x]} ${unit}`)), hovertemplate: "%{text}<extra></extra>",
  };
  const annotations = isSmall ? cells.flatMap((row, y) => row.map((cell, x) => ({ x, y, text: cell === null ? "" : `${Math.round(cell * 100)} %`, showarrow: false, font: { size: 12, color: cell > 0.55 ? colour.surface : colour.ink } }))) : [];
  const ticks = { ...axis(), showgrid: false, tickvals: places, ticktext: short, tickfont: { size: names.length > 20 ? 9 : 11, color: colour.faint } };
  return {
    traces: [trace],
    words: isConfusion ? `Shares of the others' answers for ${names.join(", ")}` : `Agreement of ${names.length} annotators with each other`,
    layout: { annotations, margin: { l: isConfusion ? 104 : 124, r: 10, t: 6, b: isConfusion ? 34 : isCrowded ? 12 : 96 }, hovermode: "closest", xaxis: { ...ticks, tickangle: isConfusion ? 0 : -60, showticklabels: !isCrowded, ticks: isCrowded ? "" : "outside" }, yaxis: { ...ticks, autorange: "reversed" } },
  };
}

function axis() {
  const { faint, line } = colours();
  return { gridcolor: line, zeroline: false, linecolor: line, tickfont: { size: 11, color: faint }, nticks: 6 };
}

function layout() {
  const { faint } = colours();
  return {
    margin: { l: 48, r: 8, t: 10, b: 30 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x unified",
    font: { family: getComputedStyle(document.body).fontFamily, color: faint }, xaxis: { ...axis(), showgrid: false }, yaxis: axis(),
  };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const batch = read("--curve-batch");
  return { ink: read("--ink"), faint: read("--ink-3"), line: read("--line"), sunken: read("--sunken"), surface: read("--surface"), batch, heldOut: read("--curve-held-out"), band: `${batch}30` };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
window.addEventListener("DOMContentLoaded", load); // plotly's script is deferred: it has run by then
