// What is still wanted before an answer may be sent: the server's rules, said early and at their place.

import { numReplies, placeOf } from "./collecting.js";
import { focusGroup, groups, radioGroups, valueOf } from "./points.js";

/** {sentence, place} of the first thing that is missing, or null. `answer`: all of it, the choice included. */
export function firstMissing(form, answer, ranking) {
  const trouble = ranking?.missing();
  if (trouble) return { sentence: trouble, place: null };
  const ranked = answer.tiers?.flat() ?? null;
  return openGroup(form, ranked) ?? contradiction(form, answer) ?? unsafe(form, answer) ?? text(form, answer);
}

export function showPlace(form, place) {
  form.querySelectorAll(".is-missing").forEach((each) => each.classList.remove("is-missing"));
  if (!place) return;
  place.classList.add("is-missing");
  const box = place.querySelector("textarea");
  if (box) box.focus();
  else if (place.matches("fieldset")) focusGroup(place);
  place.scrollIntoView({ block: "nearest" });
}

function openGroup(form, ranked) {
  const open = radioGroups(form).find((group) => valueOf(group) === null && (ranked?.includes(placeOf(group)) ?? true));
  return open ? { sentence: `${open.dataset.name}${numReplies(form) > 1 ? ` of reply ${nameOf(form, placeOf(open))}` : ""} is missing.`, place: open } : null;
}

function contradiction(form, { tiers, unranked = [], ratings }) {
  if (!tiers || !ratings) return null;
  const isTopK = Number(form.querySelector(".ranking-bar")?.dataset.topK ?? 0) > 0;
  const order = isTopK && unranked.length ? [...tiers, unranked] : tiers;
  for (const [better, worse] of pairs(order)) {
    if (ratings[better] === null || ratings[worse] === null || ratings[better] >= ratings[worse]) continue;
    const sentence = `Reply ${nameOf(form, better)} is placed above ${nameOf(form, worse)} but has fewer points: mend one of them.`;
    return { sentence, place: groups(form, "ratings")[better] ?? null };
  }
  return null;
}

function unsafe(form, { tiers, safety }) {
  const group = groups(form, "safety")[0];
  if (!tiers || !safety || group?.dataset.onUnsafe !== "refuse") return null;
  const found = pairs(tiers).find(([better, worse]) => safety[better] === "unsafe" && safety[worse] === "safe");
  if (!found) return null;
  const [better, worse] = found.map((place) => nameOf(form, place));
  return { sentence: `Reply ${better} is unsafe and cannot be better than ${worse}, which is safe.`, place: groups(form, "safety")[found[0]] };
}

function text(form, answer) {
  const box = (widget) => form.querySelector(`[data-widget="${widget}"]`);
  const edited = answer.edited;
  if (edited && answer.tiers && (answer.both_bad || !answer.tiers[0].includes(edited.completion))) {
    const sentence = `You edited reply ${nameOf(form, edited.completion)}, which is not the best: edit the best one, or discard the edit.`;
    return { sentence, place: box("edited") };
  }
  if (box("demonstration") && !answer.demonstration) return { sentence: "Write the reply first.", place: box("demonstration") };
  if (box("rationale")?.querySelector("[aria-required]") && !answer.rationale) {
    return { sentence: "Say in a sentence why.", place: box("rationale") };
  }
  return null;
}

const pairs = (order) => order.flatMap((tier, index) => order.slice(index + 1).flatMap((lower) => tier.flatMap((a) => lower.map((b) => [a, b]))));
const nameOf = (form, place) => form.querySelector(`.reply[data-place="${place}"] h3`)?.dataset.name ?? String(place + 1);
