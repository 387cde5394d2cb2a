// One answer out of a form and back into it: the choice under the replies, and what the widgets hold.

import * as widgets from "./widgets.js";

const CHOICES = "button[name=answer], button[data-cant-judge]";
const REMARKS = ["safety", "flags", "reasons", "rationale", "spans"];
const CHOICE_FIELDS = ["tiers", "strength", "both_bad", "cant_judge"];

export const isChoice = (button) => button?.matches(CHOICES) ?? false;
export const chosenIn = (form) => form.querySelector(".is-chosen");

export function choose(form, button) {
  for (const other of form.querySelectorAll(CHOICES)) {
    other.classList.toggle("is-chosen", other === button);
    other.setAttribute("aria-pressed", String(other === button));
  }
}

/** In displayed places. With "I can't judge this" go remarks, but no order and no points. */
export function answerOf(form) {
  const button = chosenIn(form);
  const chosen = button ? valueOf(button) : {};
  const given = widgets.collect(form);
  if (!chosen.cant_judge) return { ...given, ...chosen };
  const remarks = REMARKS.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]);
  return { ...Object.fromEntries(remarks), ...chosen };
}

export function restoreAnswer(form, answer) {
  widgets.restore(form, answer);
  const button = [...form.querySelectorAll(CHOICES)].find((each) => isSame(valueOf(each), answer));
  choose(form, button ?? null);
}

/** What is still to be given, as a sentence; empty if nothing is. */
export function missingIn(form) {
  if (form.dataset.kind === "pairwise" && !chosenIn(form)) return "Choose an answer first.";
  return widgets.missing?.(form) ?? "";
}

function valueOf(button) {
  return button.hasAttribute("data-cant-judge") ? { cant_judge: true } : JSON.parse(button.value);
}

function isSame(choice, answer) {
  const part = (value) => JSON.stringify(CHOICE_FIELDS.map((name) => value[name] || null));
  return part(choice) === part(answer);
}
