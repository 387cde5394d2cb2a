// What lies on the bench: the task that is shown. It mounts, restores and measures; it talks to nobody.

import { restoreAnswer } from "./answer.js";
import { afterPaint } from "./painting.js";
import * as reading from "./reading.js";
import { Stopwatch } from "./stopwatch.js";
import * as widgets from "./widgets.js";

export class Workbench {
  /** `shown(element)` is called after each swap. */
  constructor({ page, keymap, shown }) {
    Object.assign(this, { page, keymap, onShown: shown });
    this.stopwatch = new Stopwatch();
    this.mounted = new WeakSet();
    this.times = new WeakMap(); // form → {active, total} of earlier looks
    this.element = null;
  }

  /** The form of the task that is shown; null while there is none. */
  get form() {
    return this.element?.matches("form") ? this.element : null;
  }

  get slot() {
    return this.form ? slotOf(this.form) : null;
  }

  begin() {
    this.element = document.getElementById("task");
    this.prepare();
  }

  /** Show a task or an empty state. `since`: the moment of the key press that led here. */
  show(element, since) {
    if (element === this.element) return;
    if (this.form) this.times.set(this.form, this.stopwatch.read());
    this.element.replaceWith(element);
    this.element = element;
    this.prepare();
    if (since !== undefined) this.measure(since);
  }

  timeOf(form) {
    return form === this.element ? this.stopwatch.read() : (this.times.get(form) ?? { active: 0, total: 0 });
  }

  /** A second look at something answered is timed anew. */
  forgetTime(form) {
    this.times.delete(form);
  }

  prepare() {
    const form = this.form;
    if (form) {
      widgets.mount(form);
      reading.mount(form);
    }
    if (form && !this.mounted.has(form)) {
      this.mounted.add(form);
      const draft = JSON.parse(form.dataset.draft || "null");
      if (draft) restoreAnswer(form, draft.answer ?? {});
      if (draft && !form.dataset.revises) this.times.set(form, { active: draft.active_ms, total: draft.total_ms });
    }
    this.keymap.paint(this.element);
    this.stopwatch.restart(form ? this.times.get(form) : undefined);
    (this.element.querySelector("[data-focus]") ?? this.element.querySelector(".task-scroll"))?.focus({ preventScroll: true });
    this.onShown(this.element);
  }

  /** How long the swap took, up to the moment at which the browser has drawn it: for tests and the benchmark. */
  measure(since) {
    afterPaint(() => {
      const swapMs = performance.now() - since;
      this.page.dataset.swapMs = swapMs.toFixed(1);
      this.page.dispatchEvent(new CustomEvent("taskshown", { bubbles: true, detail: { swapMs } }));
    });
  }
}

export const slotOf = (form) => Number(form.elements.slot.value);
