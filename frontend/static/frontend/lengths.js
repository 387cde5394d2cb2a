// How long the replies of each model are: a histogram.

const place = document.getElementById("lengths");
let numbers = null;

async function load() {
  const reply = await fetch(place.dataset.url, { headers: { Accept: "application/json" } });
  if (!reply.ok) return;
  numbers = await reply.json();
  draw();
}

function draw() {
  if (!numbers) return;
  const { unit, width, series } = numbers;
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const shades = [read("--curve-batch"), read("--curve-held-out"), read("--ink-3"), read("--accent"), read("--good"), read("--warn")];
  const axis = { gridcolor: read("--line"), zerolinecolor: read("--line"), linecolor: read("--line"), tickfont: { size: 11, color: read("--ink-3") }, nticks: 8 };
  const title = (text) => ({ text, font: { size: 11 } });
  const traces = series.map(({ name, counts }, number) => ({
    type: "bar", name: name.length > 28 ? `${name.slice(0, 27)}…` : name, x: counts.map((_, bin) => (bin + 0.5) * width), y: counts, width: series.length === 1 ? width * 0.92 : undefined,
    customdata: counts.map((_, bin) => (width === 1 ? `${bin}` : `${bin * width}–${(bin + 1) * width - 1}`)), marker: { color: shades[number % shades.length] }, hovertemplate: `%{y} of %{customdata} ${unit}<extra>%{fullData.name}</extra>`,
  }));
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `Histogram of lengths in ${unit} of ${series.map(({ name }) => name).join(", ")}`);
  window.Plotly.react(place, traces, {
    barmode: "group", bargap: 0.08, margin: { l: 44, r: 8, t: series.length > 1 ? 26 : 8, b: 38 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    showlegend: series.length > 1, legend: { orientation: "h", y: 1.14, x: 0 }, font: { family: getComputedStyle(document.body).fontFamily, color: read("--ink-3") },
    xaxis: { ...axis, showgrid: false, title: title(unit), rangemode: "tozero" }, yaxis: { ...axis, title: title("completions"), rangemode: "tozero" },
  }, { displaylogo: false, displayModeBar: false, responsive: true });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
window.addEventListener("DOMContentLoaded", load); // plotly's script is deferred: it has run by then
