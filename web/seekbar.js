// @ts-check
/** The seek bar: position, buffered ranges, and a preview of the target. */

import { find } from "./dom.js";
import { clock, spoken } from "./format.js";
import { at, previews } from "./vtt.js";

export class SeekBar {
  /** @type {import("./vtt.js").Preview[]} */
  #previews = [];
  /** Whether the user is dragging: the video then follows the bar. */
  #dragging = false;

  /**
   * @param {HTMLElement} player
   * @param {HTMLVideoElement} video
   * @param {(url: string) => string} fresh gives a URL the newest signature
   * @param {AbortSignal} signal
   */
  constructor(player, video, fresh, signal) {
    this.video = video;
    this.fresh = fresh;
    this.bar = find(player, ".seek", "input");
    this.preview = find(player, ".preview");
    this.image = find(this.preview, "img", "img");
    this.now = find(player, ".time .now");
    this.length = find(player, ".time .length");
    const options = { signal };
    for (const event of ["timeupdate", "durationchange", "progress", "seeked", "loadedmetadata"]) {
      video.addEventListener(event, () => this.#show(), options);
    }
    this.bar.addEventListener("input", () => this.#seek(), options);
    this.bar.addEventListener("pointerdown", () => (this.#dragging = true), options);
    for (const event of ["pointerup", "pointercancel", "change"]) {
      this.bar.addEventListener(event, () => this.#endDrag(), options);
    }
    this.bar.addEventListener("pointermove", (event) => this.#hover(event), options);
    this.bar.addEventListener("pointerleave", () => (this.preview.hidden = true), options);
    this.#show();
  }

  /** Loads the track of previews; without it the bar shows only times. @param {string} url @param {AbortSignal} signal */
  async load(url, signal) {
    const response = await fetch(url, { signal, credentials: "omit" }).catch(() => undefined);
    if (!response?.ok) return;
    this.#previews = previews(await response.text(), response.url);
  }

  /** A picture for a video without a poster: not the first, which is often black. */
  poster() {
    return this.#previews[Math.min(1, this.#previews.length - 1)]?.url;
  }

  #duration() {
    return Number.isFinite(this.video.duration) ? this.video.duration : 0;
  }

  #show() {
    const duration = this.#duration();
    const { currentTime, buffered } = this.video;
    this.bar.max = String(duration);
    if (!this.#dragging) this.bar.value = String(currentTime);
    const shown = this.#dragging ? Number(this.bar.value) : currentTime;
    this.now.textContent = clock(shown);
    this.length.textContent = clock(duration);
    this.bar.setAttribute("aria-valuetext", `${spoken(shown)} of ${spoken(duration)}`);
    let ahead = currentTime;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.5) ahead = Math.max(ahead, buffered.end(i));
    }
    const share = (/** @type {number} */ time) => `${duration ? (100 * time) / duration : 0}%`;
    this.bar.style.setProperty("--played", share(shown));
    this.bar.style.setProperty("--buffered", share(ahead));
  }

  #seek() {
    const time = Number(this.bar.value);
    this.video.currentTime = time;
    if (this.#dragging) this.#showPreview(time);
    this.#show();
  }

  #endDrag() {
    this.#dragging = false;
    this.preview.hidden = true;
    this.#show();
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const { left, width } = this.bar.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    this.#showPreview(share * this.#duration());
  }

  /** @param {number} time */
  #showPreview(time) {
    const duration = this.#duration();
    if (!duration) return;
    find(this.preview, "span").textContent = clock(time);
    this.preview.style.setProperty("--at", String(time / duration));
    const found = at(this.#previews, time);
    this.image.hidden = !found;
    if (found) this.#picture(found);
    this.preview.hidden = false;
  }

  /** @param {import("./vtt.js").Preview} preview */
  #picture({ url, box }) {
    if (this.image.dataset.url !== url) {
      this.image.dataset.url = url;
      this.image.src = this.fresh(url);
    }
    this.image.classList.toggle("tile", box !== undefined);
    if (!box) return;
    this.image.style.width = `${box.w}px`;
    this.image.style.height = `${box.h}px`;
    this.image.style.objectPosition = `-${box.x}px -${box.y}px`;
  }
}
