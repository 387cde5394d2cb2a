// On the list of campaigns: answers that another page could not send are sent from here.

import { Outbox } from "./outbox.js";
import { OutboxStore, storesOf } from "./outbox_store.js";
import { post } from "./requests.js";

const line = document.getElementById("unsent");
const counts = new Map(); // store → answers that wait
let numSent = 0;

function show() {
  const num = [...counts.values()].reduce((sum, count) => sum + count, 0);
  line.hidden = num === 0 && numSent === 0;
  line.textContent = num ? `${num} of your answers ${num === 1 ? "is" : "are"} not stored yet: trying again …` : "Your unsent answers have been stored.";
}

for (const name of storesOf(line.dataset.user)) {
  const store = new OutboxStore(name);
  const outbox = new Outbox({
    store,
    send: post,
    on: {
      change: ({ count }) => (counts.set(name, count), show()),
      receipt: () => (numSent += 1),
      refusal: (entry, status, body) => refused(entry, body),
    },
  });
  if (outbox.entries.length) outbox.flush();
}

function refused(entry, body) {
  if (entry.kind === "skip") return;
  const words = document.createElement("p");
  words.className = "notice warn";
  words.textContent = `An answer was not stored. ${body?.detail ?? ""}`;
  line.after(words);
}
