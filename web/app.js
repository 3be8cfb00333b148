// @ts-check
/**
 * The page: which view the fragment of its URL asks for.
 *
 * `#/` library · `#/watch/<asset>` player · `#play=<grant>/<key>` a link that somebody shared · `#token=<token>` the link
 * that `vod up` prints: the token moves into the tab's session storage and out of the URL and the history.
 */

import * as api from "./api.js";
import { find, make, notice } from "./dom.js";
import { clock, day, displayed, leftOut, moment, sentence, size } from "./format.js";
import { Library, remedyOf, stateOf } from "./library.js";
import { fromShared, titleOf } from "./link.js";
import { Player } from "./player.js";
import { share } from "./share.js";

/** An asset that is not ready yet is looked at again after so long, in milliseconds. */
const LOOK = 2_000;

const main = find(document, "main", "main");

/** Stops what is on the screen. */
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
  const shared = values.get("play");
  if (shared !== null) return watchShared(shared, values.get("title"));
  if (!api.token.get()) return askForToken();
  const asset = /^\/watch\/([\w-]+)$/.exec(fragment)?.[1];
  if (asset) return void watch(asset);
  const library = new Library(refused);
  show(library.element, "Videos", () => library.stop());
}

/** @param {string} [why] */
function askForToken(why) {
  const view = make("token");
  if (why) find(view, "[data-why]").textContent = why;
  const form = find(view, "form", "form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // People paste the whole link as well.
    const pasted = find(form, "input", "input").value.trim();
    api.token.set(/#token=([^&\s]+)/.exec(pasted)?.[1] ?? pasted);
    route();
  });
  show(view, "Videos");
}

/** @param {unknown} error */
function refused(error) {
  if (error instanceof api.Refused && error.status === 401) {
    api.token.forget();
    return askForToken("This token is not good, or no longer. Paste a new one: vod token makes one.");
  }
  const other = { label: "Use another token", act: () => (api.token.forget(), route()) };
  const forbidden = error instanceof api.Refused && error.status === 403;
  const actions = forbidden ? [other] : [{ label: "Try again", act: route }];
  show(notice("That did not work", error instanceof Error ? error.message : String(error), actions), "Videos");
}

/** @param {string} id */
async function watch(id) {
  const here = location.hash;
  try {
    const [link, record] = await Promise.all([
      api.playback(id),
      // A token may allow watching and not the library: then the title is made from the id.
      api.asset(id).catch(() => undefined),
    ]);
    if (location.hash !== here) return;
    const view = watchView(link, record?.title ?? titleOf(id), record ? factsOf(record) : "", () => api.playback(id));
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
    // The link may be hours old when somebody presses.
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
    if (error instanceof api.Refused && error.status === 404) {
      return show(notice("Not here", "There is no such video.", [{ label: "Library", act: () => (location.hash = "#/") }]), "Videos");
    }
    refused(error);
  }
}

/**
 * Says what keeps an asset from being watched, and shows the film as soon as nothing does.
 * @param {string} id
 * @param {string} state
 */
function notReady(id, state) {
  const view = notice(titleOf(id), "", [{ label: "Library", act: () => (location.hash = "#/") }]);
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.setAttribute("aria-label", "Conversion");
  find(view, "p").after(bar);
  let timer = 0;
  let gone = false;

  /** @param {string} state */
  async function tell(state) {
    // A token may allow watching and not the library: then the state is all there is to tell.
    const record = await api.asset(id).catch(() => undefined);
    if (gone) return;
    const known = record ?? { state };
    // A record may have become COMPLETE since the link was refused: the next look gets it.
    const final = api.isFinal(known) && known.state !== "COMPLETE";
    if (record) find(view, "h1").textContent = record.title;
    const why = record ? remedyOf(record) : "";
    find(view, "p").textContent = `${sentence(stateOf(known))} ${final ? why : "It starts here by itself when it is ready."}`;
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
      if (error instanceof api.Refused && error.status === 409) return tell(error.state);
      if (error instanceof api.Refused && error.status === 0) return void (timer = setTimeout(look, LOOK));
      refused(error);
    }
  }

  show(view, "Videos", () => {
    gone = true;
    clearTimeout(timer);
  });
  void tell(state);
}

/** @param {string} shared @param {string | null} title */
function watchShared(shared, title) {
  const link = fromShared(shared, location.origin, Date.now());
  if (!link) return show(notice("That is not a link", "It may have been cut off: copy it whole."), "Videos");
  if (link.life <= 0) {
    return show(notice("This link has expired", `It worked until ${moment(link.expiresAt)}. Ask for a new one.`), "Videos");
  }
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
  show(view, title, () => player.stop());
  void player.start();
  return view;
}

/** @param {api.Asset} record */
function factsOf({ source, outputs = [] }) {
  // What was made plays as long as it says; the header of an upload may say anything.
  const made = outputs.flatMap(({ hls }) => (hls?.variants ?? []).map((variant) => variant.duration_ms ?? 0));
  const ms = Math.max(0, ...made) || source.duration_ms;
  const length = ms === undefined ? "" : clock(ms / 1000);
  const picture = displayed(source)?.join(" × ") ?? "";
  return [day(source.uploaded_at), length, picture, size(source.size)].filter(Boolean).join(" · ");
}

window.addEventListener("hashchange", route);
route();
