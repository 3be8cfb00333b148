// @ts-check
/** A button that opens a list of choices: by pointer, touch and keyboard. */

import { find } from "./dom.js";

/** @typedef {import("./stream.js").Choice} Choice */

export class Menu {
  /**
   * @param {HTMLElement} root
   * @param {(id: number) => void} choose
   * @param {AbortSignal} signal
   */
  constructor(root, choose, signal) {
    this.root = root;
    this.choose = choose;
    this.button = find(root, "button", "button");
    this.list = find(root, ".choices");
    const options = { signal };
    this.button.addEventListener("click", () => (this.list.hidden ? this.open() : this.close()), options);
    this.list.addEventListener("keydown", (event) => this.#key(event), options);
    document.addEventListener("pointerdown", (event) => {
      if (!root.contains(/** @type {Node} */ (event.target))) this.close();
    }, options);
    root.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !root.contains(/** @type {Node} */ (event.relatedTarget))) this.close();
    }, options);
  }

  /** @param {Choice[]} choices none hides the menu */
  show(choices) {
    this.root.hidden = choices.length === 0;
    const same = this.list.children.length === choices.length;
    if (!same) this.list.replaceChildren(...choices.map(() => this.#item()));
    for (const [index, { id, label, chosen }] of choices.entries()) {
      const item = /** @type {HTMLElement} */ (this.list.children[index]);
      item.dataset.id = String(id);
      item.textContent = label;
      item.setAttribute("aria-checked", String(chosen));
    }
  }

  open() {
    this.list.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    const items = this.#items();
    (items.find((item) => item.getAttribute("aria-checked") === "true") ?? items[0])?.focus();
  }

  close() {
    if (this.list.hidden) return;
    const inside = this.list.contains(document.activeElement);
    this.list.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (inside) this.button.focus();
  }

  #items() {
    return /** @type {HTMLElement[]} */ ([...this.list.children]);
  }

  #item() {
    const item = document.createElement("button");
    item.type = "button";
    item.setAttribute("role", "menuitemradio");
    item.tabIndex = -1;
    item.addEventListener("click", () => {
      this.choose(Number(item.dataset.id));
      this.close();
    });
    return item;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const items = this.#items();
    const here = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") this.close();
    else if (to !== undefined) items.at(to % items.length)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
