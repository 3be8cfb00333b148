// @ts-check
/** The dialog that makes links to share, with a chosen expiry time. */

import { playback } from "./api.js";
import { announce, find } from "./dom.js";
import { moment } from "./format.js";
import { sharedPath } from "./link.js";

/** The asset of the latest request; a response for another asset is ignored. */
let wanted = "";

const dialog = find(document, "#share-dialog", "dialog");
const life = find(dialog, "select", "select");

/** @param {string} asset @param {string} title */
export function share(asset, title) {
  dialog.dataset.title = title;
  wanted = asset;
  dialog.showModal();
  void make();
}

async function make() {
  const asset = wanted;
  const asked = life.value;
  const until = find(dialog, ".until");
  const buttons = [...dialog.querySelectorAll("button")].filter((button) => button.dataset.copy);
  for (const button of buttons) button.disabled = true;
  until.textContent = "…";
  try {
    const link = await playback(asset, Number(asked));
    if (asset !== wanted || asked !== life.value) return;
    const fragment = new URLSearchParams({ play: sharedPath(link) ?? "", title: dialog.dataset.title ?? "" });
    find(dialog, "[name=page]", "input").value = `${location.origin}/#${fragment}`;
    find(dialog, "[name=hls]", "input").value = link.hls ?? "";
    until.textContent = `Until ${moment(link.expiresAt)}`;
    for (const button of buttons) button.disabled = false;
  } catch (error) {
    until.textContent = error instanceof Error ? error.message : String(error);
  }
}

/** @param {HTMLButtonElement} button */
async function copy(button) {
  const field = find(dialog, `[name=${button.dataset.copy}]`, "input");
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (button.textContent = "Copy"), 2_000);
  } catch {
    // Without https, pages have no clipboard: the text is selected for the user to copy.
    field.select();
  }
}

life.addEventListener("change", () => void make());
for (const button of dialog.querySelectorAll("button")) {
  if (button.dataset.copy) button.addEventListener("click", () => void copy(button));
}
