// The bar under a ranking: chips that are placed by number key, click, drag or Alt+arrow.

import { listenToDrags } from "./ranking_drag.js";
import { dropBefore, dropInto, emptyRanking, isAsShown, isComplete, move, numPlaced, place, rankingOf, rankOf, remove } from "./ranking_state.js";

const STEPS = { "alt+arrowleft": -1, "alt+arrowup": -1, "alt+arrowright": 1, "alt+arrowdown": 1 };
const FEWEST_TO_ASK = 3; // replies: of two, the order shown is right half of the time

export class RankingBar {
  /** `changed()` is called after every change by the labeler. */
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.bar = form.querySelector(".ranking-bar");
    const { allowsTies, allowsUnranked, topK, numReplies } = this.bar.dataset;
    this.allowsTies = allowsTies === "yes";
    this.rules = { topK: Number(topK ?? 0), allowsUnranked: allowsUnranked === "yes" };
    this.count = Number(numReplies);
    this.state = emptyRanking(this.count);
    this.selected = null;
    this.isConfirmed = false; // that the order shown is meant
    this.bar.addEventListener("click", (event) => this.onChip(event));
    form.querySelectorAll("[data-places]").forEach((button) =>
      button.addEventListener("click", () => this.choose(Number(button.dataset.places))),
    );
    listenToDrags(this.bar, { targetAt: (element) => this.targetAt(element), drop: (item, target) => this.drop(item, target) });
    this.draw();
  }

  collect() {
    const { tiers, unranked } = this.state;
    return { tiers, ...(unranked.length ? { unranked } : {}) };
  }

  restore({ tiers }) {
    this.state = tiers ? rankingOf(this.count, tiers) : emptyRanking(this.count);
    this.isConfirmed = true; // somebody has looked at it before
    this.draw();
  }

  /** A sentence about what is still wanted, or "". An order that was never touched is asked about once. */
  missing() {
    const { topK, allowsUnranked } = this.rules;
    const placed = numPlaced(this.state);
    if (!isComplete(this.state, this.rules)) {
      if (topK) return `Place the best ${topK}: ${placed} ${placed === 1 ? "stands" : "stand"} in the order now.`;
      if (allowsUnranked) return "Place two replies at least, or say that you can’t judge.";
      return placed === 0 ? "Nothing has been placed yet." : `Place every reply: ${names(this.state.unranked)} left.`;
    }
    if (this.isConfirmed || this.count < FEWEST_TO_ASK || !isAsShown(this.state)) return "";
    this.isConfirmed = true;
    return "This is exactly the order in which the replies are shown. Submit again if you mean it.";
  }

  /** True if the key meant something here. */
  onKey(key) {
    const digit = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
    if (digit >= 0 && digit < this.count) return this.choose(digit);
    if (key === "=" && this.allowsTies && this.state.tiers.length) return this.update({ ...this.state, isTieNext: !this.state.isTieNext });
    if (key === "backspace" && this.state.last.length) return this.update(remove(this.state, this.state.last.at(-1)));
    const item = this.itemInHand();
    if (item === null) return false;
    if (key === "delete") return this.update(remove(this.state, item));
    if (!STEPS[key]) return false;
    this.selected = item;
    return this.update(move(this.state, item, STEPS[key], this.allowsTies));
  }

  /** The chip that has the focus, else the one that was placed or chosen last. */
  itemInHand() {
    const focused = document.activeElement?.closest?.(".ranking-bar .chip");
    return focused && this.bar.contains(focused) ? Number(focused.dataset.item) : this.selected;
  }

  /** Place what is not placed yet; select what is. */
  choose(item) {
    this.selected = item;
    const isNew = this.state.unranked.includes(item);
    return this.update(isNew ? place(this.state, item) : this.state);
  }

  update(state) {
    const isChanged = state !== this.state;
    this.state = state;
    if (isChanged) this.isConfirmed = false;
    this.draw();
    this.say();
    if (isChanged) this.changed();
    return true;
  }

  onChip(event) {
    const chip = event.target.closest(".chip");
    if (chip) this.choose(Number(chip.dataset.item));
  }

  targetAt(element) {
    const tier = element.closest(".tier");
    if (tier && this.allowsTies) return tier;
    return element.closest("[data-gap], [data-tray]");
  }

  drop(item, target) {
    this.selected = item;
    const { gap, tier } = target.dataset;
    if (gap !== undefined) this.update(dropBefore(this.state, item, Number(gap)));
    else if (tier !== undefined) this.update(dropInto(this.state, item, Number(tier)));
    else this.update(remove(this.state, item));
  }

  draw() {
    const focused = document.activeElement?.closest?.(".chip")?.dataset.item;
    const { tiers, unranked } = this.state;
    this.bar.querySelector("[data-tray]").replaceChildren(...unranked.map((item) => this.chip(item)));
    this.bar.querySelector("[data-tiers]").replaceChildren(...this.lanes());
    this.bar.querySelector("input[name=answer]").value = JSON.stringify({ tiers });
    this.form.querySelector("[data-keys=enter]").setAttribute("aria-disabled", String(!isComplete(this.state, this.rules)));
    this.form.querySelectorAll("[data-rank-of]").forEach((badge) => this.drawRank(badge));
    if (focused !== undefined) this.bar.querySelector(`.chip[data-item="${focused}"]`)?.focus();
  }

  /** Tiers with gaps between them, and the line under the best k. */
  lanes() {
    const { tiers, isTieNext } = this.state;
    const { topK } = this.rules;
    const made = [];
    let count = 0;
    tiers.forEach((items, index) => {
      made.push(gap(index), this.tier(items, index, isTieNext && index === tiers.length - 1));
      if (count < topK && count + items.length >= topK) made.push(element("span", "top-line", {}, `best ${topK}`));
      count += items.length;
    });
    made.push(gap(tiers.length));
    if (count > 0 && count < topK) made.push(element("span", "top-line", {}, `${topK - count} more to place`));
    return made;
  }

  drawRank(badge) {
    const item = Number(badge.dataset.rankOf);
    const found = rankOf(this.state, item);
    badge.textContent = found ? `${found.isTied ? "tied " : ""}${ordinal(found.rank)}` : "";
    const button = badge.parentElement.querySelector("[data-places]");
    if (button) button.hidden = Boolean(found);
    badge.closest(".reply").classList.toggle("is-selected", item === this.selected);
  }

  chip(item) {
    const chip = element("button", "chip", { item }, item + 1);
    chip.type = "button";
    const found = rankOf(this.state, item);
    chip.setAttribute("aria-label", `Reply ${item + 1}, ${found ? ordinal(found.rank) : "not placed"}`);
    chip.setAttribute("aria-pressed", String(item === this.selected));
    return chip;
  }

  tier(items, index, isTieNext) {
    const tier = element("div", "tier", { tier: index });
    tier.append(...items.map((item) => this.chip(item)));
    if (isTieNext) tier.append(element("span", "tie-next", {}, "="));
    return tier;
  }

  say() {
    const words = this.state.tiers.map((items) => items.map((item) => item + 1).join(" tied with "));
    this.bar.querySelector("[data-said]").textContent = words.length ? `Best first: ${words.join(", then ")}` : "Nothing is placed";
  }
}

function gap(index) {
  return element("span", "gap", { gap: index });
}

function element(name, className, data, text = "") {
  const made = document.createElement(name);
  made.className = className;
  Object.assign(made.dataset, data);
  made.textContent = text;
  return made;
}

function names(items) {
  const words = items.map((item) => item + 1).join(", ");
  return `${words} ${items.length === 1 ? "is" : "are"}`;
}

function ordinal(rank) {
  return `${rank}${{ 1: "st", 2: "nd", 3: "rd" }[rank] ?? "th"}`;
}
