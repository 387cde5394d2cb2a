// What a labeler says inside the cards and below them. One entrance for the page: mount, collect, restore, missing, onKey.

import { collectFields, restoreFields } from "./collecting.js";
import { Editor } from "./editor.js";
import { firstMissing, showPlace } from "./missing.js";
import { focusOpen, groups, listenToPointer, onGroupKey, pick, valueOf } from "./points.js";
import { RankingBar } from "./ranking.js";
import { isVeiled, nudge } from "./reading.js";
import { Spans } from "./spans.js";

const mounted = new WeakMap(); // form → {ranking, spans, editor}

/** Bind everything in the form; a second time, only draw what lies outside of it. */
export function mount(form) {
  if (mounted.has(form)) return mounted.get(form).spans?.draw();
  const changed = () => form.dispatchEvent(new CustomEvent("answerchange", { bubbles: true }));
  const has = (selector) => form.querySelector(selector) !== null;
  mounted.set(form, {
    ranking: has(".ranking-bar") ? new RankingBar(form, changed) : null,
    spans: has("[data-widget=spans]") ? new Spans(form, changed) : null,
    editor: has("[data-widget=edited]") ? new Editor(form, changed) : null,
  });
  listenToPointer(form);
  form.addEventListener("change", (event) => event.target.closest("[data-widget]") && onChange(form, changed));
  form.addEventListener("input", (event) => event.target.matches("textarea") && onChange(form, changed));
  form.addEventListener("keydown", (event) => leave(form, event));
  showCounts(form);
}

/** The answer's fields in displayed places, without the choice of a button. */
export function collect(form) {
  const { ranking, spans, editor } = mounted.get(form);
  return { ...collectFields(form), ...ranking?.collect(), ...spans?.collect(), ...editor?.collect() };
}

export function restore(form, answer) {
  const { ranking, spans, editor } = mounted.get(form);
  restoreFields(form, answer);
  ranking?.restore(answer);
  spans?.restore(answer.spans ?? []);
  editor?.restore(answer.edited ?? null);
  showCounts(form);
}

/** A sentence about what is still wanted; its place is marked and gets the focus. Empty if nothing is. */
export function missing(form) {
  if (isVeiled(form)) return nudge(form) && "Look at the task first.";
  const button = form.querySelector("button[name=answer].is-chosen");
  const choice = button ? JSON.parse(button.value) : {};
  const found = choice.cant_judge ? null : firstMissing(form, { ...collect(form), ...choice }, mounted.get(form).ranking);
  showPlace(form, found?.place ?? null);
  return found?.sentence ?? "";
}

/** True if the key ("1", "=", "alt+arrowleft") meant something here. */
export function onKey(form, key, event) {
  if (isVeiled(form)) return isAnswer(form, key) && nudge(form);
  const { ranking, spans, editor } = mounted.get(form);
  if (onGroupKey(form, key, event.target)) return true;
  if (spans?.onKey(key, event) || ranking?.onKey(key) || editor?.onKey(key)) return true;
  if (/^\d$/.test(key) && form.dataset.kind === "rating") return rate(form, key);
  if (key === "x" && form.querySelector("fieldset.points")) return done(() => focusOpen(form));
  const box = form.querySelector("[data-widget=rationale] textarea");
  return key === "n" && box ? done(() => box.focus()) : false;
}

function isAnswer(form, key) {
  const buttons = [...form.querySelectorAll(".answer-bar [data-keys], .send [data-keys]")];
  return /^(shift\+)?\d$/.test(key) || buttons.some((button) => button.dataset.keys.split(" ").includes(key));
}

/** Digits rate the first reply without points, whatever has the focus. */
function rate(form, key) {
  const open = groups(form, "ratings").find((group) => valueOf(group) === null);
  return open ? pick(form, open, key) : true;
}

function onChange(form, changed) {
  showPlace(form, null);
  showCounts(form);
  changed();
}

/** Escape leaves a widget and gives the keys back to the page. */
function leave(form, event) {
  if (event.key !== "Escape" || !event.target.closest("[data-widget]")) return;
  event.preventDefault();
  (form.querySelector(".task-scroll") ?? form).focus({ preventScroll: true });
}

/** Words that were written, and flags inside closed folds. */
function showCounts(form) {
  for (const fold of form.querySelectorAll(".fold")) {
    const chosen = [...fold.querySelectorAll("input:checked")].map((input) => input.value);
    fold.querySelector("[data-chosen]").textContent = chosen.length ? `: ${chosen.join(", ")}` : "";
  }
  const counter = form.querySelector("[data-counts]");
  if (!counter) return;
  const words = form.querySelector("[data-widget=demonstration] textarea").value.match(/\S+/g)?.length ?? 0;
  counter.textContent = `${words} word${words === 1 ? "" : "s"}`;
}

function done(act) {
  act();
  return true;
}
