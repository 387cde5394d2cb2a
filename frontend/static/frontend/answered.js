// The last answers of this labeler, newest last, so that they can be taken back and given anew.

const LIMIT = 10; // the server revises no older ones

export class Answered {
  /** `recent`: ids of the judgments of earlier page loads, newest first. */
  constructor(recent) {
    this.items = recent.map((judgment) => ({ judgment, key: null, form: null })).reverse();
    this.current = null; // the item that is being revised
  }

  add(key, form) {
    this.items = [...this.items, { judgment: null, key, form }].slice(-LIMIT);
  }

  /** One step further back: from what is being revised, or from the newest. */
  before() {
    const from = this.current ? this.items.indexOf(this.current) : this.items.length;
    return this.items[from - 1] ?? null;
  }

  find(key) {
    return this.items.find((item) => item.key === key) ?? null;
  }

  findJudgment(judgment) {
    return this.items.find((item) => item.judgment === judgment) ?? null;
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    if (this.current === item) this.current = null;
  }
}
