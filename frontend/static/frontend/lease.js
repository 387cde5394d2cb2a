// How long tasks are held for this labeler: quiet while they work, a clock in the last two minutes.

const SHOWN_SECONDS = 120;
const ACTIVE_MS = 60_000; // since the last sign of life
const TICK_MS = 1000;

export class Leases {
  /** `renew(form)` asks the server and returns {status, body}; `lost(form, body)` hears that somebody else has it. */
  constructor({ badge, renew, lost }) {
    Object.assign(this, { badge, renew, lost });
    this.held = new Map(); // form → {endsAt, length}: milliseconds
    this.shown = null;
    this.seenAt = Date.now();
    for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "scroll"]) {
      document.addEventListener(kind, () => this.noteLife(), { passive: true, capture: true });
    }
    setInterval(() => this.tick(), TICK_MS);
  }

  noteLife() {
    this.seenAt = Date.now();
  }

  hold(form) {
    if (this.held.has(form) || form.dataset.revises) return;
    const length = 1000 * Number(form.dataset.secondsLeft);
    this.held.set(form, { endsAt: Date.now() + length, length, isAsking: false });
  }

  drop(form) {
    this.held.delete(form);
  }

  show(form) {
    this.shown = form;
    this.draw();
  }

  tick() {
    const isActive = Date.now() - this.seenAt < ACTIVE_MS && document.visibilityState === "visible";
    for (const [form, lease] of this.held) {
      if (isActive && lease.endsAt - Date.now() < lease.length / 2) this.extend(form);
    }
    this.draw();
  }

  /** One key for all: what is shown and what lies ready. */
  extendAll() {
    return Promise.all([...this.held.keys()].map((form) => this.extend(form)));
  }

  async extend(form) {
    const lease = this.held.get(form);
    if (!lease || lease.isAsking) return;
    lease.isAsking = true;
    const { status, body } = await this.renew(form);
    lease.isAsking = false;
    if (!this.held.has(form)) return;
    if (status === 409) {
      this.held.delete(form);
      this.lost(form, body);
    } else if (status === 200) {
      lease.endsAt = Date.now() + 1000 * body.seconds_left;
      form.elements.leased_until.value = body.leased_until;
    }
    this.draw();
  }

  draw() {
    const lease = this.held.get(this.shown);
    const seconds = lease ? Math.ceil((lease.endsAt - Date.now()) / 1000) : Infinity;
    this.badge.hidden = seconds > SHOWN_SECONDS;
    if (this.badge.hidden) return;
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    this.badge.querySelector("[data-time]").textContent =
      seconds > 0 ? `held for you ${clock} more` : "no longer held for you";
  }
}
