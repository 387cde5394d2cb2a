// A reminder after a long stretch of work. It can be dismissed, and comes again after another stretch.

const STRETCH_MS = 50 * 60_000;
const REST_MS = 8 * 60_000; // a pause of this length starts a new stretch
const STORE = "concord-stretch";

export class Breaks {
  constructor({ user, show }) {
    this.name = `${STORE}:${user}`;
    this.show = show;
    this.stretch = null;
  }

  /** Called with every answer. */
  noteWork(now = Date.now()) {
    const last = this.read();
    const isNew = !last || now - last.seenAt > REST_MS;
    const stretch = { since: isNew ? now : last.since, seenAt: now };
    this.write(stretch);
    if (now - stretch.since >= STRETCH_MS) this.show(Math.round((now - stretch.since) / 60_000));
  }

  dismiss(now = Date.now()) {
    this.write({ since: now, seenAt: now });
  }

  read() {
    try {
      return JSON.parse(localStorage.getItem(this.name)) ?? this.stretch;
    } catch {
      return this.stretch;
    }
  }

  write(stretch) {
    this.stretch = stretch;
    try {
      localStorage.setItem(this.name, JSON.stringify(stretch));
    } catch {
      // remembered as long as the page
    }
  }
}
