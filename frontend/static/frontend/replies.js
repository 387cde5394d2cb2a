// What the server says about answers and leases, and what becomes of the page then.

import { say } from "./notices.js";
import { parse } from "./prefetch.js";
import { get } from "./requests.js";

const day = () => document.getElementById("day");

export class Replies {
  constructor(flow, nextUrl) {
    Object.assign(this, { flow, nextUrl });
  }

  /** Stored. */
  receipt(entry, body) {
    const item = this.itemOf(entry);
    if (item && body?.judgment) item.judgment = body.judgment;
    if (body?.day) this.showDay(body.day);
    if (body?.guideline_version > Number(this.flow.page.dataset.guidelineVersion)) this.fetchGuidelines();
  }

  /** Never to be stored: back to the task with its answer, and why. */
  refusal(entry, status, body) {
    if (entry.kind === "skip") return; // somebody else has the task: that was the wish
    const why = `${body?.title ?? "Not stored"}. ${body?.detail ?? "The server refused it."}`;
    const item = this.itemOf(entry);
    if (!item?.form) this.keep(entry, status, why, body?.draft);
    else this.bringBack(entry, item, status, why, body?.draft);
  }

  itemOf({ key, fields }) {
    const { answered } = this.flow;
    return answered.find(key) ?? answered.find(fields.revises) ?? answered.findJudgment(Number(fields.judgment));
  }

  /** The page was loaded again since: the task comes back from the server if it is still this labeler's. */
  keep(entry, status, why, draft) {
    if (status === 422 && entry.slot) {
      this.flow.kept.set(entry.slot, { answer: JSON.parse(entry.fields.answer), why });
      this.flow.prefetch.fill();
    }
    say(why + inWords(draft), { mood: "warn" });
  }

  bringBack(entry, item, status, why, draft) {
    const { flow } = this;
    flow.show(item.form);
    if (entry.kind === "answer") {
      flow.answered.remove(item);
      this.showDay({ num_done: this.numShown() - 1 });
    } else {
      flow.answered.current = item;
    }
    if (status === 422) say(why, { mood: "warn" });
    else this.lose(why + inWords(draft));
  }

  leaseLost(form, body) {
    this.flow.prefetch.remove(form);
    if (form === this.flow.bench.form) this.lose(`${body?.title ?? "The lease has been lost"}. ${body?.detail ?? ""}`);
    else this.flow.prefetch.fill();
  }

  /** The task that is shown cannot be answered any more; what was answered stays in view. */
  lose(why) {
    const { flow } = this;
    const { form } = flow.bench;
    const next = () => {
      flow.finish(form);
      flow.advance();
    };
    flow.isLost = true;
    flow.leases.drop(form);
    flow.takeNext = next;
    say(why, { mood: "warn", actions: [{ label: "Take the next task", run: next }] });
  }

  async fetchGuidelines() {
    const { status, text } = await get(this.nextUrl());
    const element = status === 200 ? parse(text) : null;
    if (element?.dataset.state === "guidelines" && !this.flow.isAcknowledged(element)) this.flow.interlude = element;
  }

  numShown() {
    return Number(day().querySelector("[data-done]").textContent);
  }

  /** The server's count and what is still on its way to it. */
  showDay({ num_done: numDone, median }) {
    const numWaiting = this.flow.outbox.entries.filter((entry) => entry.kind === "answer").length;
    day().querySelector("[data-done]").textContent = median === undefined ? numDone : numDone + numWaiting;
    if (median !== undefined) day().querySelector("[data-median]").textContent = median;
  }
}

const inWords = (draft) => (draft ? ` Your answer was “${draft}”; it has not been stored.` : "");
