// Chips that are dragged with mouse, pen or finger.

const FAR = 5; // pixels: a shorter way is a click

/** `targetAt(element)`: where a chip may be let go, or null; `drop(item, target)`. */
export function listenToDrags(bar, { targetAt, drop }) {
  let drag = null;
  let wasDragged = false;

  bar.addEventListener("pointerdown", (event) => {
    const chip = event.target.closest(".chip");
    if (chip && event.button === 0 && !bar.disabled) drag = { chip, x: event.clientX, y: event.clientY, hasMoved: false };
  });
  bar.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.hasMoved && Math.hypot(dx, dy) < FAR) return;
    if (!drag.hasMoved) begin(event);
    drag.chip.style.transform = `translate(${dx}px, ${dy}px)`;
    mark(under(event));
  });
  bar.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { chip, hasMoved } = drag;
    const target = hasMoved ? under(event) : null;
    end();
    if (target) drop(Number(chip.dataset.item), target);
  });
  bar.addEventListener("pointercancel", end);
  bar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !drag?.hasMoved) return;
    event.preventDefault();
    end();
  });
  bar.addEventListener("click", (event) => {
    if (wasDragged) event.stopImmediatePropagation(); // the click that ends a drag
    wasDragged = false;
  }, true);

  function begin(event) {
    drag.hasMoved = true;
    drag.chip.setPointerCapture(event.pointerId);
    drag.chip.classList.add("is-dragged");
  }

  function end() {
    if (!drag) return;
    wasDragged = drag.hasMoved;
    setTimeout(() => (wasDragged = false));
    drag.chip.classList.remove("is-dragged");
    drag.chip.style.transform = "";
    mark(null);
    drag = null;
  }

  function under(event) {
    const element = document.elementsFromPoint(event.clientX, event.clientY).find((each) => each !== drag.chip && bar.contains(each));
    return element ? targetAt(element) : null;
  }

  function mark(target) {
    bar.querySelectorAll(".is-target").forEach((element) => element.classList.remove("is-target"));
    target?.classList.add("is-target");
  }
}
