// Which browser tab works on this campaign. One at a time: the others are told, and can take over.

import { newKey } from "./requests.js";

const PATIENCE_MS = 150; // for an answer of another tab of this browser

export class Tabs {
  /** `on` gets taking(): another tab takes over; whatever it returns is awaited. */
  constructor({ name, on }) {
    this.on = on;
    this.load = newKey(); // tells a duplicated tab from a reloaded one: sessionStorage is copied with it
    this.id = storedId();
    this.answers = new Map();
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(name) : null;
    this.channel?.addEventListener("message", (event) => this.hear(event.data));
  }

  /** Whether this tab's name is in use by another one, which happens when a tab is duplicated. */
  async introduce() {
    if (await this.ask({ kind: "hello", tab: this.id })) this.id = storeId(newKey());
  }

  /** Tell the other tab to save what it has, and wait a moment for that. */
  takeOver() {
    return this.ask({ kind: "taking" });
  }

  ask(message) {
    if (!this.channel) return Promise.resolve(false);
    return new Promise((resolve) => {
      const ask = newKey();
      const timer = setTimeout(() => this.settle(ask, false), PATIENCE_MS);
      this.answers.set(ask, { resolve, timer });
      this.channel.postMessage({ ...message, ask, from: this.load });
    });
  }

  async hear({ kind, tab, ask, from, to }) {
    if (from === this.load) return;
    if (kind === "yes" && to === this.load) this.settle(ask, true);
    if (kind === "hello" && tab === this.id) this.answer(ask, from);
    if (kind === "taking") {
      await this.on.taking();
      this.answer(ask, from);
    }
  }

  answer(ask, to) {
    this.channel.postMessage({ kind: "yes", ask, to, from: this.load });
  }

  settle(ask, isThere) {
    const waiting = this.answers.get(ask);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.answers.delete(ask);
    waiting.resolve(isThere);
  }
}

function storedId() {
  try {
    return sessionStorage.getItem("concord-tab") ?? storeId(newKey());
  } catch {
    return newKey();
  }
}

function storeId(id) {
  try {
    sessionStorage.setItem("concord-tab", id);
  } catch {
    // the name lasts as long as the page
  }
  return id;
}
