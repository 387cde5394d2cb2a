// The bar under a ranking: chips that are placed by number key, click, drag or Alt+arrow.

import { dropBefore, dropInto, emptyRanking, isComplete, move, place, rankOf, remove } from "./ranking_state.js";

export class RankingBar {
  constructor(form) {
    this.form = form;
    this.bar = form.querySelector(".ranking-bar");
    this.allowsTies = this.bar.dataset.allowsTies === "yes";
    this.count = Number(this.bar.dataset.numReplies);
    this.state = emptyRanking(this.count);
    this.selected = null;
    this.bar.addEventListener("click", (event) => this.onChip(event));
    form.querySelectorAll("[data-places]").forEach((button) =>
      button.addEventListener("click", () => this.choose(Number(button.dataset.places))),
    );
    this.listenToDrags();
    this.draw();
  }

  /** True if the key meant something here. */
  onKey(event) {
    const digit = /^[1-9]$/.test(event.key) && !event.altKey ? Number(event.key) - 1 : -1;
    if (digit >= 0 && digit < this.count) return this.choose(digit);
    if (event.key === "=" && this.allowsTies && this.state.tiers.length) {
      return this.update({ ...this.state, isTieNext: !this.state.isTieNext });
    }
    if (event.key === "Backspace" && this.state.last.length) return this.update(remove(this.state, this.state.last.at(-1)));
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (event.altKey && step && this.selected !== null) {
      return this.update(move(this.state, this.selected, step, this.allowsTies));
    }
    return false;
  }

  /** Place what is not placed yet; select what is. */
  choose(item) {
    this.selected = item;
    const isNew = this.state.unranked.includes(item);
    return this.update(isNew ? place(this.state, item) : this.state);
  }

  update(state) {
    this.state = state;
    this.draw();
    this.say();
    return true;
  }

  onChip(event) {
    const chip = event.target.closest(".chip");
    if (chip) this.choose(Number(chip.dataset.item));
  }

  listenToDrags() {
    this.bar.addEventListener("dragstart", (event) => {
      const item = event.target.closest?.(".chip")?.dataset.item;
      if (item === undefined) return;
      event.dataTransfer.setData("text/plain", item);
      event.dataTransfer.effectAllowed = "move";
    });
    this.bar.addEventListener("dragover", (event) => {
      const target = this.target(event);
      this.bar.querySelectorAll(".is-target").forEach((element) => element.classList.remove("is-target"));
      if (!target) return;
      event.preventDefault();
      target.classList.add("is-target");
    });
    this.bar.addEventListener("drop", (event) => this.onDrop(event));
  }

  onDrop(event) {
    const target = this.target(event);
    if (!target) return;
    event.preventDefault();
    const item = Number(event.dataTransfer.getData("text/plain"));
    this.selected = item;
    const { gap, tier } = target.dataset;
    if (gap !== undefined) this.update(dropBefore(this.state, item, Number(gap)));
    else if (tier !== undefined) this.update(dropInto(this.state, item, Number(tier)));
    else this.update(remove(this.state, item));
  }

  target(event) {
    const tier = event.target.closest(".tier");
    if (tier && this.allowsTies) return tier;
    return event.target.closest("[data-gap], [data-tray]");
  }

  draw() {
    const focused = document.activeElement?.closest?.(".chip")?.dataset.item;
    const { tiers, unranked, isTieNext } = this.state;
    this.bar.querySelector("[data-tray]").replaceChildren(...unranked.map((item) => this.chip(item)));
    const lanes = tiers.flatMap((items, index) => [gap(index), this.tier(items, index, isTieNext && index === tiers.length - 1)]);
    this.bar.querySelector("[data-tiers]").replaceChildren(...lanes, gap(tiers.length));
    this.bar.querySelector("input[name=answer]").value = JSON.stringify({ tiers });
    this.bar.querySelector("[data-keys=enter]").disabled = !isComplete(this.state);
    this.form.querySelectorAll("[data-rank-of]").forEach((badge) => this.drawRank(badge));
    if (focused !== undefined) this.bar.querySelector(`.chip[data-item="${focused}"]`)?.focus();
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
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.draggable = true;
    chip.dataset.item = item;
    chip.textContent = item + 1;
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
    this.bar.querySelector("[data-said]").textContent = `Best first: ${words.join(", then ")}`;
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

function ordinal(rank) {
  return `${rank}${{ 1: "st", 2: "nd", 3: "rd" }[rank] ?? "th"}`;
}
