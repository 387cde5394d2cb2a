// The question editor: shows the fields that matter for what is chosen, and asks for a new preview after every change.

const editor = document.querySelector(".editor");

function valueOf(name) {
  const inputs = [...editor.querySelectorAll(`[name="${name}"]`)];
  const input = inputs.find((one) => one.checked) ?? inputs.find((one) => one.type !== "radio");
  if (!input) return "";
  if (input.type === "checkbox") return input.checked ? "on" : "";
  return input.value.trim() === "0" ? "" : input.value.trim();
}

// "kind=ranking|rating ordered=top aspects": every word must hold.
function holds(condition) {
  return condition.split(" ").every((word) => {
    const [name, values] = word.split("=");
    return values ? values.split("|").includes(valueOf(name)) : valueOf(name) !== "";
  });
}

function showWhatMatters() {
  for (const field of editor.querySelectorAll("[data-when]")) field.hidden = !holds(field.dataset.when);
}

function changed(event) {
  if (event.target.closest(".preview-pane")) return;
  showWhatMatters();
  document.body.dispatchEvent(new Event("asks-for-preview"));
}

editor.addEventListener("input", changed);
editor.addEventListener("click", (event) => {
  const preset = event.target.closest(".presets a");
  if (!preset) return;
  for (const other of editor.querySelectorAll(".presets a")) other.removeAttribute("aria-current");
  preset.setAttribute("aria-current", "true");
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "preview") return;
  showWhatMatters(); // a preset has come
  document.body.dispatchEvent(new Event("asks-for-preview"));
});
showWhatMatters();
editor.querySelector(".has-error :is(input, select, textarea)")?.focus();
