// @ts-check
/**
 * Feeds a video element from a link, and renews the link before it expires.
 *
 * With hls.js every request takes the signature of the newest link as it leaves, so a renewal is invisible: nothing is
 * loaded again, no position is lost. Where only the browser itself plays HLS (iPhones before iOS 17.1) it holds the URLs
 * of its own playlist, so there the source is replaced at the moment it refuses, and playing goes on from the same place.
 */

import { lines } from "./format.js";
import { renewIn, renewed } from "./link.js";

/** @typedef {import("./link.js").Link} Link */
/** @typedef {{id: number, label: string, chosen: boolean}} Choice */

/** The path of hls.js: a copy of the file in its npm package, loaded when a video is opened. */
const HLS = "/web/hls.min.js";
/** Bandwidth in bit/s that is assumed before the first measurement, so that few videos start blurred. */
const BANDWIDTH = 3_000_000;
/** The first and the longest delay after a failed renewal, in milliseconds. */
const RETRY = 2_000;
const RETRY_MAX = 60_000;
/** The longest delay of a browser's timer. */
const TIMER_MAX = 2 ** 31 - 1;
/** Number of decoder errors that are recovered before playback fails. */
const RECOVERIES = 3;

/** @type {Promise<any> | undefined} */
let library;

/** @returns {Promise<any>} the constructor of hls.js */
function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = HLS;
    script.addEventListener("load", () => resolve(/** @type {any} */ (window).Hls));
    script.addEventListener("error", () => {
      library = undefined;
      script.remove();
      reject(new Error("The player could not be loaded."));
    });
    document.head.append(script);
  });
  return library;
}

/** Events: `choices` when qualities, audio tracks or captions changed, `fault` (a CustomEvent with the message) when playback fails. */
export class Stream extends EventTarget {
  /** @type {any} */
  #hls;
  #timer = 0;
  #pause = RETRY;
  #recoveries = 0;
  /** @type {Promise<void> | undefined} */
  #renewing;
  #gone = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {Link} link
   * @param {(() => Promise<Link>) | undefined} renew absent for a shared link
   */
  constructor(video, link, renew) {
    super();
    this.video = video;
    this.link = link;
    this.renew = renew;
    const options = { signal: this.#gone.signal };
    video.addEventListener("error", () => this.#nativeFailed(), options);
    video.textTracks.addEventListener("addtrack", () => this.#changed(), options);
    // A timer does not fire while a laptop sleeps.
    document.addEventListener("visibilitychange", () => !document.hidden && this.#schedule(), options);
    window.addEventListener("online", () => this.#schedule(), options);
    this.#schedule();
  }

  /** Starts loading. */
  async start() {
    const { hls, mp4 } = this.link;
    const Hls = hls ? await loadLibrary() : undefined;
    if (this.#gone.signal.aborted) return;
    const { paused } = this.video;
    if (hls && Hls.isSupported()) this.#attach(Hls, hls);
    else if (hls && this.video.canPlayType("application/vnd.apple.mpegurl")) this.video.src = hls;
    else if (mp4[0]) this.video.src = mp4[0].url;
    else this.#fault("This browser cannot play this video.");
    // A new source pauses the element: "Play", pressed while the player was loading, has to hold.
    if (!paused) void this.video.play().catch(() => {});
  }

  stop() {
    this.#gone.abort();
    clearTimeout(this.#timer);
    this.#hls?.destroy();
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** Tries again after an error, from the same position. */
  async retry() {
    this.#recoveries = 0;
    if (this.renew) await this.#renewNow();
    if (!this.#hls) return this.#reload();
    // Without a loaded playlist there is nothing to resume.
    if (this.#hls.levels.length === 0) this.#hls.loadSource(this.link.hls);
    else this.#hls.startLoad();
    if (this.video.error) this.#hls.recoverMediaError();
  }

  /** A URL of this asset, with the newest signature. @param {string} url */
  fresh(url) {
    return renewed(url, this.link);
  }

  // Qualities, audio tracks and captions.

  /** @returns {Choice[]} the best first, then "Auto"; empty if there is nothing to choose */
  qualities() {
    const levels = /** @type {{width: number, height: number, bitrate: number}[]} */ (this.#hls?.levels ?? []);
    if (levels.length < 2) return [];
    const auto = this.#hls.autoLevelEnabled;
    const choices = levels.map((level, id) => {
      const height = lines(level);
      const twin = levels.filter((other) => other.height === level.height).length > 1;
      const rate = `${(level.bitrate / 1e6).toFixed(1)} Mbit/s`;
      return { id, label: !height ? rate : twin ? `${height}p, ${rate}` : `${height}p`, chosen: id === this.#hls.manualLevel };
    });
    return [...choices.reverse(), { id: -1, label: "Auto", chosen: auto }];
  }

  /** The quality that is shown now. */
  playing() {
    const level = this.#hls?.levels?.[this.#hls.currentLevel];
    return level && lines(level) ? `${lines(level)}p` : "";
  }

  /** @param {number} id */
  chooseQuality(id) {
    // The buffer is dropped, so that the chosen quality is visible at once, also when seeking back or playing again.
    if (id < 0) this.#hls.nextLevel = id;
    else this.#hls.currentLevel = id;
    this.#changed();
  }

  /** @returns {Choice[]} empty if there is nothing to choose */
  audio() {
    const tracks = this.#audioTracks();
    if (tracks.length < 2) return [];
    return tracks.map(({ name, label, lang, language, enabled }, id) => {
      const chosen = this.#hls ? id === this.#hls.audioTrack : enabled;
      return { id, label: name || label || lang || language || `Audio ${id + 1}`, chosen };
    });
  }

  /** @param {number} id */
  chooseAudio(id) {
    if (this.#hls) this.#hls.audioTrack = id;
    else for (const [index, track] of this.#audioTracks().entries()) track.enabled = index === id;
    this.#changed();
  }

  /** Those of hls.js, or of the browser. Only some browsers have a list of their own. @returns {any[]} */
  #audioTracks() {
    return [...(this.#hls?.audioTracks ?? /** @type {any} */ (this.video).audioTracks ?? [])];
  }

  /** @returns {Choice[]} */
  captions() {
    const tracks = this.#tracks();
    if (tracks.length === 0) return [];
    const on = tracks.findIndex((track) => track.mode === "showing");
    const choices = tracks.map((track, id) => {
      return { id, label: track.label || track.language || `Captions ${id + 1}`, chosen: id === on };
    });
    return [{ id: -1, label: "Off", chosen: on < 0 }, ...choices];
  }

  /** @param {number} id */
  chooseCaptions(id) {
    for (const [index, track] of this.#tracks().entries()) track.mode = index === id ? "showing" : "disabled";
    if (this.#hls?.subtitleTracks.length > 0) {
      this.#hls.subtitleDisplay = id >= 0;
      this.#hls.subtitleTrack = id;
    }
    this.#changed();
  }

  #tracks() {
    return [...this.video.textTracks].filter((track) => track.kind === "captions" || track.kind === "subtitles");
  }

  // Playing.

  /** @param {any} Hls @param {string} url */
  #attach(Hls, url) {
    const hls = new Hls({
      capLevelToPlayerSize: true,
      abrEwmaDefaultEstimate: BANDWIDTH,
      backBufferLength: 60,
      xhrSetup: async (/** @type {XMLHttpRequest} */ xhr, /** @type {string} */ to) => {
        await this.#ready();
        xhr.open("GET", this.fresh(to), true);
      },
    });
    this.#hls = hls;
    const changes = [
      ...["MANIFEST_PARSED", "LEVEL_SWITCHED", "LEVELS_UPDATED", "AUDIO_TRACKS_UPDATED", "AUDIO_TRACK_SWITCHED"],
      ...["SUBTITLE_TRACKS_UPDATED", "SUBTITLE_TRACK_SWITCH"],
    ];
    for (const event of changes) hls.on(Hls.Events[event], () => this.#changed());
    hls.on(Hls.Events.ERROR, (/** @type {string} */ _, /** @type {any} */ data) => {
      if (data.fatal) this.#failed(Hls, data);
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
  }

  /** @param {any} Hls @param {any} data */
  #failed(Hls, data) {
    const again = this.#recoveries < RECOVERIES;
    this.#recoveries += 1;
    const status = data.response?.code;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && again) {
      this.#hls.recoverMediaError();
    } else if (status === 403 && this.renew && again) {
      void this.#renewNow().then(() => this.#hls?.startLoad());
    } else if (status === 403) {
      this.#fault("This link has expired. Ask for a new one.");
    } else if (status === 404) {
      this.#fault("This video was removed.");
    } else if (data.type === Hls.ErrorTypes.NETWORK_ERROR) {
      this.#fault("The connection was lost.");
    } else {
      this.#fault("This video cannot be played here.");
    }
  }

  /** The browser's own player reports only that it failed: most likely the link has expired. */
  #nativeFailed() {
    if (this.#hls || !this.video.getAttribute("src")) return;
    const again = this.#recoveries < RECOVERIES;
    this.#recoveries += 1;
    if (this.renew && again) void this.#renewNow().then(() => this.#reload());
    else this.#fault(this.renew ? "This video cannot be played here." : "This link has expired, or cannot be played here.");
  }

  /** Reloads the video from the newest link, at the same position. */
  #reload() {
    const { currentTime, paused } = this.video;
    const url = this.link.hls ?? this.link.mp4[0]?.url;
    if (!url) return;
    this.video.src = url;
    this.video.currentTime = currentTime;
    if (!paused) void this.video.play().catch(() => {});
  }

  #changed() {
    this.dispatchEvent(new Event("choices"));
  }

  /** @param {string} text */
  #fault(text) {
    this.dispatchEvent(new CustomEvent("fault", { detail: text }));
  }

  // Renewing.

  #schedule() {
    clearTimeout(this.#timer);
    if (!this.renew || this.#gone.signal.aborted) return;
    const wait = Math.min(renewIn(this.link, Date.now()), TIMER_MAX);
    this.#timer = setTimeout(() => this.#renewNow(), wait);
  }

  /** Delays a request while the link has expired and a new one is requested. */
  async #ready() {
    if (this.renew && Date.now() >= this.link.expiresAt) await this.#renewNow();
  }

  /** Renews the link, once at a time. A failed renewal is retried and never throws: the old link may still be valid. */
  #renewNow() {
    this.#renewing ??= this.#tryToRenew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #tryToRenew() {
    try {
      const link = await this.renew?.();
      if (!link) return;
      this.link = link;
      this.#pause = RETRY;
      this.#schedule();
    } catch {
      clearTimeout(this.#timer);
      if (this.#gone.signal.aborted) return;
      this.#timer = setTimeout(() => this.#renewNow(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, RETRY_MAX);
    }
  }
}
