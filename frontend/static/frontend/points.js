// Radio groups and toggles about one reply: points, aspects, safety, flags. Digits choose, Delete takes back.

const GROUPS = "fieldset[data-widget]";
const RADIOS = "fieldset.points[data-widget]";
const STEPS = { arrowleft: -1, arrowup: -1, arrowright: 1, arrowdown: 1 };

export const groupOf = (element) => element?.closest?.(GROUPS) ?? null;
export const groups = (form, widget) => [...form.querySelectorAll(`fieldset[data-widget="${widget}"]`)];
export const radioGroups = (form) => [...form.querySelectorAll(RADIOS)];
export const valueOf = (group) => group.querySelector("input:checked")?.value ?? null;
export const valuesOf = (group) => [...group.querySelectorAll("input:checked")].map((input) => input.value);

export function setValues(group, values) {
  for (const input of inputsOf(group)) input.checked = values.includes(input.value);
}

/** True if the key meant something to the group that has the focus. */
export function onGroupKey(form, key, element) {
  const group = groupOf(element);
  if (!group) return false;
  if (/^\d$/.test(key)) return pick(form, group, key);
  const isRadio = group.matches(RADIOS);
  if (isRadio && STEPS[key]) return step(group, element, STEPS[key]);
  if (isRadio && (key === "delete" || key === "backspace")) return clear(group);
  return false;
}

/** Choose by digit in a group (0 is the tenth); after a radio group the next one that is still open gets the focus. */
export function pick(form, group, key) {
  const input = inputsOf(group)[(Number(key) + 9) % 10];
  if (!input) return true;
  const isRadio = input.type === "radio";
  input.checked = isRadio || !input.checked;
  notify(input);
  if (isRadio) focusOpen(form, group);
  return true;
}

/** The next radio group without a choice, after `group` if there is one; the page if all have one. */
export function focusOpen(form, group = null) {
  const all = radioGroups(form);
  const from = group ? all.indexOf(group) + 1 : 0;
  const open = [...all.slice(from), ...all.slice(0, from)].find((each) => valueOf(each) === null);
  focusGroup(open ?? form.querySelector(".task-scroll") ?? form);
}

export function focusGroup(target) {
  const input = target.matches(GROUPS) ? (target.querySelector("input:checked") ?? target.querySelector("input")) : target;
  input.focus({ preventScroll: true });
  if (target.matches(GROUPS)) target.scrollIntoView({ block: "nearest" });
}

/** A click on what is chosen already takes it back; a mouse leaves no focus behind that would catch the next digit. */
export function listenToPointer(form) {
  let pressed = null;
  form.addEventListener("pointerdown", (event) => {
    const input = event.target.closest?.("label")?.querySelector("input[type=radio]");
    pressed = input?.checked ? input : null;
  });
  form.addEventListener("click", (event) => {
    if (!event.target.matches?.("fieldset[data-widget] input") || event.detail === 0) return release(event);
    if (event.target === pressed) {
      event.target.checked = false;
      notify(event.target);
    }
    pressed = null;
    event.target.blur();
  });

  function release(event) {
    if (event.target.closest?.("fieldset[data-widget] label") && event.detail > 0) setTimeout(() => groupOf(document.activeElement) && document.activeElement.blur());
  }
}

function step(group, element, by) {
  const inputs = inputsOf(group);
  const at = inputs.indexOf(element);
  const next = inputs[(Math.max(at, 0) + (element.checked ? by : 0) + inputs.length) % inputs.length];
  next.checked = true;
  next.focus();
  notify(next);
  return true;
}

function clear(group) {
  const checked = group.querySelector("input:checked");
  if (checked) {
    checked.checked = false;
    notify(checked);
  }
  return true;
}

const inputsOf = (group) => [...group.querySelectorAll("input")];
const notify = (input) => input.dispatchEvent(new Event("change", { bubbles: true }));
