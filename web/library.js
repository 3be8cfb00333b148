// @ts-check
/** The library: a card per asset, updated while assets are in progress. */

import * as api from "./api.js";
import { announce, find, make } from "./dom.js";
import { clock, day, lines, sentence } from "./format.js";

/** Interval between checks of assets in progress and for new ones, in milliseconds. */
const LOOK = 2_000;
/** Interval between checks of the first page, in milliseconds: it reads every record of the page, and each read costs money. */
const LOOK_AT_PAGE = 20_000;
/** New assets are asked for from this long before the newest one, in milliseconds: two may have the same time. */
const OVERLAP = 2_000;
/** Pause after the last key before a search begins, in milliseconds. */
const TYPING = 250;
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

/**
 * The library as a view: its `element`. It is kept while a video is watched, so that the way back leads to the same place.
 */
export class Library {
  /** @param {(error: unknown) => void} refused is called if the token is not valid */
  constructor(refused) {
    this.refused = refused;
    this.element = make("library");
    this.grid = find(this.element, ".grid", "ul");
    this.bar = find(document, ".search", "form");
    this.field = find(this.bar, "input", "input");
    this.state = find(this.bar, "select", "select");
    /** The cards, the newest first. @type {Map<string, Card>} */
    this.cards = new Map();
    /** Where the next page begins; undefined if this is all. @type {string | undefined} */
    this.next = undefined;
    this.isShown = false;
    this.scrolled = 0;
    /** When the first page was looked at; 0 before it is there. */
    this.lookedAtPage = 0;
    /** The search whose pages are being loaded. @type {AbortSignal | undefined} */
    this.filling = undefined;
    this.timers = { look: 0, typing: 0 };
    const options = { rootMargin: "200px" };
    this.seen = new IntersectionObserver((entries) => this.#seen(entries), options);
    this.end = new IntersectionObserver(() => void this.#fill(), options);
    this.end.observe(find(this.element, ".end"));
    this.gone = new AbortController();
    const { signal } = this.gone;
    this.field.addEventListener("input", () => this.#search(TYPING), { signal });
    this.state.addEventListener("change", () => this.#search(0), { signal });
    this.bar.addEventListener("submit", (event) => event.preventDefault(), { signal });
    document.addEventListener("visibilitychange", () => this.#look(), { signal });
    /** Aborts the requests of one search. */
    this.asked = new AbortController();
  }

  /** Goes on after a pause, where it was. */
  wake() {
    this.isShown = true;
    this.#showBar();
    window.scrollTo(0, this.scrolled);
    void this.#look();
  }

  /** Pauses while another view is shown. */
  rest() {
    this.isShown = false;
    this.scrolled = window.scrollY;
    this.bar.hidden = true;
    clearTimeout(this.timers.look);
  }

  stop() {
    this.rest();
    this.gone.abort();
    this.asked.abort();
    clearTimeout(this.timers.typing);
    this.seen.disconnect();
    this.end.disconnect();
  }

  get filter() {
    return { q: this.field.value.trim(), state: this.state.value };
  }

  get isFiltered() {
    return Object.values(this.filter).some(Boolean);
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

  /** Begins again, with the filter as it is now. @param {number} pause in milliseconds */
  #search(pause) {
    clearTimeout(this.timers.typing);
    this.timers.typing = setTimeout(() => {
      this.asked.abort();
      this.asked = new AbortController();
      this.lookedAtPage = 0;
      void this.#look();
    }, pause);
  }

  async #look() {
    clearTimeout(this.timers.look);
    if (!this.isShown || document.hidden) return;
    await this.#ask((signal) => (Date.now() - this.lookedAtPage < LOOK_AT_PAGE ? this.#lookAtActive(signal) : this.#lookAtPage(signal)));
    if (this.isShown && !document.hidden) {
      clearTimeout(this.timers.look);
      this.timers.look = setTimeout(() => this.#look(), LOOK);
    }
  }

  /** Asks the server, and says so if that fails. @param {(signal: AbortSignal) => Promise<void>} questions */
  async #ask(questions) {
    const fault = find(this.element, ".fault");
    const { signal } = this.asked;
    try {
      await questions(signal);
      fault.hidden = true;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof api.Refused && [401, 403].includes(error.status)) return this.refused(error);
      fault.textContent = `${error instanceof Error ? error.message : error} Trying again.`;
      fault.hidden = false;
    }
  }

  /** The assets that are new or in progress. @param {AbortSignal} signal */
  async #lookAtActive(signal) {
    const all = [...this.cards.values()].flatMap((card) => card.record ?? []);
    const newest = all[0]?.created_at;
    const since = newest && new Date(Date.parse(newest) - OVERLAP).toISOString();
    const active = all.filter((record) => !api.isFinal(record)).map((record) => api.asset(record.id, signal).catch(gone));
    const [page, ...records] = await Promise.all([api.newest({ ...this.filter, since }, signal), ...active]);
    for (const record of records) if (record) this.cards.get(record.id)?.show(record);
    this.#put(page.assets, [...this.cards.values()]);
  }

  /** The first page: what is missing on it was removed. @param {AbortSignal} signal */
  async #lookAtPage(signal) {
    const { assets, next } = await api.newest(this.filter, signal);
    const last = this.lookedAtPage && next ? (assets.at(-1)?.created_at ?? "") : "";
    const older = [...this.cards.values()].filter((card) => (card.record?.created_at ?? "") < last);
    if (older.length === 0) this.next = next;
    this.lookedAtPage = Date.now();
    this.#put(assets, older);
    void this.#fill();
  }

  /** Loads pages while their end is near the screen. */
  async #fill() {
    const search = this.asked.signal;
    if (this.filling === search) return;
    this.filling = search;
    await this.#ask(async (signal) => {
      while (this.isShown && this.next && find(this.element, ".end").getBoundingClientRect().top < innerHeight + 200) {
        const { assets, next } = await api.newest({ ...this.filter, after: this.next }, signal);
        this.next = next;
        this.#put([], [...this.cards.values()], assets);
      }
    });
    if (this.filling === search) this.filling = undefined;
  }

  /** Shows new records, cards that are there, and older records, in this order. @param {api.Asset[]} above @param {Card[]} cards @param {api.Asset[]} [below] */
  #put(above, cards, below = []) {
    const before = this.cards;
    this.cards = new Map();
    const place = (/** @type {api.Asset} */ record) => {
      const card = this.cards.get(record.id) ?? before.get(record.id) ?? new Card(this.seen);
      this.cards.set(record.id, card);
      card.show(record);
    };
    above.forEach(place);
    for (const card of cards) if (card.record && !this.cards.has(card.record.id)) this.cards.set(card.record.id, card);
    below.forEach(place);
    for (const [index, { element }] of [...this.cards.values()].entries()) {
      // Only cards that are out of place move, so that focus and scrolling stay.
      if (this.grid.children[index] !== element) this.grid.insertBefore(element, this.grid.children[index] ?? null);
    }
    for (const [id, card] of before) if (!this.cards.has(id)) card.element.remove();
    find(this.element, ".empty").hidden = this.cards.size > 0 || this.isFiltered;
    find(this.element, ".none").hidden = this.cards.size > 0 || !this.isFiltered;
    this.#showBar();
  }

  /** A small library needs no search. */
  #showBar() {
    this.bar.hidden = !this.isShown || (this.cards.size < SEARCH_FROM && !this.next && !this.isFiltered);
  }
}

/** An asset that was removed has no record; the next check of the page removes its card. @param {unknown} error */
function gone(error) {
  if (error instanceof api.Refused && error.status === 404) return undefined;
  throw error;
}
