// Keys of the labeler's page. Each action has keys of its own; what answers a task is bound to the action's first
// default key ("1", "t", "enter"), so that buttons and widgets need not know what the labeler has chosen instead.

const SHOWN = {
  arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", enter: "↵", backspace: "⌫", escape: "Esc",
  " ": "Space", space: "Space", delete: "Del",
};
// What Tab, Escape and scrolling keys do belongs to the browser and to screen readers.
export const RESERVED = new Set([
  "tab", "escape", "shift", "control", "alt", "altgraph", "meta", "capslock", "arrowup", "arrowdown", "pageup",
  "pagedown", "home", "end", "space", "contextmenu", "dead", "process", "unidentified",
]);

/** "shift+1" for a shifted digit, else the key in lower case; on a keyboard without Latin letters, the place of the key. */
export function keyName(event) {
  const digit = /^Digit(\d)$/.exec(event.code);
  if (event.shiftKey && digit && event.key !== "=") return `shift+${digit[1]}`;
  if (event.key === " ") return "space";
  const letter = /^Key([A-Z])$/.exec(event.code);
  if (letter && event.key.length === 1 && event.key > "\u007f") return letter[1].toLowerCase();
  return event.key.toLowerCase();
}

export const isTyping = (element) => Boolean(element?.matches?.("input:not([type=radio], [type=checkbox], [type=button]), textarea, select") || element?.isContentEditable);

export const keyLabel = (key) => SHOWN[key] ?? key.replace("shift+", "⇧").toUpperCase();

/** The name of a key that was shown as on its cap. */
export const keyOfLabel = (label) => Object.keys(SHOWN).find((key) => SHOWN[key] === label) ?? label.replace("⇧", "shift+").toLowerCase();

export class Keymap {
  /** `actions`: [{name, label, defaults, keys, answers}] as the server lists them. */
  constructor(actions) {
    this.actions = actions;
    this.index();
  }

  index() {
    this.byKey = new Map(this.actions.flatMap((action) => action.keys.map((key) => [key, action])));
    this.byDefault = new Map(this.actions.flatMap((action) => action.defaults.map((key) => [key, action])));
  }

  /** `chosen`: {action: [keys]}; what is not named keeps its defaults. */
  change(chosen) {
    for (const action of this.actions) action.keys = chosen[action.name] ?? action.defaults;
    this.index();
  }

  /** The action of a pressed key, or undefined. */
  actionOf(pressed) {
    return this.byKey.get(pressed);
  }

  /** The name under which widgets know a pressed key; null if the labeler has given its meaning to another key. */
  canonical(pressed) {
    const action = this.byKey.get(pressed);
    if (action) return action.defaults.includes(pressed) ? pressed : action.defaults[0];
    return this.byDefault.has(pressed) ? null : pressed;
  }

  keysOf(name) {
    return this.actions.find((action) => action.name === name)?.keys ?? [];
  }

  /** The keys that now do what these default keys do. */
  present(defaultKey) {
    return this.byDefault.get(defaultKey)?.keys ?? [defaultKey];
  }

  /** Show the present keys: on buttons (their first), and in lists (all). */
  paint(root) {
    for (const button of root.querySelectorAll("[data-keys]")) {
      const kbd = button.querySelector("kbd");
      if (kbd) kbd.textContent = keyLabel(this.present(button.dataset.keys.split(" ")[0])[0] ?? "");
    }
    for (const place of root.querySelectorAll("[data-action-keys]")) {
      const keys = this.keysOf(place.dataset.actionKeys);
      const shown = place.hasAttribute("data-first") ? keys.slice(0, 1) : keys;
      place.replaceChildren(...shown.map(kbdOf));
    }
  }
}

/** Why these keys cannot go together, in words; empty if they can. `chosen`: [{name, label, keys}] */
export function conflictIn(chosen) {
  const owner = new Map();
  for (const { label, keys } of chosen) {
    for (const key of keys) {
      if (RESERVED.has(key)) return `${keyLabel(key)} belongs to the browser and cannot be used for “${label}”.`;
      if (owner.has(key)) return `${keyLabel(key)} is used for “${owner.get(key)}” and for “${label}”: choose another key for one of them.`;
      owner.set(key, label);
    }
  }
  return "";
}

function kbdOf(key) {
  const made = document.createElement("kbd");
  made.textContent = keyLabel(key);
  return made;
}
