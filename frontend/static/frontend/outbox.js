// Answers on their way: kept until the server has confirmed them, sent in order, again after failures, stored once.

import { afterPaint } from "./painting.js";

const BACK_OFF_MS = [500, 1000, 2000, 5000, 10_000, 30_000];

/**
 * entry: {key, url, fields, slot}. `on` gets
 *   change(state): {count, problem: "" | "offline" | "server" | "signed-out" | "wrong-user", isStored}
 *   receipt(entry, body): stored;  refusal(entry, status, body): will never be stored.
 */
export class Outbox {
  constructor({ store, send, on }) {
    Object.assign(this, { store, send, on });
    this.problem = "";
    this.failures = 0;
    this.isSending = false;
    this.isQuiet = false; // another tab sends
    this.timer = 0;
    globalThis.addEventListener?.("online", () => this.flush());
  }

  get entries() {
    return this.store.read();
  }

  get slots() {
    return this.entries.map((entry) => Number(entry.slot));
  }

  get mustWarn() {
    return this.store.hasFailed && this.entries.length > 0;
  }

  /** Kept at once, sent as soon as the next task is drawn. */
  add(entry) {
    this.store.write([...this.entries, entry]);
    this.report();
    afterPaint(() => this.flush());
  }

  /** Send what is there. One at a time, in order: a revision must not overtake what it revises. */
  async flush() {
    clearTimeout(this.timer);
    if (this.isSending || (this.isQuiet && !this.store.hasFailed)) return;
    this.isSending = true;
    try {
      while (this.entries.length && (await this.sendFirst()));
    } finally {
      this.isSending = false;
    }
    this.report();
    if (this.entries.length) this.timer = setTimeout(() => this.flush(), this.wait());
  }

  async sendFirst() {
    const entry = this.entries[0];
    const { status, body } = await this.send(entry.url, entry.fields);
    this.problem = problemOf(status, body);
    if (this.problem) {
      this.failures += 1;
      return false;
    }
    this.failures = 0;
    this.store.write(this.entries.filter((other) => other.key !== entry.key));
    if (status < 400) this.on.receipt(entry, body);
    else this.on.refusal(entry, status, body);
    this.report();
    return true;
  }

  wait() {
    const base = BACK_OFF_MS[Math.min(this.failures, BACK_OFF_MS.length) - 1] ?? BACK_OFF_MS[0];
    return base * (0.75 + Math.random() / 2); // a hundred labelers do not come back in the same instant
  }

  report() {
    this.on.change({ count: this.entries.length, problem: this.problem, isStored: !this.store.hasFailed });
  }
}

function problemOf(status, body) {
  if (status === 0) return "offline";
  if (status === 401) return "signed-out";
  if (status === 403) return body?.kind === "wrong-user" ? "wrong-user" : "signed-out";
  return status >= 500 || status === 429 || status === 408 ? "server" : "";
}
