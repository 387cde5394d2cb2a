// What a task's widgets hold, as the fields of an answer in displayed places, and back.

import { groups, setValues, valueOf, valuesOf } from "./points.js";

export const numReplies = (form) => form.querySelectorAll(".reply").length;
const textOf = (form, widget) => form.querySelector(`[data-widget="${widget}"] textarea`);

/** Ratings, aspects, safety, flags, reasons and texts; what says nothing is left out. */
export function collectFields(form) {
  const answer = {
    ratings: byPlace(form, groups(form, "ratings"), points),
    aspects: aspects(form),
    safety: byPlace(form, groups(form, "safety"), valueOf),
    flags: flags(form),
    reasons: groups(form, "reasons").flatMap(valuesOf),
    rationale: textOf(form, "rationale")?.value.trim() ?? "",
    demonstration: textOf(form, "demonstration")?.value ?? "",
  };
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => says(value)));
}

export function restoreFields(form, answer) {
  for (const group of groups(form, "ratings")) setValues(group, one(answer.ratings?.[placeOf(group)]));
  for (const group of groups(form, "aspects")) setValues(group, one(answer.aspects?.[group.dataset.name]?.[placeOf(group)]));
  for (const group of groups(form, "safety")) setValues(group, one(answer.safety?.[placeOf(group)]));
  for (const group of groups(form, "flags")) setValues(group, answer.flags?.[placeOf(group)] ?? []);
  for (const group of groups(form, "reasons")) setValues(group, answer.reasons ?? []);
  for (const widget of ["rationale", "demonstration"]) {
    const box = textOf(form, widget);
    if (box) box.value = answer[widget] ?? "";
  }
}

export const placeOf = (group) => Number(group.dataset.place);

function aspects(form) {
  const found = groups(form, "aspects");
  const names = [...new Set(found.map(nameOf))];
  const entries = names.map((name) => [name, byPlace(form, found.filter((group) => nameOf(group) === name), points)]);
  return Object.fromEntries(entries.filter(([, values]) => says(values)));
}

const nameOf = (group) => group.dataset.name;

function flags(form) {
  const found = byPlace(form, groups(form, "flags"), valuesOf);
  return found.some((values) => values?.length) ? found : [];
}

function byPlace(form, found, read) {
  const values = Array(numReplies(form)).fill(null);
  for (const group of found) values[placeOf(group)] = read(group);
  return values;
}

const points = (group) => (valueOf(group) === null ? null : Number(valueOf(group)));
const one = (value) => (value === null || value === undefined ? [] : [String(value)]);

function says(value) {
  if (Array.isArray(value)) return value.some((entry) => entry !== null);
  return typeof value === "object" ? Object.keys(value).length > 0 : value.trim() !== "";
}
