// How long a task has been on the screen, and for how much of that the page had the focus.

const TICK_MS = 250;

export class Stopwatch {
  constructor() {
    this.restart();
    setInterval(() => this.tick(), TICK_MS);
  }

  /** Begin anew, or where an earlier look at the same task ended. */
  restart({ active = 0, total = 0 } = {}) {
    this.shownAt = this.tickedAt = performance.now();
    this.earlierMs = total;
    this.activeMs = active;
    this.wasActive = isActive();
  }

  tick() {
    const now = performance.now();
    if (this.wasActive) this.activeMs += now - this.tickedAt;
    this.tickedAt = now;
    this.wasActive = isActive();
  }

  /** Milliseconds since the task appeared this time. */
  get sinceShown() {
    return performance.now() - this.shownAt;
  }

  read() {
    this.tick();
    return { active: Math.round(this.activeMs), total: Math.round(this.earlierMs + this.sinceShown) };
  }
}

function isActive() {
  return document.visibilityState === "visible" && document.hasFocus();
}
