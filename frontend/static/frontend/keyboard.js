// One listener for all keys of the labeler's page.

import { keyName, isTyping } from "./keymap.js";
import * as reading from "./reading.js";
import * as widgets from "./widgets.js";

const SETTLE_MS = 200; // after a task appears: a key that was meant for the one before does nothing

/** `actions`: {name: function} for keys that mean the same everywhere; `escape()` for what Escape closes. */
export function listenToKeys({ bench, keymap, actions, submit, escape }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (document.querySelector("dialog:modal")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && bench.form) return done(event, submit);
    if (event.key === "Escape") return isTyping(event.target) ? event.target.blur() : escape();
    if (event.ctrlKey || event.metaKey || isTyping(event.target)) return;
    if (press(event)) event.preventDefault();
  });

  function done(event, act) {
    event.preventDefault();
    act();
  }

  function press(event) {
    if (isOnControl(event)) return false;
    const pressed = keyName(event);
    const key = event.altKey ? `alt+${pressed}` : keymap.canonical(pressed);
    if (key === null) return false;
    if (bench.form && answers(event, key)) return true;
    const action = event.altKey ? undefined : actions[keymap.actionOf(pressed)?.name];
    if (!action || event.repeat) return false;
    action();
    return true;
  }

  /** What answers the task: widgets first, then buttons. */
  function answers(event, key) {
    const button = event.altKey ? null : buttonFor(key);
    const isEarly = bench.stopwatch.sinceShown < SETTLE_MS;
    if (isEarly) return button !== null;
    if (widgets.onKey?.(bench.form, key, event) || reading.onKey?.(bench.form, key, event)) return true;
    if (button && !event.repeat && !button.disabled && !button.closest(":disabled")) button.click();
    return button !== null;
  }

  function buttonFor(key) {
    return [...bench.form.querySelectorAll("[data-keys]")].find((each) => each.dataset.keys.split(" ").includes(key)) ?? null;
  }
}

/** Enter and Space press the focused control, unless that is only the choice or chip that was made with the mouse. */
function isOnControl(event) {
  if (event.key !== "Enter" && event.key !== " ") return false;
  const control = event.target.closest("button, a, summary, input, label");
  return control !== null && !(event.key === "Enter" && control.closest(".answer-bar, .chip, [data-places], article"));
}
