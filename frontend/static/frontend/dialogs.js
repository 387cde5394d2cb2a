// Buttons that open, toggle or close a dialog by id, and forms that ask before they act.

const byId = (id) => document.getElementById(id);

export function toggleDrawer(drawer) {
  if (drawer.open) drawer.close();
  else drawer.show(); // not modal: one can read the guidelines and answer
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-opens], [data-toggles], [data-closes], [data-confirm]");
  if (!button) return;
  const { opens, toggles, closes, confirm: question } = button.dataset;
  if (opens) byId(opens).showModal();
  if (toggles) toggleDrawer(byId(toggles));
  if (closes) byId(closes).close();
  if (question && !window.confirm(question)) event.preventDefault();
});
