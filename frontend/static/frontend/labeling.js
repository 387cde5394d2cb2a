// The labeler's page: keys, time, saved badge, lease. The form itself is swapped by htmx.

import { toggleDrawer } from "./dialogs.js";
import { RankingBar } from "./ranking.js";
import { Stopwatch } from "./stopwatch.js";

const GRACE_MS = 200; // after a task appears: a key that was meant for the one before does nothing
const RETRY_MS = [1000, 2000, 5000, 10000];
const URGENT_SECONDS = 120; // of the lease

const byId = (id) => document.getElementById(id);
const page = byId("labeling");
const stopwatch = new Stopwatch();
let task = null; // the form, or the empty state
let ranking = null;
let leaseEndsAt = 0;
let sending = null; // {button, time, attempt} from the click until the server has answered

function begin(element) {
  if (!element || element === task) return;
  task = element;
  sending = null;
  const isForm = task.matches("form");
  ranking = isForm && task.dataset.kind === "ranking" ? new RankingBar(task) : null;
  leaseEndsAt = isForm ? performance.now() + 1000 * Number(task.dataset.secondsLeft) : 0;
  stopwatch.restart();
  showLease();
  task.querySelector(".task-scroll")?.focus({ preventScroll: true });
}

// Sending

document.body.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt !== task || !task.matches("form")) return;
  const button = event.detail.triggeringEvent?.submitter ?? sending?.button;
  const isRetry = sending !== null && sending.button === button;
  if (!isRetry) sending = { button, time: stopwatch.read(), attempt: 0 };
  event.detail.parameters.active_ms = sending.time.active;
  event.detail.parameters.total_ms = sending.time.total;
  if (button?.hasAttribute("data-cant-judge")) event.detail.parameters.answer = '{"cant_judge": true}';
  task.querySelectorAll(".is-chosen").forEach((other) => other.classList.remove("is-chosen"));
  button?.classList.add("is-chosen");
  say("Saving …", "busy");
});

document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.requestConfig?.verb !== "post") return;
  const status = event.detail.xhr.status;
  if (event.detail.successful) {
    say("Saved ✓", "good"); // the next task has begun already
  } else if (!sending) {
    return;
  } else if (status === 0 || status >= 500) {
    retry(status);
  } else {
    sending = null;
    if (status === 409) leaseEndsAt = 0; // lost
    showLease();
    say("Not saved", "bad");
  }
});

function retry(status) {
  const wait = RETRY_MS[Math.min(sending.attempt, RETRY_MS.length - 1)];
  sending.attempt += 1;
  say(status ? "Not saved: the server failed, trying again …" : "Not saved: no connection, trying again …", "bad");
  const { button } = sending;
  setTimeout(() => {
    if (sending?.button === button && button.isConnected) button.click();
  }, wait);
}

function say(text, mood) {
  const badge = byId("saved");
  badge.textContent = text;
  badge.dataset.mood = mood;
}

document.body.addEventListener("htmx:load", () => begin(byId("task")));
begin(byId("task"));

// Leaving

window.addEventListener("pagehide", () => {
  if (!task?.matches("form") || sending) return; // an answer on its way keeps its lease
  navigator.sendBeacon(page.dataset.releaseUrl, new FormData(task));
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // the lease was given back when this page was left
});

// The lease

function showLease() {
  const badge = byId("lease");
  const seconds = Math.ceil((leaseEndsAt - performance.now()) / 1000);
  badge.hidden = !task?.matches("form");
  badge.classList.toggle("is-urgent", seconds <= URGENT_SECONDS);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  badge.textContent = seconds > 0 ? (seconds <= URGENT_SECONDS ? `held for you ${time} more` : time) : "no longer held for you";
}
setInterval(showLease, 1000);

// Keys

function isTyping(element) {
  return element.matches?.("input, textarea, select") || element.isContentEditable;
}

function keyName(event) {
  const digit = /^Digit(\d)$/.exec(event.code);
  return event.shiftKey && digit ? `shift+${digit[1]}` : event.key.toLowerCase();
}

function pressAnswer(event) {
  const button = [...task.querySelectorAll("[data-keys]")].find((each) => each.dataset.keys.split(" ").includes(keyName(event)));
  const isNative = event.key === "Enter" && event.target.closest("button, a, summary") && !event.target.closest(".chip, [data-places]");
  if (!button || isNative) return false;
  const isFresh = stopwatch.read().total < GRACE_MS;
  if (!event.repeat && !isFresh && !button.disabled && !button.closest(":disabled")) button.click();
  return true;
}

const PAGE_KEYS = {
  g: () => toggleDrawer(byId("guidelines")),
  "?": () => byId("keys").showModal(),
  r: () => document.body.classList.toggle("shows-raw"),
  e: () => {
    const earlier = task?.querySelector(".earlier");
    if (earlier) earlier.open = !earlier.open;
  },
  escape: () => byId("guidelines").close(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey) return;
  if (isTyping(event.target) || document.querySelector("dialog:modal")) return;
  const isForm = task?.matches("form");
  if (isForm && ranking?.onKey(event)) return event.preventDefault();
  if (event.altKey) return;
  if (isForm && pressAnswer(event)) return event.preventDefault();
  const action = PAGE_KEYS[event.key.toLowerCase()];
  if (action) {
    event.preventDefault();
    action();
  }
});
