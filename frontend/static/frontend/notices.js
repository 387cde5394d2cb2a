// Words above the task: what went wrong, what is being revised, when to rest. And the badge that says what is saved.

const notice = () => document.getElementById("notice");

/** actions: [{label, run}]. Replaces what was said before. A hint about the answer goes when the answer changes. */
export function say(text, { mood = "", actions = [], isHint = false } = {}) {
  const box = document.createElement("div");
  box.className = `notice ${mood}`;
  box.toggleAttribute("data-hint", isHint);
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words, ...actions.map(buttonOf));
  notice().replaceChildren(box);
}

export function unsay() {
  notice().replaceChildren();
}

export function unhint() {
  notice().querySelector("[data-hint]")?.remove();
}

function buttonOf({ label, run }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", run);
  return button;
}

const PROBLEMS = {
  offline: "no connection, trying again …",
  server: "the server does not answer, trying again …",
  "signed-out": "sign in again in another tab",
  "wrong-user": "somebody else has signed in here",
};

/** state: what the outbox reports. */
export function showSaved(badge, { count, problem, isStored }) {
  const isFine = isStored && (!problem || !count); // another tab may have sent what waited here
  badge.dataset.mood = isFine ? (count ? "busy" : "good") : "bad";
  badge.dataset.count = count;
  if (!count) badge.textContent = "Saved ✓";
  else if (problem) badge.textContent = `${count} unsaved: ${PROBLEMS[problem]}`;
  else badge.textContent = isStored ? `Saving ${count} …` : `${count} unsaved: keep this page open`;
}
