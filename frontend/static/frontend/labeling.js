// The labeler's page: the next task is there before it is wanted, answers are sent behind the labeler's back.

import { answerOf } from "./answer.js";
import { Answered } from "./answered.js";
import { Breaks } from "./breaks.js";
import { toggleDrawer } from "./dialogs.js";
import { Drafts } from "./drafts.js";
import { Flow } from "./flow.js";
import { mountGate, updateDrawer } from "./guidelines.js";
import { listenToKeys } from "./keyboard.js";
import { Keymap } from "./keymap.js";
import { Leases } from "./lease.js";
import { mountHistory, mountSettings, mountSkipMenu } from "./menus.js";
import { say, showSaved, unhint, unsay } from "./notices.js";
import { OnePress } from "./one_press.js";
import { Outbox } from "./outbox.js";
import { OutboxStore, storeKey } from "./outbox_store.js";
import { Prefetch } from "./prefetch.js";
import { Replies } from "./replies.js";
import { addresses, beacon, get, post } from "./requests.js";
import { Tabs } from "./tabs.js";
import { slotOf, Workbench } from "./workbench.js";

const LOOK_AGAIN_MS = 20_000; // while there is nothing to do

const byId = (id) => document.getElementById(id);
const page = byId("labeling");
const name = storeKey(page.dataset.user, page.dataset.campaign);
const keymap = new Keymap(JSON.parse(page.dataset.actions));
const preferences = JSON.parse(page.dataset.preferences);
const leaseOf = (form) => ({ slot: form.elements.slot.value, token: form.elements.token.value, tab: tabs.id });
const nextUrl = () => `${addresses.nextUrl}?tab=${tabs.id}&holding=${flow.heldSlots.join(",")}`;

// The parts

const flow = new Flow({ page, preferences, leaseOf });
const replies = new Replies(flow, nextUrl);
const tabs = new Tabs({ name, on: { taking: () => flow.yieldTo() } });
const bench = new Workbench({ page, keymap, shown: onShown });
const outbox = new Outbox({
  store: new OutboxStore(name),
  send: post,
  on: {
    change: (state) => showSaved(byId("saved"), state),
    receipt: (entry, body) => replies.receipt(entry, body),
    refusal: (entry, status, body) => replies.refusal(entry, status, body),
  },
});
Object.assign(flow, {
  bench,
  outbox,
  answered: new Answered(JSON.parse(page.dataset.recent)),
  onePress: new OnePress({ graceMs: Number(page.dataset.graceMs), commit: () => flow.commit() }),
  prefetch: new Prefetch({
    fetchNext: () => get(nextUrl()),
    isKnown: (form) => flow.heldSlots.includes(slotOf(form)),
    ready: () => flow.ready(),
  }),
  leases: new Leases({
    badge: byId("lease"),
    renew: (form) => post(addresses.renewUrl, leaseOf(form)),
    lost: (form, body) => replies.leaseLost(form, body),
  }),
  drafts: new Drafts({ read: draftOf, save: saveDraft }),
  breaks: new Breaks({ user: page.dataset.user, show: remindOfBreak }),
});

function draftOf(form) {
  const { active, total } = bench.timeOf(form);
  return { answer: answerOf(form), active_ms: active, total_ms: total };
}

function saveDraft(form, draft, options) {
  return post(addresses.draftUrl, { ...leaseOf(form), draft: JSON.stringify(draft) }, options);
}

function onShown(element) {
  flow.shown(element);
  if (element.dataset.state === "guidelines") mountGate(element);
}

function remindOfBreak(minutes) {
  const rest = () => {
    flow.breaks.dismiss();
    unsay();
  };
  const words = `You have worked for ${minutes} minutes. A short break keeps your judgment sharp.`;
  say(words, { actions: [{ label: "Go on", run: rest }] });
}

// What can be done without a task: buttons with data-act

const ACTS = {
  acknowledge: async (section) => {
    const { status } = await post(addresses.acknowledgeUrl, { version: section.dataset.version });
    if (status !== 204) return say("Not noted: no connection. Try again.", { mood: "warn" });
    page.dataset.guidelineVersion = section.dataset.version;
    updateDrawer(byId("guidelines"), section);
    flow.interlude = null;
    if (flow.prefetch.forms.length) flow.advance();
    else await flow.lookAgain();
  },
  look: () => flow.lookAgain(),
  "take-over": async () => {
    await tabs.takeOver();
    const { status } = await post(addresses.takeOverUrl, { tab: tabs.id });
    if (status !== 204) return say("Not taken over: no connection. Try again.", { mood: "warn" });
    await flow.resume();
  },
};

page.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  event.preventDefault();
  ACTS[button.dataset.act](bench.element);
});

let pressedAt = 0;
for (const kind of ["keydown", "pointerup"]) {
  document.addEventListener(kind, (event) => (pressedAt = event.timeStamp), { capture: true, passive: true });
}

document.addEventListener("submit", (event) => {
  if (event.target !== bench.form) return;
  event.preventDefault();
  flow.press(event.submitter, pressedAt);
});

document.addEventListener("answerchange", () => {
  flow.onePress.cancel();
  unhint();
  if (bench.form) flow.drafts.note(bench.form);
});

// Keys and menus

const toggleHistory = mountHistory(addresses.historyUrl, (judgment) => flow.reviseJudgment(judgment));
mountSkipMenu((reason) => flow.skip(reason));
mountSettings(keymap, (changed) => {
  preferences.one_press = changed.one_press;
  keymap.change(changed.keys);
  keymap.paint(document);
});

function askWhySkipped() {
  if (!bench.form) return;
  if (bench.form.dataset.revises) say("An answered task cannot be skipped: Esc leaves it as it was.");
  else byId("skip").showModal();
}

function submit() {
  if (flow.isLost) return flow.takeNext();
  return bench.form ? flow.commit(pressedAt) : bench.element.querySelector("[data-act].primary:enabled")?.click();
}

const actions = {
  submit,
  undo: () => flow.undo(),
  skip: askWhySkipped,
  guidelines: () => toggleDrawer(byId("guidelines")),
  history: toggleHistory,
  keys: () => byId("keys").showModal(),
  settings: () => byId("settings").showModal(),
  keep: () => flow.leases.extendAll(),
};
for (const button of document.querySelectorAll("[data-page-action]")) {
  button.addEventListener("click", () => actions[button.dataset.pageAction]());
}

function escape() {
  if (flow.onePress.isCounting) return flow.undo();
  const drawer = document.querySelector("dialog[open]");
  return drawer ? drawer.close() : flow.leaveRevision();
}

listenToKeys({ bench, keymap, actions, submit, escape });

// Coming and leaving

addEventListener("pagehide", () => {
  flow.drafts.flush({ keepalive: true });
  const forms = [bench.form, ...flow.prefetch.forms].filter((form) => form && !form.dataset.revises && !flow.drafts.has(form));
  const held = forms.map(({ elements }) => [elements.slot.value, elements.token.value, elements.leased_until.value]);
  if (held.length && !flow.isElsewhere) beacon(addresses.releaseUrl, { held: JSON.stringify(held) });
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // the tasks were given back when this page was left
});
addEventListener("beforeunload", (event) => {
  if (outbox.mustWarn) event.preventDefault();
});
setInterval(() => {
  if (!bench.form && !flow.isElsewhere) flow.lookAgain();
}, LOOK_AGAIN_MS);

keymap.paint(document);
flow.begin();
if (outbox.entries.length) outbox.flush();
tabs.introduce().then(() => flow.prefetch.fill());
