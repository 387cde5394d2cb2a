// How the texts are read: rendered, raw or as differing words; together or apart; folded or not; blurred until asked for.

const STORE = "concord.reading";
const settings = { view: "rendered", isApart: false, ...stored() };
const watched = new WeakSet();
const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => measure(target)));

/** Apply the labeler's settings to a task; they outlive it. */
export function mount(form) {
  apply(form);
  if (watched.has(form)) return;
  watched.add(form);
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reads]");
    if (button) actions[button.dataset.reads](form);
  });
  form.addEventListener("toggle", (event) => event.target.matches(".common") && matchFolds(form, event.target), true);
  const prompt = form.querySelector(".prompt");
  if (prompt) sizes.observe(prompt);
  if (isVeiled(form)) lockAnswers(form, true);
}

export const actions = {
  raw: (form) => setView(form, settings.view === "raw" ? "rendered" : "raw"),
  differences: (form) => setView(form, shownView(form) === "differences" ? "rendered" : "differences"),
  apart: (form) => {
    settings.isApart = !settings.isApart;
    save(form);
  },
  earlier: (form) => toggle(form.querySelector(".earlier")),
  common: (form) => {
    const isOpen = form.querySelector(".common")?.open ?? false;
    form.querySelectorAll(".common").forEach((details) => (details.open = !isOpen));
  },
  prompt: (form) => {
    form.classList.toggle("is-prompt-folded");
    apply(form);
  },
  reveal: (form) => {
    if (!isVeiled(form)) return;
    form.querySelector("[data-veil]").hidden = true;
    form.querySelectorAll(".is-veiled").forEach((element) => unveil(element));
    lockAnswers(form, false);
    form.querySelector(".task-scroll")?.focus({ preventScroll: true });
  },
};

/** Keys of actions that no button shows. */
export function onKey(form, key) {
  const name = { e: "earlier", f: "common" }[key];
  if (!name || !form.querySelector(`.${name}`)) return false;
  actions[name](form);
  return true;
}

export const isVeiled = (form) => form.querySelector("[data-veil]:not([hidden])") !== null;

/** An answer was tried before the task was looked at: show where to look. */
export function nudge(form) {
  const veil = form.querySelector("[data-veil]");
  veil.classList.add("is-nudged");
  veil.focus(); // not the button: the Enter that ends an answer must not uncover anything
  return true;
}

export function setView(form, view) {
  settings.view = view;
  save(form);
}

function apply(form) {
  const view = shownView(form);
  form.dataset.view = view;
  form.classList.toggle("is-apart", settings.isApart);
  press(form, "raw", view === "raw");
  press(form, "differences", view === "differences");
  press(form, "apart", settings.isApart);
  form.querySelector("[data-reads=prompt]")?.setAttribute("aria-expanded", String(!form.classList.contains("is-prompt-folded")));
  for (const text of form.querySelectorAll(".reply-text")) text.tabIndex = settings.isApart ? 0 : -1;
}

function shownView(form) {
  const isPossible = settings.view !== "differences" || form.querySelector(".view-differences");
  return isPossible ? settings.view : "rendered";
}

function press(form, name, isPressed) {
  form.querySelector(`[data-reads=${name}]`)?.setAttribute("aria-pressed", String(isPressed));
}

function toggle(details) {
  if (details) details.open = !details.open;
}

/** What all replies share is opened and closed in all of them, so that they stay level. */
function matchFolds(form, changed) {
  const index = (details) => [...details.closest(".reply").querySelectorAll(".common")].indexOf(details);
  for (const details of form.querySelectorAll(".common")) {
    if (index(details) === index(changed) && details.open !== changed.open) details.open = changed.open;
  }
}

function unveil(element) {
  element.classList.remove("is-veiled");
  element.inert = false;
}

function lockAnswers(form, isLocked) {
  for (const bar of form.querySelectorAll(".answer-bar")) bar.disabled = isLocked;
}

/** Headers of replies stick below the prompt, however high it is. */
function measure(prompt) {
  prompt.closest("form")?.style.setProperty("--prompt-height", `${prompt.offsetHeight}px`);
}

function save(form) {
  localStorage.setItem(STORE, JSON.stringify(settings));
  apply(form);
}

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    return { view: ["raw", "differences"].includes(found.view) ? found.view : "rendered", isApart: found.isApart === true };
  } catch {
    return {};
  }
}
