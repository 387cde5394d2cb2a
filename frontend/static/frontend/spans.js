// Passages of a reply marked as good or bad. Offsets are counted in the raw text. What is selected in the rendered text
// is looked up there, and is taken only if it stands there word for word and once; otherwise the raw view is shown.

import { setView } from "./reading.js";
import { addSpan, numCharacters, onlyPlace, removeSpan, unitsAt } from "./spans_state.js";

const LABELS = ["good", "bad"];
const KEYS = { "+": "good", "-": "bad" };
const MOVES = { arrowleft: ["backward", "word"], arrowright: ["forward", "word"], arrowup: ["backward", "line"], arrowdown: ["forward", "line"] };
const SHOWN_CHARACTERS = 80; // of a passage in the list
const painted = new Map(LABELS.map((label) => [label, highlight(`span-${label}`)]));

export class Spans {
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.items = [];
    this.ranges = []; // {label, range} that are painted
    this.tools = this.makeTools();
    form.append(this.tools);
    document.addEventListener("selectionchange", () => this.form.isConnected && this.onSelection());
    form.addEventListener("click", (event) => this.onClick(event));
    this.draw();
  }

  collect() {
    return this.items.length ? { spans: this.items } : {};
  }

  restore(spans) {
    this.items = spans;
    this.draw();
  }

  onKey(key, event) {
    if (key === "m") return this.startMarking();
    if (KEYS[key] && this.selected()) return this.mark(KEYS[key]);
    const isInRaw = event.target.matches?.("[data-raw]");
    return isInRaw && MOVES[key] ? moveSelection(event.target, MOVES[key], event.shiftKey) : false;
  }

  /** By keyboard: the raw text of the next reply gets the focus, and arrows select words. */
  startMarking(place = this.nextPlace()) {
    setView(this.form, "raw");
    const raw = this.raw(place);
    raw.tabIndex = 0;
    raw.focus();
    const selection = window.getSelection();
    selection.setPosition(raw, 0);
    selection.modify("extend", "forward", "word");
    this.hint(place, "Arrows choose a word, Shift+arrows more of them; + marks it good, - bad; M goes to the next reply.");
    return true;
  }

  nextPlace() {
    const current = document.activeElement?.closest("[data-raw]")?.closest(".reply");
    const places = [...this.form.querySelectorAll(".reply")].map((reply) => Number(reply.dataset.place));
    return current ? places[(places.indexOf(Number(current.dataset.place)) + 1) % places.length] : places[0];
  }

  onClick(event) {
    const { marks, removes, label } = event.target.closest("button")?.dataset ?? {};
    if (marks !== undefined) this.startMarking(Number(marks));
    else if (removes !== undefined) this.update(removeSpan(this.items, Number(removes)));
    else if (label !== undefined) this.mark(label);
  }

  /** What is selected inside one reply's text: {place, range}, or null. */
  selected() {
    const selection = window.getSelection();
    if (selection.isCollapsed || !selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    const text = elementOf(range.commonAncestorContainer).closest(".reply-text");
    if (!text || !this.form.contains(text) || text.inert) return null;
    return { place: Number(text.closest(".reply").dataset.place), range };
  }

  onSelection() {
    const found = this.selected();
    this.tools.hidden = !found;
    if (!found) return;
    const box = found.range.getBoundingClientRect();
    this.tools.style.left = `${Math.max(8, Math.min(box.left, innerWidth - this.tools.offsetWidth - 8))}px`;
    this.tools.style.top = `${Math.max(8, box.top - this.tools.offsetHeight - 6)}px`;
  }

  mark(label) {
    const found = this.selected();
    if (!found) return false;
    const { place, range } = found;
    const offsets = this.offsetsOf(place, range);
    window.getSelection().removeAllRanges();
    if (offsets) {
      this.hint(place, "");
      this.update(addSpan(this.items, { completion: place, start: offsets[0], end: offsets[1], label }));
    } else {
      setView(this.form, "raw");
      this.hint(place, "Formatting stands between these words, or they stand in the text more than once. Mark them here, in the raw text.");
    }
    return true;
  }

  /** [start, end] in code points of the raw text; null if the place is not certain. */
  offsetsOf(place, range) {
    const raw = this.raw(place);
    if (raw.contains(range.startContainer) && raw.contains(range.endContainer)) {
      const before = document.createRange();
      before.selectNodeContents(raw);
      before.setEnd(range.startContainer, range.startOffset);
      const start = numCharacters(before.toString());
      const end = start + numCharacters(range.toString());
      return end > start ? [start, end] : null;
    }
    return onlyPlace(raw.textContent, range.toString().trim());
  }

  update(items) {
    this.items = items;
    this.draw();
    this.changed();
  }

  draw() {
    for (const list of this.form.querySelectorAll("[data-widget=spans] [data-list]")) list.replaceChildren();
    this.items.forEach((span, index) => this.list(span.completion).append(this.line(span, index)));
    this.paint();
  }

  line(span, index) {
    const text = [...this.raw(span.completion).textContent].slice(span.start, span.end).join("");
    const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)} …` : text;
    const line = document.createElement("li");
    line.className = `span-${span.label}`;
    const quote = Object.assign(document.createElement("q"), { textContent: shown, dir: "auto" });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Remove" });
    button.dataset.removes = index;
    button.setAttribute("aria-label", `Remove the mark on ${shown}`);
    line.append(Object.assign(document.createElement("strong"), { textContent: span.label === "good" ? "Good" : "Bad" }), quote, button);
    return line;
  }

  paint() {
    for (const { label, range } of this.ranges) painted.get(label)?.delete(range);
    this.ranges = this.items.flatMap((span) => this.rangesOf(span).map((range) => ({ label: span.label, range })));
    for (const { label, range } of this.ranges) painted.get(label)?.add(range);
  }

  /** Where a span stands: in the raw text, and in the rendered one if its words stand there once. */
  rangesOf({ completion, start, end }) {
    const raw = this.raw(completion);
    const text = raw.textContent;
    const [from, to] = [unitsAt(text, start), unitsAt(text, end)];
    const rendered = raw.closest(".reply").querySelector(".prose");
    const place = onlyPlace(rendered.textContent, text.slice(from, to));
    const found = [rangeIn(raw, from, to)];
    if (place) found.push(rangeIn(rendered, ...place.map((offset) => unitsAt(rendered.textContent, offset))));
    return found;
  }

  makeTools() {
    const tools = Object.assign(document.createElement("div"), { className: "span-tools", hidden: true });
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "Mark the selected passage");
    for (const [key, label] of Object.entries(KEYS)) {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.dataset.label = label;
      button.append(label === "good" ? "Good " : "Bad ", Object.assign(document.createElement("kbd"), { textContent: key === "-" ? "−" : key }));
      button.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the selection
      tools.append(button);
    }
    return tools;
  }

  hint(place, text) {
    const hint = this.widget(place).querySelector("[data-said]");
    hint.textContent = text;
  }

  widget(place) {
    return this.form.querySelector(`[data-widget=spans][data-place="${place}"]`);
  }

  list(place) {
    return this.widget(place).querySelector("[data-list]");
  }

  raw(place) {
    return this.form.querySelector(`.reply[data-place="${place}"] [data-raw]`);
  }
}

function moveSelection(raw, [direction, unit], isExtending) {
  const selection = window.getSelection();
  const before = selection.toString();
  if (isExtending) selection.modify("extend", direction, unit);
  else {
    if (direction === "forward") selection.collapseToEnd();
    else selection.collapseToStart();
    if (unit === "line" || direction === "backward") selection.modify("move", direction, unit);
    selection.modify("extend", "forward", "word");
  }
  if (!raw.contains(selection.focusNode)) {
    selection.setPosition(raw, direction === "forward" ? raw.childNodes.length : 0);
    selection.modify("extend", direction === "forward" ? "backward" : "forward", "word");
  }
  return before !== null;
}

function rangeIn(root, from, to) {
  const range = document.createRange();
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let seen = 0;
  let hasStart = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!hasStart && seen + node.length > from) {
      range.setStart(node, from - seen);
      hasStart = true;
    }
    if (seen + node.length >= to) {
      range.setEnd(node, to - seen);
      break;
    }
    seen += node.length;
  }
  return range;
}

function highlight(name) {
  if (!window.CSS?.highlights) return null; // an older browser: the list below the reply has the marks
  const made = new Highlight();
  CSS.highlights.set(name, made);
  return made;
}

const elementOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement);
