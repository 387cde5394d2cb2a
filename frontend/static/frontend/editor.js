// One reply rewritten as it should be: the best one.

export class Editor {
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.root = form.querySelector("[data-widget=edited]");
    this.panel = this.root.querySelector("[data-editor]");
    this.box = this.panel.querySelector("textarea");
    this.place = null;
    this.root.addEventListener("click", (event) => this.onClick(event));
  }

  onClick(event) {
    const { edits } = event.target.closest("button")?.dataset ?? {};
    if (edits !== undefined) this.open(Number(edits));
    else if (event.target.closest("[data-discards]")) this.discard();
  }

  onKey(key) {
    if (key !== "w") return false;
    this.open(this.place ?? this.bestPlace());
    return true;
  }

  /** Another reply's text replaces an edit that has changed nothing, and asks before it replaces one that has. */
  open(place) {
    if (this.place !== place && this.collect().edited && !window.confirm("Discard the edit of the other reply?")) return;
    if (this.place !== place) this.show(place, this.original(place));
    this.box.focus();
    this.box.setSelectionRange(0, 0);
    this.panel.scrollIntoView({ block: "nearest" });
  }

  discard() {
    this.show(null, "");
    this.changed();
    this.root.querySelector("button").focus();
  }

  collect() {
    if (this.place === null || !this.box.value.trim() || this.box.value === this.normal(this.place)) return {};
    return { edited: { completion: this.place, text: this.box.value } };
  }

  restore(edited) {
    this.show(edited?.completion ?? null, edited?.text ?? "");
  }

  show(place, text) {
    this.place = place;
    this.panel.hidden = place === null;
    this.box.value = text;
    this.panel.querySelector("[data-edit-name]").textContent = place === null ? "" : this.button(place).textContent.replace("Edit ", "");
    for (const button of this.root.querySelectorAll("[data-edits]")) button.setAttribute("aria-pressed", String(Number(button.dataset.edits) === place));
  }

  bestPlace() {
    const chosen = this.form.querySelector("button[name=answer].is-chosen")?.value ?? this.form.querySelector("input[name=answer]")?.value;
    return JSON.parse(chosen || "{}").tiers?.[0]?.[0] ?? 0;
  }

  original(place) {
    return this.form.querySelector(`.reply[data-place="${place}"] [data-raw]`).textContent;
  }

  /** As a text box keeps it. */
  normal(place) {
    return this.original(place).replaceAll(/\r\n?/g, "\n");
  }

  button(place) {
    return this.root.querySelector(`[data-edits="${place}"]`);
  }
}
