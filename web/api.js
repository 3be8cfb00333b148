// @ts-check
/** The signer's API, and the token that opens it. */

import { sentence } from "./format.js";
import { fromPlayback } from "./link.js";

/**
 * @typedef {{width?: number, height?: number, duration_ms?: number}} Rendition
 * @typedef {{code: number, message: string, meaning: string, remedy: string}} JobError
 * @typedef {{
 *   id: string, state: string, progress: number, title: string, reason?: string, created_at: string,
 *   source: {key: string, size: number, uploaded_at: string, duration_ms?: number, width?: number, height?: number,
 *     rotation?: number, pixel_aspect?: string, cover?: {width: number, height: number}},
 *   jobs?: {attempt: number, state: string, error?: JobError}[],
 *   outputs?: {hls?: {variants: Rendition[]}, mp4?: Rendition[]}[],
 *   left_out?: {what: string, why: string}[],
 * }} Asset
 */

const KEY = "vod-token";

/** Assets per page of the library. */
const PAGE = 50;

/** An error response, with a message for people. */
export class Refused extends Error {
  /**
   * @param {number} status 0 if there was no answer
   * @param {string} message
   * @param {string} state that of the asset, where it is not COMPLETE
   */
  constructor(status, message, state = "") {
    super(message);
    this.status = status;
    this.state = state;
  }
}

/**
 * The token of this browser.
 *
 * It is stored in `localStorage`, so that a video opens in a new tab as well. In the links themselves it would get into histories
 * and messages, and anyone who got one could watch everything. A script that runs in this page can read session storage just as
 * well; what keeps others out is the page's policy, which lets scripts of this origin alone run. The price is that the token
 * outlives the tab: "Sign out" removes it, in all tabs, and so does the first answer that refuses it.
 */
export const token = {
  /** If the browser stores nothing for sites, a token lasts as long as the page. @type {string | null} */
  kept: null,
  /** @returns {string | null} */
  get() {
    return store((storage) => storage.getItem(KEY)) ?? this.kept;
  },
  /** @param {string} value */
  set(value) {
    this.kept = value.trim();
    store((storage) => storage.setItem(KEY, value.trim()));
  },
  forget() {
    this.kept = null;
    store((storage) => storage.removeItem(KEY));
  },
  /** Calls `act` when another tab signs in or out. @param {() => void} act */
  onChange(act) {
    window.addEventListener("storage", ({ key }) => {
      if (key !== KEY && key !== null) return;
      this.kept = null;
      act();
    });
  },
};

/** @template T @param {(storage: Storage) => T} use @returns {T | null} */
function store(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

/** @param {string} path @param {AbortSignal} [signal] */
async function get(path, signal) {
  let response;
  try {
    const headers = { authorization: `Bearer ${token.get() ?? ""}` };
    response = await fetch(path, { headers, signal, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "The server cannot be reached.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Refused(response.status, sentence(body.detail ?? `the server answered ${response.status}`), body.state);
  }
  const date = Date.parse(response.headers.get("date") ?? "");
  return { body, serverNow: Number.isNaN(date) ? Date.now() : date };
}

/**
 * A request that changes something. The edge can sign its body only with the SHA-256 that the page states.
 * @param {string} method @param {string} path @param {unknown} [json] @returns {Promise<any>}
 */
export async function send(method, path, json) {
  const body = new TextEncoder().encode(json === undefined ? "" : JSON.stringify(json));
  if (!globalThis.crypto?.subtle) throw new Refused(400, "Uploads need https, or localhost.");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const headers = {
    authorization: `Bearer ${token.get() ?? ""}`,
    "x-amz-content-sha256": Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
  const options = { method, headers, credentials: /** @type {const} */ ("omit"), cache: /** @type {const} */ ("no-store") };
  const response = await fetch(path, json === undefined ? options : { ...options, body }).catch(() => {
    throw new Refused(0, "The server cannot be reached.");
  });
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, sentence(answer.detail ?? `the server answered ${response.status}`));
  return answer;
}

/**
 * A page of assets, the newest first.
 * @param {{since?: string, state?: string, q?: string, after?: string}} filter without those that are empty
 * @param {AbortSignal} [signal]
 * @returns {Promise<{assets: Asset[], next?: string}>}
 */
export async function newest(filter, signal) {
  const query = Object.entries(filter).filter(([, value]) => value);
  const parameters = new URLSearchParams([["order", "newest"], ["limit", String(PAGE)], ...query]);
  return (await get(`/api/assets?${parameters}`, signal)).body;
}

/** One asset. @param {string} id @param {AbortSignal} [signal] @returns {Promise<Asset>} */
export async function asset(id, signal) {
  return (await get(`/api/assets/${encodeURIComponent(id)}`, signal)).body;
}

/** A link to watch an asset. @param {string} id @param {number} [seconds] how long it works */
export async function playback(id, seconds) {
  const life = seconds === undefined ? "" : `&ttl_seconds=${seconds}`;
  const { body, serverNow } = await get(`/api/playback?asset=${encodeURIComponent(id)}${life}`);
  return fromPlayback(body, serverNow, Date.now());
}

/** The duration in seconds: of the longest output, else of the upload. @param {Asset} record */
export function lengthOf({ outputs = [], source }) {
  const made = outputs.flatMap((set) => [...(set.hls?.variants ?? []), ...(set.mp4 ?? [])]);
  // The duration of an output is reliable; the header of an upload may be wrong.
  const ms = Math.max(0, ...made.map((rendition) => rendition.duration_ms ?? 0)) || source.duration_ms;
  return ms === undefined ? undefined : ms / 1000;
}

/** Whether an asset is in a terminal state. @param {{state: string}} record */
export function isFinal(record) {
  return ["COMPLETE", "ERROR", "CANCELED", "IGNORED"].includes(record.state);
}
