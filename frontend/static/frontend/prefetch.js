// The next task, fetched while the present one is read, so that it appears at once.

const DEPTH = 1; // tasks that lie ready; each of them is leased to this labeler
const RETRY_MS = 3000;

export class Prefetch {
  /** `fetchNext()` returns {status, text}: a form#task, or a section#task that says why there is none. */
  constructor({ fetchNext, isKnown, ready }) {
    Object.assign(this, { fetchNext, isKnown, onReady: ready });
    this.forms = [];
    this.nothing = null; // the section, once the server has said so
    this.running = null;
    this.isStopped = false;
    this.timer = 0;
    addEventListener("online", () => this.fill());
  }

  /** Make sure that a task lies ready; the same promise for everybody who asks meanwhile. */
  fill() {
    if (this.isStopped || this.forms.length >= DEPTH) return Promise.resolve();
    this.running ??= this.load().then((isNew) => {
      this.running = null; // what is told next may ask for one more
      if (isNew) this.onReady();
    });
    return this.running;
  }

  /** The next task, or null. */
  take() {
    return this.forms.shift() ?? null;
  }

  /** A task that was shown and set aside comes next. */
  putBack(form) {
    this.forms.unshift(form);
  }

  /** Forget what lies ready; the caller gives it back to the server. */
  clear() {
    this.nothing = null;
    return this.forms.splice(0);
  }

  remove(form) {
    this.forms = this.forms.filter((other) => other !== form);
  }

  /** True if there is something to tell. */
  async load() {
    clearTimeout(this.timer);
    const { status, text } = await this.fetchNext();
    if (this.isStopped) return false;
    if (status !== 200) {
      this.timer = setTimeout(() => this.fill(), RETRY_MS);
      return false;
    }
    const element = parse(text);
    if (!element?.matches("form")) this.nothing = element;
    else if (!this.isKnown(element)) this.forms.push(element);
    return true;
  }
}

/** The #task of a fragment, detached. Scripts in it would not run, and there are none. */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return document.importNode(template.content, true).querySelector("#task");
}
