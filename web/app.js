// @ts-check
/**
 * The page: which view the fragment of its URL asks for.
 *
 * `#/` library · `#/watch/<asset>` player · `#play=<grant>/<key>` a shared link · `#token=<token>` the link
 * that `vod up` prints: the token moves into the browser's storage and out of the URL and the history.
 */

import * as api from "./api.js";
import { find, make, notice } from "./dom.js";
import { clock, day, displayed, leftOut, moment, sentence, size } from "./format.js";
import { Library, remedyOf, stateOf } from "./library.js";
import { fromShared, refusal, titleOf } from "./link.js";
import { Player } from "./player.js";
import { share } from "./share.js";
import { Uploads } from "./upload.js";

/** Interval between checks of an asset that is not ready, in milliseconds. */
const LOOK = 2_000;

/** The form of an asset's id. */
const ASSET = /^[A-Za-z0-9-]{1,40}-[0-9a-f]{16}-[0-9a-f]{8}$/;

const main = find(document, "main", "main");
const signOut = find(document, ".sign-out", "button");
const uploads = new Uploads();

/** The library, while other views are shown. @type {{token: string | null, library: Library} | undefined} */
let kept;

/** Stops the current view. */
let leave = () => {};

/** @param {HTMLElement} element @param {string} title @param {() => void} [stop] */
function show(element, title, stop = () => {}) {
  leave();
  leave = stop;
  document.title = title;
  main.replaceChildren(element);
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function route() {
  const fragment = location.hash.slice(1);
  const values = new URLSearchParams(fragment);
  const token = values.get("token");
  if (token) {
    api.token.set(token);
    history.replaceState(null, "", "#/");
    return route();
  }
  signOut.hidden = !api.token.get();
  uploads.allow(mayUpload(api.token.get() ?? ""));
  const shared = values.get("play");
  if (shared !== null) return void watchShared(shared, values.get("title"));
  if (signOut.hidden) return askForToken();
  const asset = /^\/watch\/(.*)$/.exec(fragment)?.[1];
  if (asset !== undefined) return ASSET.test(asset) ? void watch(asset) : lost("altered");
  showLibrary();
}

/** The library as this token sees it, at the place where it was left. */
function showLibrary() {
  const token = api.token.get();
  if (kept?.token !== token) {
    kept?.library.stop();
    kept = { token, library: new Library(refused) };
  }
  const { library } = kept;
  show(library.element, "Videos", () => library.rest());
  library.wake();
}

/** @param {string} [why] */
function askForToken(why) {
  const view = make("token");
  if (why) find(view, "[data-why]").textContent = why;
  const form = find(view, "form", "form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // The user may paste the whole link.
    const pasted = find(form, "input", "input").value.trim();
    api.token.set(/#token=([^&\s]+)/.exec(pasted)?.[1] ?? pasted);
    route();
  });
  show(view, "Videos");
}

/** The claims of a token; none if it is not a JWT. @param {string} token */
function claims(token) {
  try {
    return JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"))) ?? {};
  } catch {
    return {};
  }
}

/** The expiry time of a token, in milliseconds. @param {string} token */
function expiryOfToken(token) {
  const { exp } = claims(token);
  return Number.isFinite(exp) ? exp * 1000 : undefined;
}

/** Whether a token says that it may upload. The server decides. @param {string} token */
function mayUpload(token) {
  const { scope = "" } = claims(token);
  const scopes = Array.isArray(scope) ? scope : String(scope).split(" ");
  return scopes.includes("upload") || scopes.includes("admin");
}

const toLibrary = { label: "Library", act: () => (location.hash = "#/") };

/**
 * Says what is wrong with a link.
 * @param {"altered" | "expired" | "removed" | "elsewhere"} why
 * @param {number} [until] when it expired
 */
function lost(why, until = Number.NaN) {
  const actions = api.token.get() ? [toLibrary] : [];
  const worked = Number.isNaN(until) ? "" : `It worked until ${moment(until)}. `;
  const [title, text] = {
    altered: ["This link was altered", "A part of it is missing or has changed. Copy the whole link again."],
    expired: ["This link has expired", `${worked}Ask for a new one.`],
    removed: ["This video was removed", "This video no longer exists."],
    elsewhere: ["This link does not work here", "It was made for another address of this site, or for another network."],
  }[why];
  show(notice(title ?? "", text ?? "", actions), "Videos");
}

/** @param {unknown} error */
function refused(error) {
  if (error instanceof api.Refused && error.status === 401) {
    const expires = expiryOfToken(api.token.get() ?? "");
    const expired = expires !== undefined && expires <= Date.now();
    api.token.forget();
    signOut.hidden = true;
    uploads.allow(false);
    return askForToken(
      expired
        ? `This token has expired: it worked until ${moment(expires)}. Paste a new one.`
        : "This token is not valid: it was altered, or belongs to another stack. Paste a new one.",
    );
  }
  const other = { label: "Use another token", act: () => (api.token.forget(), route()) };
  const forbidden = error instanceof api.Refused && error.status === 403;
  const actions = forbidden ? [other] : [{ label: "Try again", act: route }];
  show(notice("Something went wrong", error instanceof Error ? error.message : String(error), actions), "Videos");
}

/** @param {string} id */
async function watch(id) {
  const here = location.hash;
  try {
    const [link, record] = await Promise.all([
      api.playback(id),
      // A token may allow watching but not the library: then the title comes from the id.
      api.asset(id).catch(() => undefined),
    ]);
    if (location.hash !== here) return;
    if (!link.hls && link.mp4.length === 0 && link.dash) return onlyDash(link.dash, record?.title ?? titleOf(id));
    const view = watchView(link, record?.title ?? titleOf(id), record ? factsOf(record) : "", () => api.playback(id));
    // Without video, a cover is the picture.
    if (record) shape(view, displayed(record.source) ?? displayed(record.source.cover ?? {}));
    const missing = leftOut(record?.left_out);
    if (missing) {
      const line = document.createElement("p");
      line.className = "quiet left-out";
      line.textContent = missing;
      find(view, ".facts").after(line);
    }
    const button = find(view, ".share", "button");
    button.hidden = link.hls === undefined;
    button.addEventListener("click", () => share(id, record?.title ?? titleOf(id)));
    const file = link.mp4.at(-1);
    const download = find(view, ".download", "a");
    download.hidden = file === undefined;
    // The link may be hours old when the viewer presses it.
    const stale = link.expiresAt;
    download.href = file?.url ?? "";
    download.addEventListener("click", (event) => {
      if (Date.now() < stale) return;
      event.preventDefault();
      void api.playback(id).then(({ mp4 }) => location.assign(mp4.at(-1)?.url ?? location.href), refused);
    });
  } catch (error) {
    if (location.hash !== here) return;
    if (error instanceof api.Refused && error.status === 409) return notReady(id, error.state);
    if (error instanceof api.Refused && error.status === 404) return lost("removed");
    refused(error);
  }
}

/**
 * Says that the page has no player for a video, and offers its address for one that has.
 * @param {string} manifest
 * @param {string} title
 */
function onlyDash(manifest, title) {
  const text =
    "This video was made as a DASH stream only, and this page plays HLS and MP4. To watch it here, add an HLS, CMAF or MP4 " +
    "output group to the job template and convert it again. Players for DASH take this address: ";
  const view = notice(title, text, [toLibrary]);
  const address = document.createElement("a");
  address.href = manifest;
  address.textContent = "DASH manifest";
  find(view, "p").append(address);
  show(view, "Videos");
}

/**
 * Says what keeps an asset from being watched, and shows the film as soon as nothing does.
 * @param {string} id
 * @param {string} state
 */
function notReady(id, state) {
  const view = notice(titleOf(id), "", [toLibrary]);
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.setAttribute("aria-label", "Conversion");
  find(view, "p").after(bar);
  let timer = 0;
  let gone = false;

  /** @param {string} state */
  async function explain(state) {
    // A token may allow watching and not the library: then only the state is known.
    const record = await api.asset(id).catch(() => undefined);
    if (gone) return;
    const known = record ?? { state };
    // The record may have become COMPLETE since the link was refused: the next check sees it.
    const final = api.isFinal(known) && known.state !== "COMPLETE";
    if (record) find(view, "h1").textContent = record.title;
    const why = record ? remedyOf(record) : "";
    find(view, "p").textContent = `${sentence(stateOf(known))} ${final ? why : "It starts automatically when it is ready."}`;
    bar.hidden = final;
    if (record?.state === "PROGRESSING") bar.value = record.progress;
    else bar.removeAttribute("value");
    if (!final) timer = setTimeout(look, LOOK);
  }

  async function look() {
    try {
      await api.playback(id);
      if (!gone) void watch(id);
    } catch (error) {
      if (gone) return;
      if (error instanceof api.Refused && error.status === 409) return explain(error.state);
      if (error instanceof api.Refused && error.status === 0) return void (timer = setTimeout(look, LOOK));
      refused(error);
    }
  }

  show(view, "Videos", () => {
    gone = true;
    clearTimeout(timer);
  });
  void explain(state);
}

/** @param {string} shared @param {string | null} title */
async function watchShared(shared, title) {
  const here = location.hash;
  const link = fromShared(shared, location.origin, Date.now());
  if (!link?.hls) return lost("altered");
  // Requests the playlist: only the server knows whether a link is valid, and the correct time.
  const answer = await fetch(link.hls, { credentials: "omit", cache: "no-store" }).catch(() => undefined);
  if (location.hash !== here) return;
  void answer?.body?.cancel();
  const why = answer && refusal(link, answer.status, Date.parse(answer.headers.get("date") ?? ""), location.origin);
  if (why) return lost(why, link.expiresAt);
  watchView(link, title || titleOf(link.asset), `You can watch this until ${moment(link.expiresAt)}`, undefined);
}

/**
 * @param {import("./link.js").Link} link
 * @param {string} title
 * @param {string} facts
 * @param {(() => Promise<import("./link.js").Link>) | undefined} renew
 */
function watchView(link, title, facts, renew) {
  const view = make("watch");
  find(view, "h1").textContent = title;
  find(view, ".facts").textContent = facts;
  const player = new Player(find(view, ".player"), link, renew);
  const video = find(view, "video", "video");
  video.addEventListener("resize", () => shape(view, [video.videoWidth, video.videoHeight]));
  show(view, title, () => player.stop());
  void player.start();
  return view;
}

/** Sets the player's aspect ratio to the video's. @param {HTMLElement} view @param {[number, number]} [picture] */
function shape(view, picture) {
  const [width, height] = picture ?? [0, 0];
  if (width && height) view.style.setProperty("--ratio", String(width / height));
}

/** @param {api.Asset} record */
function factsOf(record) {
  const { source } = record;
  const seconds = api.lengthOf(record);
  const length = seconds === undefined ? "" : clock(seconds);
  const picture = displayed(source)?.join(" × ") ?? "";
  return [day(source.uploaded_at), length, picture, size(source.size)].filter(Boolean).join(" · ");
}

signOut.addEventListener("click", () => {
  uploads.forget();
  api.token.forget();
  if (location.hash === "#/") route();
  else location.hash = "#/";
});
api.token.onChange(() => {
  // Playback continues when another tab gets a newer token, and with a shared link in any case.
  const changed = Boolean(api.token.get()) === signOut.hidden;
  if (changed && !location.hash.startsWith("#play=")) route();
});
window.addEventListener("hashchange", route);
route();
