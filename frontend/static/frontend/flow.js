// From one task to the next and back: what is shown, what was answered, what is revised or skipped.

import { answerOf, choose, isChoice, missingIn, restoreAnswer } from "./answer.js";
import { say, unhint, unsay } from "./notices.js";
import { afterPaint } from "./painting.js";
import { parse } from "./prefetch.js";
import { addresses, get, newKey } from "./requests.js";
import { slotOf } from "./workbench.js";

const byId = (id) => document.getElementById(id);
const stateOf = (name) => byId(name).content.querySelector("#task").cloneNode(true);

const meaningOf = ({ dataset, children }) => [dataset.state, dataset.version, children[0]?.textContent, children[1]?.dataset.reason].join("|");

export class Flow {
  /** The parts (bench, prefetch, outbox, drafts, leases, answered, onePress, breaks) are given before `begin`. */
  constructor({ page, preferences, leaseOf }) {
    Object.assign(this, { page, preferences, leaseOf });
    this.interlude = null; // what must be seen before the next task: changed guidelines
    this.kept = new Map(); // slot → {answer, why} of a refused answer, for when the task is shown again
    this.isLost = false; // somebody else has the task that is shown
    this.isElsewhere = false; // another tab works
  }

  get heldSlots() {
    return [this.bench.slot, ...this.prefetch.forms.map(slotOf), ...this.outbox.slots].filter(Boolean);
  }

  begin() {
    this.bench.begin();
    if (this.bench.form && this.outbox.slots.includes(this.bench.slot)) this.advance(); // its answer is on its way
  }

  /** Called after each swap. */
  shown(element) {
    this.page.dataset.state = element.dataset.state ?? "task";
    const { form } = this.bench;
    if (form) this.leases.hold(form);
    this.leases.show(form);
    byId("revising").hidden = !form?.dataset.revises;
    const kept = form && this.kept.get(slotOf(form));
    if (!kept) return;
    restoreAnswer(form, kept.answer);
    say(kept.why, { mood: "warn" });
  }

  /** A task lies ready, or the server has said why none does. */
  ready() {
    for (const form of this.prefetch.forms) this.leases.hold(form);
    if (this.isAcknowledged(this.prefetch.nothing)) {
      this.prefetch.nothing = null;
      return this.prefetch.fill();
    }
    if (!this.bench.form && !this.isElsewhere && !this.saysTheSame()) this.advance();
    return this.markReady();
  }

  /** Guidelines that were asked for before they were acknowledged. */
  isAcknowledged(element) {
    return element?.dataset.state === "guidelines" && Number(element.dataset.version) <= Number(this.page.dataset.guidelineVersion);
  }

  /** The reason that is shown still holds: what is being read or typed there stays as it is. */
  saysTheSame() {
    const { nothing, forms } = this.prefetch;
    return forms.length === 0 && nothing !== null && meaningOf(nothing) === meaningOf(this.bench.element);
  }

  /** For tests and the benchmark: whether the next task lies there. */
  markReady() {
    this.page.toggleAttribute("data-ready", this.prefetch.forms.length > 0);
  }

  /** The next thing to see. `since`: when the key that led here was pressed. */
  advance(since) {
    const next = this.interlude ?? this.prefetch.take() ?? this.prefetch.nothing ?? stateOf("fetching");
    this.interlude = this.prefetch.nothing = null;
    this.isLost = false;
    this.bench.show(next, since);
    this.markReady();
    if (next.matches("form, [data-state=fetching]")) afterPaint(() => this.prefetch.fill());
  }

  show(form) {
    if (form === this.bench.form) return;
    if (this.bench.form && !this.bench.form.dataset.revises) this.prefetch.putBack(this.bench.form);
    this.bench.show(form);
  }

  /** A choice is marked, and in one-press mode sent after a moment; any other button sends. `since`: when it was pressed. */
  press(button, since) {
    if (!isChoice(button)) return this.commit(since);
    const { form } = this.bench;
    choose(form, button);
    unhint();
    this.drafts.note(form);
    if (this.preferences.one_press && form.dataset.onePress !== undefined) this.onePress.start(button);
  }

  commit(since = performance.now()) {
    const { form } = this.bench;
    this.onePress.cancel();
    if (!form || this.isLost) return;
    const missing = missingIn(form);
    if (missing) return say(missing, { mood: "warn", isHint: true });
    const { active, total } = this.bench.timeOf(form);
    const fields = { answer: JSON.stringify(answerOf(form)), active_ms: active, total_ms: total };
    if (form.dataset.revises) this.sendRevision(fields);
    else this.sendAnswer(form, fields);
    this.finish(form);
    this.advance(since);
    this.breaks.noteWork();
  }

  sendAnswer(form, fields) {
    const key = form.elements.key.value;
    this.answered.add(key, form);
    this.outbox.add({ kind: "answer", key, url: addresses.submitUrl, slot: slotOf(form), fields: { ...this.leaseOf(form), ...fields, key } });
    const done = byId("day").querySelector("[data-done]");
    done.textContent = Number(done.textContent) + 1;
  }

  sendRevision(fields) {
    const { judgment, key: revises } = this.answered.current;
    const key = newKey();
    const about = { judgment: judgment ?? "", revises: revises ?? "" };
    this.outbox.add({ kind: "revision", key, url: addresses.reviseUrl, slot: 0, fields: { ...about, ...fields, key } });
  }

  skip(reason) {
    const { form } = this.bench;
    const since = performance.now();
    const fields = { ...this.leaseOf(form), reason };
    this.outbox.add({ kind: "skip", key: newKey(), url: addresses.skipUrl, slot: slotOf(form), fields });
    this.finish(form);
    this.advance(since);
  }

  /** A task is done with: answered, skipped or lost. */
  finish(form) {
    this.drafts.forget(form);
    this.leases.drop(form);
    this.bench.forgetTime(form);
    this.kept.delete(slotOf(form));
    this.answered.current = null;
    unsay();
  }

  async undo() {
    if (this.onePress.cancel()) return choose(this.bench.form, null);
    const item = this.answered.before();
    if (item) return this.revise(item);
    return say(this.answered.items.length ? "Only the last ten answers can be taken back." : "There is nothing to take back yet.");
  }

  reviseJudgment(judgment) {
    return this.revise(this.answered.findJudgment(judgment) ?? { judgment, key: null, form: null });
  }

  async revise(item) {
    const form = item.form ?? (await this.fetchAgain(item.judgment));
    if (!form) return say("That answer cannot be fetched at the moment. Try again.", { mood: "warn" });
    item.form = form;
    form.dataset.revises = item.judgment ?? item.key;
    unsay();
    this.bench.forgetTime(form);
    this.show(form);
    this.answered.current = item;
  }

  async fetchAgain(judgment) {
    const { status, text } = await get(addresses.againUrl.replace("/0/", `/${judgment}/`));
    return status === 200 ? parse(text) : null;
  }

  /** Back to the present task; what was changed in the earlier one is forgotten. */
  leaveRevision() {
    const { current } = this.answered;
    if (!current) return;
    if (current.judgment) current.form = null;
    this.answered.current = null;
    this.advance();
  }

  /** Another tab has taken over: what is unfinished is saved for it. */
  async yieldTo() {
    if (this.isElsewhere) return;
    this.isElsewhere = this.prefetch.isStopped = this.outbox.isQuiet = true;
    this.onePress.cancel();
    await this.drafts.flush();
    for (const form of [this.bench.form, ...this.prefetch.clear()]) this.leases.drop(form);
    this.bench.show(stateOf("elsewhere"));
  }

  async resume() {
    this.isElsewhere = this.prefetch.isStopped = this.outbox.isQuiet = false;
    await this.outbox.flush();
    await this.lookAgain();
  }

  async lookAgain() {
    this.prefetch.nothing = null;
    await this.prefetch.fill();
  }
}
