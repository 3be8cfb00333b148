// @ts-check
/**
 * Uploads: files go straight into the bucket, in parts. They go on after a lost connection with the parts that have arrived, and after
 * a reload too. docs/adr/0009 says why this is not a library.
 */

import * as api from "./api.js";
import { announce, find, make } from "./dom.js";
import { remaining, size } from "./format.js";
import { files, sessions } from "./kept.js";

/** @typedef {import("./kept.js").Session} Session */

/** Files that are sent at one time, and parts of each. */
const FILES = 3;
const PARTS = 3;
/** Pauses before a part is sent again, in milliseconds. The last one repeats while there is no connection. */
const PAUSES = [1_000, 2_000, 4_000, 8_000, 15_000];
/** The time over which the speed is measured, in milliseconds. */
const MEASURED = 8_000;
/** The time for which a finished upload is shown, in milliseconds. */
const SHOWN = 6_000;

/** The storage refused a part, or there was no connection. */
class NotSent extends Error {
  /** @param {number} status 0 if there was no answer */
  constructor(status) {
    super(status ? `The storage answered ${status}` : "There is no connection");
    this.status = status;
  }
}

/** Sends a part. @param {string} url @param {Blob} part @param {(bytes: number) => void} sent @param {AbortSignal} signal */
function put(url, part, sent, signal) {
  return new Promise((done, failed) => {
    // fetch does not report how much has been sent.
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal.addEventListener("abort", abort, { once: true });
    request.upload.addEventListener("progress", ({ loaded }) => sent(loaded));
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", abort);
      if (request.status >= 200 && request.status < 300) done(undefined);
      else failed(signal.aborted ? signal.reason : new NotSent(request.status));
    });
    request.open("PUT", url);
    request.send(part);
  });
}

/** Waits, or until there is a connection again. @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
  return new Promise((done, failed) => {
    const over = () => {
      clearTimeout(timer);
      removeEventListener("online", over);
      signal.removeEventListener("abort", over);
      if (signal.aborted) failed(signal.reason);
      else done(undefined);
    };
    const timer = setTimeout(over, ms);
    addEventListener("online", over);
    signal.addEventListener("abort", over);
  });
}

/** Whether another try may help. @param {unknown} error @param {number} tries */
function mayPass(error, tries) {
  if (error instanceof api.Refused) return error.status === 0 || error.status === 429 || error.status >= 500;
  if (!(error instanceof NotSent)) return false;
  // A URL that has expired is refused too; the next try has a new one.
  return error.status === 0 || error.status >= 500 || tries < PAUSES.length;
}

/** One file on its way. */
class Upload {
  /**
   * @param {Uploads} all
   * @param {Session} session
   * @param {File | undefined} file undefined: it has to be chosen again
   */
  constructor(all, session, file) {
    this.all = all;
    this.session = session;
    this.file = file;
    /** @type {"waiting" | "sending" | "paused" | "done" | "failed"} */
    this.state = file ? "waiting" : "paused";
    this.problem = file ? "" : "Choose the file again to go on";
    /** Bytes sent of each part. @type {Map<number, number>} */
    this.sent = new Map();
    /** When how much had been sent. @type {[number, number][]} */
    this.measured = [];
    this.stopped = new AbortController();
    this.element = make("upload");
    this.toggle = find(this.element, ".toggle", "button");
    find(this.element, ".title").textContent = session.name;
    this.toggle.addEventListener("click", () => this.#toggle());
    find(this.element, ".cancel", "button").addEventListener("click", () => void this.cancel());
    find(this.element, ".cancel", "button").setAttribute("aria-label", `Cancel ${session.name}`);
    find(this.element, "progress", "progress").setAttribute("aria-label", `Upload of ${session.name}`);
    this.show();
  }

  get bytes() {
    return [...this.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  #toggle() {
    if (this.state === "sending" || this.state === "waiting") this.pause();
    else if (!this.file) this.all.choose();
    else this.resume();
  }

  pause() {
    this.state = "paused";
    this.problem = "";
    this.stopped.abort();
    this.show();
    this.all.next();
  }

  /** @param {File} [file] the same file, chosen again */
  resume(file = this.file) {
    this.file = file;
    this.state = "waiting";
    this.problem = "";
    this.show();
    this.all.next();
  }

  async cancel() {
    this.stopped.abort();
    this.all.remove(this);
    if (!this.session.uploadId || this.state === "done") return;
    // What is left if this fails goes by itself after seven days.
    await api.send("DELETE", this.#path("")).catch(() => {});
  }

  /** @param {string} rest */
  #path(rest) {
    return `/api/uploads/${encodeURIComponent(this.session.uploadId)}${rest}?key=${encodeURIComponent(this.session.key)}`;
  }

  async start() {
    this.state = "sending";
    this.stopped = new AbortController();
    this.measured = [];
    this.show();
    const ticking = setInterval(() => this.show(), 500);
    try {
      await this.#send();
      this.state = "done";
      announce(`${this.session.name} is uploaded`);
      this.all.finished(this);
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      this.state = "failed";
      this.problem = error instanceof Error ? error.message : String(error);
      announce(`${this.session.name} could not be uploaded`);
    } finally {
      clearInterval(ticking);
      this.show();
      this.all.next();
    }
  }

  async #send() {
    const { file, session } = this;
    if (!file) throw new Error("Choose the file again");
    if (!session.uploadId) await this.#create(file);
    /** @type {{PartNumber: number, Size: number, ETag: string}[]} */
    let there;
    try {
      there = await this.#again(() => api.send("GET", this.#path("")));
    } catch (error) {
      if (!(error instanceof api.Refused) || error.status !== 404) throw error;
      // The session has ended: from the beginning.
      await this.#create(file);
      there = [];
    }
    const count = Math.ceil(file.size / session.partSize);
    this.sent = new Map(there.map(({ PartNumber, Size }) => [PartNumber, Size]));
    const missing = Array.from({ length: count }, (_, index) => index + 1).filter((part) => !this.sent.has(part));
    const worker = async () => {
      for (let part = missing.shift(); part !== undefined; part = missing.shift()) await this.#part(file, part);
    };
    await Promise.all(Array.from({ length: PARTS }, worker));
    const parts = await this.#again(() => api.send("GET", this.#path("")));
    const { asset } = await this.#again(() => api.send("POST", this.#path("/complete"), { parts }));
    this.asset = asset;
  }

  /** @param {File} file */
  async #create(file) {
    const asked = { filename: file.name, type: file.type, size: file.size };
    Object.assign(this.session, await this.#again(() => api.send("POST", "/api/uploads", asked)));
    this.all.save();
  }

  /** @param {File} file @param {number} part */
  async #part(file, part) {
    const { partSize } = this.session;
    const bytes = file.slice((part - 1) * partSize, part * partSize);
    await this.#again(async () => {
      const { url } = await api.send("GET", this.#path(`/${part}`));
      const sent = (/** @type {number} */ bytes) => {
        this.sent.set(part, bytes);
        this.problem = "";
      };
      await put(url, bytes, sent, this.stopped.signal).catch((error) => {
        this.sent.delete(part);
        throw error;
      });
    });
    this.sent.set(part, bytes.size);
  }

  /** Tries until it works, it cannot work, or the upload is stopped. @template T @param {() => Promise<T>} act @returns {Promise<T>} */
  async #again(act) {
    for (let tries = 0; ; tries += 1) {
      this.stopped.signal.throwIfAborted();
      try {
        const result = await act();
        this.problem = "";
        return result;
      } catch (error) {
        this.stopped.signal.throwIfAborted();
        if (!mayPass(error, tries)) throw error;
        this.problem = "Waiting for the connection";
        await pause(PAUSES[Math.min(tries, PAUSES.length - 1)] ?? 0, this.stopped.signal);
      }
    }
  }

  /** Bytes per second, or 0 if it is not known yet. */
  #speed() {
    const now = performance.now();
    this.measured.push([now, this.bytes]);
    while ((this.measured[1]?.[0] ?? now) < now - MEASURED) this.measured.shift();
    const [from, before] = this.measured[0] ?? [now, 0];
    return now - from < 1_000 ? 0 : Math.max(0, ((this.bytes - before) / (now - from)) * 1_000);
  }

  #words() {
    const { size: whole } = this.session;
    if (this.state === "done") return "Uploaded. It is being converted.";
    if (this.state === "failed") return this.problem;
    const share = `${size(this.bytes)} of ${size(whole)}`;
    if (this.state === "paused") return [share, this.problem || "paused"].join(" · ");
    if (this.state === "waiting") return [share, "waiting"].join(" · ");
    if (this.problem) return [share, this.problem].join(" · ");
    const speed = this.#speed();
    const left = speed ? [`${size(speed)}/s`, remaining((whole - this.bytes) / speed)] : [];
    return [share, ...left].join(" · ");
  }

  show() {
    const isActive = this.state === "sending" || this.state === "waiting";
    this.element.dataset.state = this.state;
    find(this.element, ".state").textContent = this.#words();
    const bar = find(this.element, "progress", "progress");
    bar.max = this.session.size;
    bar.value = this.state === "done" ? this.session.size : this.bytes;
    this.toggle.hidden = this.state === "done";
    const word = isActive ? "Pause" : this.file ? (this.state === "failed" ? "Try again" : "Resume") : "Choose";
    this.toggle.textContent = word;
    this.toggle.setAttribute("aria-label", `${word} ${this.session.name}`);
  }
}

/** All uploads of this page. */
export class Uploads {
  constructor() {
    this.section = find(document, "#uploads", "section");
    this.list = find(this.section, "ul", "ul");
    this.button = find(document, ".add", "label");
    this.input = find(this.button, "input", "input");
    this.curtain = find(document, "#drop");
    /** @type {Upload[]} */
    this.all = [];
    this.input.addEventListener("change", () => {
      this.add([...(this.input.files ?? [])]);
      this.input.value = "";
    });
    this.#listenForDrops();
    addEventListener("beforeunload", (event) => {
      if (this.all.some(({ state, session }) => state === "sending" && !session.kept)) event.preventDefault();
    });
    // Another tab may be sending what is kept.
    const lock = navigator.locks;
    if (lock) void lock.request("vod-uploads", () => this.#restore().then(() => new Promise(() => {})));
    else void this.#restore();
  }

  /** Whether the token lets uploads be made. @param {boolean} allowed */
  allow(allowed) {
    this.button.hidden = !allowed;
    for (const upload of this.all) {
      if (!allowed && ["sending", "waiting"].includes(upload.state)) upload.pause();
    }
    this.next();
  }

  /** Forgets all uploads, of a person who signs out. */
  forget() {
    for (const upload of this.all) this.remove(upload);
  }

  choose() {
    this.input.click();
  }

  #listenForDrops() {
    const hasFiles = (/** @type {DragEvent} */ event) => !this.button.hidden && event.dataTransfer?.types.includes("Files");
    let depth = 0;
    const over = (/** @type {number} */ now) => {
      depth = now;
      this.curtain.hidden = depth <= 0;
    };
    document.addEventListener("dragenter", (event) => hasFiles(event) && over(depth + 1));
    document.addEventListener("dragleave", (event) => hasFiles(event) && over(depth - 1));
    document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over(0);
      this.add([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** @param {File[]} chosen */
  add(chosen) {
    for (const file of chosen) {
      const same = this.all.find(
        ({ file: known, session }) =>
          !known && session.name === file.name && session.size === file.size && session.modified === file.lastModified,
      );
      if (same) same.resume(file);
      else void this.#begin(file);
    }
  }

  /** @param {File} file */
  async #begin(file) {
    const { name, size: bytes, lastModified: modified } = file;
    const id = String(Math.random()).slice(2);
    const session = { id, key: "", uploadId: "", partSize: 0, name, size: bytes, modified, kept: false };
    const upload = this.#show(new Upload(this, session, file));
    if (bytes === 0) {
      upload.state = "failed";
      upload.problem = "This is a folder or an empty file.";
      return upload.show();
    }
    this.next();
    session.kept = await files.keep(id, file);
    this.save();
  }

  async #restore() {
    for (const session of sessions.read()) {
      const file = session.kept ? await files.get(session.id) : undefined;
      this.#show(new Upload(this, session, file));
    }
    this.next();
  }

  /** @param {Upload} upload */
  #show(upload) {
    this.all.push(upload);
    this.list.append(upload.element);
    this.section.hidden = false;
    return upload;
  }

  /** Starts what may be started. */
  next() {
    if (this.button.hidden) return;
    let free = FILES - this.all.filter(({ state }) => state === "sending").length;
    for (const upload of this.all) {
      if (free <= 0) return;
      if (upload.state !== "waiting") continue;
      free -= 1;
      void upload.start();
    }
  }

  /** @param {Upload} upload */
  finished(upload) {
    this.save();
    void files.forget(upload.session.id);
    setTimeout(() => this.remove(upload), SHOWN);
  }

  /** @param {Upload} upload */
  remove(upload) {
    upload.stopped.abort();
    this.all = this.all.filter((other) => other !== upload);
    upload.element.remove();
    this.section.hidden = this.all.length === 0;
    void files.forget(upload.session.id);
    this.save();
    this.next();
  }

  save() {
    sessions.write(this.all.filter(({ state, session }) => state !== "done" && session.uploadId).map(({ session }) => session));
  }
}
