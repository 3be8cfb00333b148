// @ts-check
/** The player: the controls around a video element. */

import { face, find } from "./dom.js";
import { Menu } from "./menu.js";
import { SeekBar } from "./seekbar.js";
import { Stream } from "./stream.js";

/** Time without movement after which the controls are hidden, in milliseconds. */
const IDLE = 2_500;

export class Player {
  #gone = new AbortController();
  #idle = 0;

  /**
   * @param {HTMLElement} root the `.player` element
   * @param {import("./link.js").Link} link
   * @param {(() => Promise<import("./link.js").Link>) | undefined} renew
   */
  constructor(root, link, renew) {
    this.root = root;
    this.video = find(root, "video", "video");
    this.stream = new Stream(this.video, link, renew);
    const { signal } = this.#gone;
    this.seekbar = new SeekBar(root, this.video, (url) => this.stream.fresh(url), signal);
    this.quality = new Menu(find(root, "[data-menu=quality]"), (id) => this.stream.chooseQuality(id), signal);
    this.audio = new Menu(find(root, "[data-menu=audio]"), (id) => this.stream.chooseAudio(id), signal);
    this.captions = new Menu(find(root, "[data-menu=captions]"), (id) => this.stream.chooseCaptions(id), signal);
    if (link.poster) this.video.poster = link.poster;
    this.#listen();
    this.#showButtons();
    this.#stir();
  }

  async start() {
    const { signal } = this.#gone;
    const { thumbnails, poster } = this.stream.link;
    const loaded = thumbnails && this.seekbar.load(thumbnails, signal);
    const started = this.stream.start().catch((error) => this.#failed(error.message));
    await loaded;
    const picture = this.seekbar.poster();
    if (!poster && picture && !signal.aborted) this.video.poster = picture;
    await started;
  }

  stop() {
    this.#gone.abort();
    clearTimeout(this.#idle);
    this.stream.stop();
    if (document.fullscreenElement) void document.exitFullscreen();
  }

  toggle() {
    if (this.video.paused || this.video.ended) void this.video.play().catch(() => {});
    else this.video.pause();
  }

  /** @param {number} seconds from here */
  skip(seconds) {
    this.#to(this.video.currentTime + seconds);
  }

  fullscreen() {
    const video = /** @type {any} */ (this.video);
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (this.root.requestFullscreen) void this.root.requestFullscreen().catch(() => {});
    // iPhones support only their own player in full screen.
    else video.webkitEnterFullscreen?.();
  }

  /** @param {number} time */
  #to(time) {
    const { duration } = this.video;
    if (Number.isFinite(duration)) this.video.currentTime = Math.min(Math.max(time, 0), duration);
  }

  #listen() {
    const { video, root, stream } = this;
    const options = { signal: this.#gone.signal };
    const on = (/** @type {string} */ selector, /** @type {() => void} */ act) => {
      find(root, selector, "button").addEventListener("click", act, options);
    };
    on(".toggle", () => this.toggle());
    on(".big", () => this.toggle());
    on(".mute", () => this.#mute());
    on(".full", () => this.fullscreen());
    on(".pip", () => this.#pip());
    on(".retry", () => this.#retry());
    const volume = find(root, ".volume", "input");
    volume.addEventListener("input", () => {
      video.volume = Number(volume.value);
      video.muted = video.volume === 0;
    }, options);
    for (const event of ["play", "pause", "ended", "volumechange", "seeking", "emptied"]) {
      video.addEventListener(event, () => this.#showButtons(), options);
    }
    const spinner = find(root, ".spinner");
    video.addEventListener("waiting", () => (spinner.hidden = false), options);
    for (const event of ["playing", "canplay", "pause", "error", "emptied"]) {
      video.addEventListener(event, () => (spinner.hidden = true), options);
    }
    video.addEventListener("playing", () => (find(root, ".failed").hidden = true), options);
    stream.addEventListener("choices", () => this.#showChoices(), options);
    stream.addEventListener("fault", (event) => this.#failed(/** @type {CustomEvent} */ (event).detail), options);
    window.addEventListener("online", () => !find(root, ".failed").hidden && this.#retry(), options);
    document.addEventListener("fullscreenchange", () => this.#showButtons(), options);
    document.addEventListener("keydown", (event) => this.#key(event), options);
    for (const event of ["pointermove", "focusin", "keydown"]) root.addEventListener(event, () => this.#stir(), options);
    video.addEventListener("pointerup", (event) => this.#press(event), options);
    video.addEventListener("dblclick", () => this.fullscreen(), options);
  }

  /** A click plays and pauses; a tap first shows the controls. @param {PointerEvent} event */
  #press(event) {
    if (event.pointerType !== "touch") return event.button === 0 && this.toggle();
    if (this.root.classList.contains("idle")) this.#stir();
    else if (!this.video.paused) this.root.classList.add("idle");
  }

  #mute() {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 0.5;
  }

  #pip() {
    const leave = document.pictureInPictureElement !== null;
    void (leave ? document.exitPictureInPicture() : this.video.requestPictureInPicture()).catch(() => {});
  }

  #retry() {
    find(this.root, ".failed").hidden = true;
    void this.stream.retry();
  }

  #captionsOnOff() {
    const choices = this.stream.captions();
    const chosen = choices.find((choice) => choice.chosen)?.id ?? -1;
    if (choices.length > 0) this.stream.chooseCaptions(chosen < 0 ? 0 : -1);
  }

  /** Movement shows the controls; they are hidden again while the video plays, unless they are in use. */
  #stir() {
    clearTimeout(this.#idle);
    this.root.classList.remove("idle");
    this.#idle = setTimeout(() => {
      const held = this.video.paused || this.root.querySelector(".choices:not([hidden]), .controls :focus-visible");
      this.root.classList.toggle("idle", !held);
    }, IDLE);
  }

  #showButtons() {
    const { video, root } = this;
    const [icon, label] = video.ended ? ["replay", "Play again"] : video.paused ? ["play", "Play"] : ["pause", "Pause"];
    face(find(root, ".toggle"), icon, label);
    face(find(root, ".big"), icon, label);
    root.classList.toggle("paused", video.paused);
    const silent = video.muted || video.volume === 0;
    face(find(root, ".mute"), silent ? "muted" : "volume", silent ? "Unmute" : "Mute");
    const volume = find(root, ".volume", "input");
    volume.value = String(silent ? 0 : video.volume);
    volume.style.setProperty("--played", `${silent ? 0 : video.volume * 100}%`);
    const full = document.fullscreenElement === root;
    face(find(root, ".full"), full ? "unfull" : "full", full ? "Leave full screen" : "Full screen");
    find(root, ".pip").hidden = !document.pictureInPictureEnabled;
    this.#stir();
  }

  #showChoices() {
    const qualities = this.stream.qualities();
    this.quality.show(qualities);
    this.audio.show(this.stream.audio());
    this.captions.show(this.stream.captions());
    const playing = this.stream.playing();
    find(this.quality.root, ".chosen").textContent = playing;
    this.quality.button.setAttribute("aria-label", playing ? `Quality: ${playing}` : "Quality");
    const on = this.stream.captions().some((choice) => choice.id >= 0 && choice.chosen);
    this.captions.button.classList.toggle("on", on);
  }

  /** @param {string} text */
  #failed(text) {
    const failed = find(this.root, ".failed");
    find(failed, "p").textContent = text;
    failed.hidden = false;
    find(this.root, ".spinner").hidden = true;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const typing = target.matches("input:not(.seek), select, textarea, dialog *");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const act = this.#action(event.key, target);
    if (!act) return;
    event.preventDefault();
    this.#stir();
    act();
  }

  /** @param {string} key @param {HTMLElement} target @returns {(() => void) | undefined} */
  #action(key, target) {
    // A focused button or link handles its own keys.
    if (key === " " && target.matches("button, a, summary")) return undefined;
    if (/^\d$/.test(key)) return () => this.#to((this.video.duration * Number(key)) / 10);
    const onBar = target.matches(".seek");
    return {
      " ": () => this.toggle(),
      k: () => this.toggle(),
      ArrowLeft: () => this.skip(-5),
      ArrowRight: () => this.skip(5),
      j: () => this.skip(-10),
      l: () => this.skip(10),
      Home: onBar ? () => this.#to(0) : undefined,
      End: onBar ? () => this.#to(this.video.duration) : undefined,
      m: () => this.#mute(),
      c: () => this.#captionsOnOff(),
      f: () => this.fullscreen(),
    }[key.length === 1 ? key.toLowerCase() : key];
  }
}
