// Dialogs of the labeler's page: why a task is skipped, own last answers, settings.

import { toggleDrawer } from "./dialogs.js";
import { conflictIn, isTyping, keyLabel, keyName, keyOfLabel } from "./keymap.js";
import { get, post } from "./requests.js";

const byId = (id) => document.getElementById(id);

/** `skip(reason)` is called with the chosen reason. The digits choose. */
export function mountSkipMenu(skip) {
  const dialog = byId("skip");
  const other = dialog.querySelector("input[name=other]");
  const choose = (reason) => {
    if (!reason) return other.focus();
    dialog.close();
    other.value = "";
    skip(reason);
  };
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    choose(other.value.trim());
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reason]");
    if (button) choose(button.dataset.reason);
  });
  dialog.addEventListener("keydown", (event) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    dialog.querySelector(`button[data-digit="${CSS.escape(event.key)}"]`)?.click();
  });
}

/** `revise(judgment)` is called with the id of the answer to be given anew. */
export function mountHistory(url, revise) {
  const drawer = byId("history");
  drawer.addEventListener("click", (event) => {
    const link = event.target.closest("[data-revise]");
    if (!link) return;
    event.preventDefault();
    drawer.close();
    revise(Number(link.dataset.revise));
  });
  return async () => {
    toggleDrawer(drawer);
    if (!drawer.open) return;
    const { status, text } = await get(url);
    drawer.querySelector("[data-list]").innerHTML = status === 200 ? text : "<p class=muted>No connection: try again.</p>";
  };
}

/** `changed(preferences)` is called once the server has stored them. */
export function mountSettings(keymap, changed) {
  const form = byId("settings").querySelector("form");
  form.addEventListener("keydown", (event) => takeKey(event, keymap, form));
  form.addEventListener("click", (event) => {
    if (!event.target.closest("button[data-defaults]")) return;
    for (const input of form.querySelectorAll("[data-keys-of]")) input.value = input.dataset.defaults;
    showConflict(form, keymap);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { status, body } = await post(form.action, Object.fromEntries(new FormData(form)));
    if (status !== 200) return problem(form, body?.detail ?? "Not saved: no connection. Try again.");
    byId("settings").close();
    changed(body);
  });
}

/** A field for keys takes the key itself. Tab goes on, Escape closes. */
function takeKey(event, keymap, form) {
  const input = event.target.closest("[data-keys-of]");
  if (!input || ["Tab", "Escape", "Shift"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  input.value = keyLabel(keyName(event));
  showConflict(form, keymap);
}

function showConflict(form, keymap) {
  const keysOf = (name) => form.elements[`keys-${name}`].value.split(" ").filter(Boolean).map(keyOfLabel);
  problem(form, conflictIn(keymap.actions.map(({ name, label }) => ({ name, label, keys: keysOf(name) }))));
}

function problem(form, text) {
  const place = form.querySelector("[data-problem]");
  place.textContent = text;
  place.hidden = !text;
}
