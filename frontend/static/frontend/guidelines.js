// Changed guidelines must be read: the button that says so works once their end has been seen.

const CLOSE_PX = 8;

export function mountGate(section) {
  const text = section.querySelector("[data-scroll]");
  const button = section.querySelector("[data-act=acknowledge]");
  const hint = section.querySelector("[data-hint]");
  const look = () => {
    const isRead = text.scrollTop + text.clientHeight >= text.scrollHeight - CLOSE_PX;
    if (!isRead) return;
    button.disabled = false;
    hint.hidden = true;
  };
  button.disabled = true;
  hint.hidden = false;
  text.addEventListener("scroll", look, { passive: true });
  look();
}

/** The drawer shows what has just been acknowledged. */
export function updateDrawer(drawer, section) {
  drawer.querySelector("[data-version]").textContent = `version ${section.dataset.version}`;
  drawer.querySelector("[data-text]").replaceChildren(...section.querySelector("[data-text]").cloneNode(true).childNodes);
}
