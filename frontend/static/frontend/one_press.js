// One press answers: the choice is sent after a moment in which another key changes it and undo takes it back.

export class OnePress {
  constructor({ graceMs, commit }) {
    Object.assign(this, { graceMs, commit });
    this.timer = 0;
    this.button = null;
  }

  get isCounting() {
    return this.button !== null;
  }

  start(button) {
    this.cancel();
    this.button = button;
    button.style.setProperty("--grace", `${this.graceMs}ms`);
    button.classList.add("is-counting");
    this.timer = setTimeout(() => {
      this.cancel();
      this.commit();
    }, this.graceMs);
  }

  /** True if something was about to be sent. */
  cancel() {
    clearTimeout(this.timer);
    const wasCounting = this.isCounting;
    this.button?.classList.remove("is-counting");
    this.button = null;
    return wasCounting;
  }
}
