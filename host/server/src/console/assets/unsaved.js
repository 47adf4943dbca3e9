// What was typed and is not saved yet, so that nobody loses it without a word.

const held = (control) => (control.type === "checkbox" || control.type === "radio" ? String(control.checked) : control.value);

/** A form that is open: what its controls held before people came to them, and which were changed.
 * Buttons that change what is to be saved have `data-changes`. */
class Watched {
  constructor(form) {
    this.form = form;
    this.before = new Map();
    this.changed = new Set();
    this.pressed = false;
    form.addEventListener("focusin", () => this.note());
    form.addEventListener("pointerdown", () => this.note());
    form.addEventListener("input", (event) => this.changed.add(event.target));
    form.addEventListener("click", (event) => {
      if (event.target.closest("[data-changes]")) this.pressed = true;
    });
  }

  note() {
    for (const control of this.form.elements) if (!this.before.has(control)) this.before.set(control, held(control));
  }

  /** What it holds now is saved, or may be lost. */
  settle() {
    this.before.clear();
    this.changed.clear();
    this.pressed = false;
    this.note();
  }

  isUnsaved() {
    return this.pressed || [...this.changed].some((control) => control.isConnected && held(control) !== this.before.get(control));
  }
}

const open = new Set();

/** Watches a form until `unwatch`. */
export function watch(form) {
  const watched = new Watched(form);
  open.add(watched);
  return watched;
}

export const unwatch = (watched) => open.delete(watched);

/** Whether something would be lost. */
export const isUnsaved = () => [...open].some((one) => one.isUnsaved());

/** It may be lost. */
export const giveUp = () => open.forEach((one) => one.settle());

addEventListener("beforeunload", (event) => {
  if (isUnsaved()) event.preventDefault();
});
