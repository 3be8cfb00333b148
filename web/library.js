// @ts-check
/** The library: a card per asset, updated while assets are in progress. */

import * as api from "./api.js";
import { announce, find, make } from "./dom.js";
import { clock, day, lines, sentence } from "./format.js";

/** Intervals between checks of assets in progress, and of the whole library, in milliseconds. */
const LOOK = 2_000;
const LOOK_AT_ALL = 5_000;
/** A check of the whole library reads every record, and each read costs money: a large library is checked less often. */
const LOOK_AT_ALL_PER_RECORD = 100;
/** Minimum number of videos for the search field. */
const SEARCH_FROM = 9;

/**
 * Where an asset is, in words. Of a record that may not be read, the state alone is known.
 * @param {Partial<api.Asset> & {state: string}} record
 */
export function stateOf(record) {
  switch (record.state) {
    case "COMPLETE": {
      const variants = (record.outputs ?? []).flatMap((set) => set.hls?.variants ?? []);
      const best = Math.max(0, ...variants.map(lines));
      return [record.source ? day(record.source.uploaded_at) : "", best ? `${best}p` : ""].filter(Boolean).join(" · ");
    }
    case "PROGRESSING":
      return record.progress === undefined ? "Converting" : `Converting, ${record.progress} %`;
    case "QUEUED":
    case "SUBMITTED":
      return "Waiting to be converted";
    case "HELD":
      return "Held until the owner approves it";
    case "CANCELED":
      return "Canceled";
    case "IGNORED":
      return record.reason ? `Not a video: ${record.reason}` : "Not a video";
    default:
      return "Could not be converted";
  }
}

/** The remedy for a failure. @param {api.Asset} record */
export function remedyOf(record) {
  if (record.state !== "ERROR") return "";
  const error = record.jobs?.findLast((job) => job.error)?.error;
  const said = error ? [error.meaning, error.remedy] : [record.reason ?? ""];
  return said.filter(Boolean).map(sentence).join(" ");
}

class Card {
  /** @param {IntersectionObserver} seen */
  constructor(seen) {
    this.element = make("card");
    this.link = find(this.element, "a", "a");
    this.image = find(this.element, "img", "img");
    this.hasPoster = false;
    this.record = /** @type {api.Asset | undefined} */ (undefined);
    seen.observe(this.element);
  }

  /** @param {api.Asset} record */
  show(record) {
    const became = this.record && this.record.state !== record.state;
    if (became && record.state === "COMPLETE") announce(`${record.title} is ready`);
    if (became && record.state === "ERROR") announce(`${record.title} could not be converted`);
    this.record = record;
    const complete = record.state === "COMPLETE";
    this.element.dataset.state = record.state.toLowerCase();
    find(this.element, ".title").textContent = record.title;
    find(this.element, ".state").textContent = stateOf(record);

    const remedy = remedyOf(record);
    find(this.element, ".remedy p").textContent = remedy;
    find(this.element, ".remedy").hidden = remedy === "";

    const bar = find(this.element, "progress", "progress");
    bar.hidden = api.isFinal(record) || record.state === "HELD";
    bar.setAttribute("aria-label", `Conversion of ${record.title}`);
    if (record.state === "PROGRESSING") bar.value = record.progress;
    else bar.removeAttribute("value");

    const badge = find(this.element, ".badge");
    const length = api.lengthOf(record);
    badge.hidden = length === undefined;
    badge.textContent = clock(length ?? 0);

    if (complete) this.link.href = `#/watch/${record.id}`;
    else this.link.removeAttribute("href");
    if (complete && this.element.dataset.seen) void this.showPoster();
  }

  /** Requests the poster when the card becomes visible: it needs a link, and a long library has many. */
  async showPoster() {
    if (this.hasPoster || this.record?.state !== "COMPLETE") return;
    this.hasPoster = true;
    try {
      const { poster } = await api.playback(this.record.id);
      if (!poster) return;
      this.image.src = poster;
      this.image.hidden = false;
    } catch {
      // The card works without a poster; the next check of the library tries again.
      this.hasPoster = false;
    }
  }
}

/** The library as a view: its `element`, and a way to stop it. */
export class Library {
  /** @param {(error: unknown) => void} refused is called if the token is not valid */
  constructor(refused) {
    this.refused = refused;
    this.element = make("library");
    this.grid = find(this.element, ".grid", "ul");
    this.search = find(document, ".search input", "input");
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    this.lookedAtAll = 0;
    this.timer = 0;
    this.gone = new AbortController();
    const options = { signal: this.gone.signal };
    this.seen = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "200px" });
    this.search.addEventListener("input", () => this.#filter(), options);
    document.addEventListener("visibilitychange", () => !document.hidden && this.#look(), options);
    void this.#look();
  }

  stop() {
    this.gone.abort();
    this.seen.disconnect();
    clearTimeout(this.timer);
    find(document, ".search").hidden = true;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    const shown = new Set(entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target));
    for (const card of this.cards.values()) {
      if (!shown.has(card.element)) continue;
      card.element.dataset.seen = "yes";
      void card.showPoster();
    }
  }

  async #look() {
    clearTimeout(this.timer);
    const fault = find(this.element, ".fault");
    try {
      const active = [...this.cards.values()].map((card) => card.record).filter((record) => record && !api.isFinal(record));
      if (Date.now() - this.lookedAtAll >= LOOK_AT_ALL + this.cards.size * LOOK_AT_ALL_PER_RECORD) {
        this.#showAll(await api.assets(this.gone.signal));
        this.lookedAtAll = Date.now();
      } else {
        const records = active.map((record) => api.asset(record?.id ?? "", this.gone.signal));
        for (const record of await Promise.all(records)) this.cards.get(record.id)?.show(record);
      }
      fault.hidden = true;
    } catch (error) {
      if (this.gone.signal.aborted) return;
      if (error instanceof api.Refused && [401, 403].includes(error.status)) return this.refused(error);
      fault.textContent = `${error instanceof Error ? error.message : error} Trying again.`;
      fault.hidden = false;
    }
    if (!document.hidden) this.timer = setTimeout(() => this.#look(), LOOK);
  }

  /** @param {api.Asset[]} records */
  #showAll(records) {
    const before = this.cards;
    this.cards = new Map();
    for (const [index, record] of records.entries()) {
      const card = before.get(record.id) ?? new Card(this.seen);
      this.cards.set(record.id, card);
      card.show(record);
      // Only cards that are out of place move, so that focus and scrolling stay.
      if (this.grid.children[index] !== card.element) this.grid.insertBefore(card.element, this.grid.children[index] ?? null);
    }
    for (const [id, card] of before) {
      if (!this.cards.has(id)) card.element.remove();
    }
    find(this.element, ".empty").hidden = records.length > 0;
    find(document, ".search").hidden = records.length < SEARCH_FROM;
    this.#filter();
  }

  #filter() {
    const wanted = find(document, ".search").hidden ? "" : this.search.value.trim().toLowerCase();
    let shown = 0;
    for (const card of this.cards.values()) {
      card.element.hidden = !card.record?.title.toLowerCase().includes(wanted);
      shown += card.element.hidden ? 0 : 1;
    }
    find(this.element, ".none").hidden = shown > 0 || this.cards.size === 0;
  }
}
