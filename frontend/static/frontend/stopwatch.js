// How long a task has been on the screen, and for how much of that the page had the focus.

const TICK_MS = 250;

export class Stopwatch {
  constructor() {
    this.restart();
    setInterval(() => this.tick(), TICK_MS);
  }

  restart() {
    this.startedAt = this.tickedAt = performance.now();
    this.activeMs = 0;
    this.wasActive = isActive();
  }

  tick() {
    const now = performance.now();
    if (this.wasActive) this.activeMs += now - this.tickedAt;
    this.tickedAt = now;
    this.wasActive = isActive();
  }

  read() {
    this.tick();
    return { active: Math.round(this.activeMs), total: Math.round(performance.now() - this.startedAt) };
  }
}

function isActive() {
  return document.visibilityState === "visible" && document.hasFocus();
}
