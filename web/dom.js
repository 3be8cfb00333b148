// @ts-check
/** Helpers for the document. */

/** A copy of a template's only element. @param {string} name @returns {HTMLElement} */
export function make(name) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(`view-${name}`));
  return /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
}

/**
 * The element that `selector` names; this page is one file, so it is there.
 * @template {keyof HTMLElementTagNameMap} [K="div"]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {K} [_kind] what it is, for the type checker
 * @returns {HTMLElementTagNameMap[K]}
 */
export function find(root, selector, _kind) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return /** @type {HTMLElementTagNameMap[K]} */ (found);
}

/** Sets the icon and name of a button. @param {HTMLElement} button @param {string} icon @param {string} label */
export function face(button, icon, label) {
  const use = button.querySelector("use");
  if (use?.getAttribute("href") !== `#${icon}`) use?.setAttribute("href", `#${icon}`);
  if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
}

/** Announces a text to screen readers. @param {string} text */
export function announce(text) {
  find(document, "#announcements").textContent = text;
}

/** A page with one message. @param {string} title @param {string} text @param {{label: string, act: () => void}[]} [actions] */
export function notice(title, text, actions = []) {
  const view = make("notice");
  find(view, "h1").textContent = title;
  find(view, "p").textContent = text;
  const buttons = actions.map(({ label, act }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "primary";
    button.textContent = label;
    button.addEventListener("click", act);
    return button;
  });
  find(view, ".actions").append(...buttons);
  return view;
}
