// Unfinished answers, kept on the server: a while after each change, and when the page is left.

const PAUSE_MS = 1200; // after the last change

export class Drafts {
  /** `read(form)` is the answer so far; `save(form, draft, options)` sends it. */
  constructor({ read, save }) {
    Object.assign(this, { read, save });
    this.changed = null;
    this.timer = 0;
    this.saved = new WeakSet(); // forms of which the server has a draft
  }

  note(form) {
    if (form.dataset.revises) return;
    if (this.changed && this.changed !== form) this.flush();
    this.changed = form;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), PAUSE_MS);
  }

  /** Nothing more to save: it has been sent as an answer, skipped or lost. */
  forget(form) {
    if (this.changed === form) this.changed = null;
    this.saved.delete(form);
  }

  has(form) {
    return this.changed === form || this.saved.has(form);
  }

  async flush(options) {
    clearTimeout(this.timer);
    const form = this.changed;
    if (!form) return;
    this.changed = null;
    this.saved.add(form);
    const { status } = await this.save(form, this.read(form), options);
    if (status === 0 || status >= 500) this.changed ??= form; // goes with the next change, or when the page is left
  }
}
