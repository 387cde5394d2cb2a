// Where unsent answers lie: localStorage, so that they outlive a reload or a crash; memory, if that is refused.

const PREFIX = "concord-outbox";

export const storeKey = (user, campaign) => `${PREFIX}:${user}:${campaign}`;

/** The names of all stores of this user in this browser. */
export function storesOf(user) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(`${PREFIX}:${user}:`));
  } catch {
    return [];
  }
}

export class OutboxStore {
  constructor(name) {
    this.name = name;
    this.memory = [];
    this.hasFailed = false; // what is in memory alone is lost with the page
  }

  read() {
    if (this.hasFailed) return this.memory;
    try {
      const entries = JSON.parse(localStorage.getItem(this.name) ?? "[]");
      return Array.isArray(entries) ? entries : [];
    } catch {
      return this.memory;
    }
  }

  write(entries) {
    this.memory = entries;
    try {
      if (entries.length) localStorage.setItem(this.name, JSON.stringify(entries));
      else localStorage.removeItem(this.name);
      this.hasFailed = false;
    } catch {
      this.hasFailed = true;
    }
  }
}
