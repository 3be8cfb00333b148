/** The page of `web/`, as `vod up` serves it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { PATIENCE, answers, everything, frames, launch, recordInterruptions, slowly, until } from "./lib/browser.mjs";
import { endpoints, films, folder, pageLink, sign, vod } from "./lib/stack.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const DESKTOP = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
const PHONE = { viewport: { width: 360, height: 740 }, colorScheme: "dark", hasTouch: true, isMobile: true };

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** A tab, with everything that a page can complain of. @param {object} options */
async function tab(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  /** @type {string[]} */
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  return { context, page, complaints };
}

/** Opens the clip by the link that `vod up` printed. @param {object} options */
async function watching(options) {
  const opened = await tab(options);
  await opened.page.goto(pageLink());
  await opened.page.locator(".card a", { hasText: "A walk by the sea" }).click();
  await opened.page.locator(".player").waitFor();
  return opened;
}

/** Finds nothing serious. @param {import("playwright-core").Page} page @param {string} where */
async function accessible(page, where) {
  // Through the debugger, so that the page's CSP stays as it is.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const said = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
  assert.deepEqual(said, [], where);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${where}: ${wide} px too wide`);
}

test("the page is served with a strict policy", async () => {
  const response = await fetch(`${endpoints.edge}/`);
  const policy = response.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  const html = await response.text();
  assert.match(html, /Content-Security-Policy/);
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style| style=| on\w+=/);
});

for (const [device, options] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing serious on a ${device}, ${colorScheme}`, async () => {
      const { context, page, complaints } = await tab({ ...options, colorScheme });
      await page.goto(`${endpoints.edge}/`);
      await page.locator("#token").waitFor();
      await accessible(page, "the token");
      await page.goto(pageLink());
      await page.locator(".card img:not([hidden])").first().waitFor();
      await accessible(page, "the library");
      await page.locator(".card a[href]").first().click();
      await page.locator(".share").waitFor();
      await accessible(page, "the player");
      await page.locator("[data-menu=quality] > button").click();
      await accessible(page, "the player's menu");
      await page.keyboard.press("Escape");
      await page.locator(".share").click();
      await page.locator(".until", { hasText: "Until" }).waitFor();
      await accessible(page, "the dialog");
      assert.deepEqual(complaints, []);
      await context.close();
    });
  }
}

test("the token leaves the URL and the history, and a new tab has it until one signs out", async () => {
  const { context, page } = await tab(DESKTOP);
  await page.goto(pageLink());
  await page.locator(".card").first().waitFor();
  assert.equal(page.url(), `${endpoints.edge}/#/`);
  await page.reload();
  await page.locator(".card").first().waitFor();
  const href = await page.locator(".card a[href]", { hasText: "A walk by the sea" }).getAttribute("href");
  const other = await context.newPage();
  await other.goto(`${endpoints.edge}/${href}`);
  await other.locator(".player").waitFor();
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.locator("#token").waitFor();
  // The other tab is signed out at the same time, and nothing is left.
  await page.locator("#token").waitFor();
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  await context.close();
});

test("without a good token the page asks for one, and says what is wrong with the old one", async () => {
  const { context, page } = await tab(DESKTOP);
  await page.goto(`${endpoints.edge}/#token=nonsense`);
  await page.getByText("This token is not valid: it was altered").waitFor();
  await page.locator("#token").fill(pageLink());
  await page.keyboard.press("Enter");
  await page.locator(".card").first().waitFor();
  // It expires: what it says is what counts, here with a signature that the signer refuses in any case.
  const claims = Buffer.from(JSON.stringify({ exp: 1_700_000_000, scope: "library" })).toString("base64url");
  await page.goto("about:blank");
  await page.goto(`${endpoints.edge}/#token=eyJhbGciOiJIUzI1NiJ9.${claims}.x`);
  await page.getByText("This token has expired: it worked until").waitFor();
  await context.close();
});

/** A film of two seconds, 406 by 720 pixels, as phones make them. @param {string} title */
async function portrait(title) {
  const clip = `${folder}/${title}.mp4`;
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=406x720:rate=25:duration=2", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", clip]);
  await vod("upload", clip, "--wait");
}

test("a portrait film fills a phone, from the library and by a shared link", async () => {
  await portrait("Upright");
  const { context, page } = await tab({ ...PHONE, viewport: { width: 390, height: 844 } });
  /** @param {string} what */
  const filled = async (what) => {
    await page.locator(".player").waitFor();
    await until(page, (video) => video.readyState >= 1 && video.videoHeight > video.videoWidth);
    const box = await page.locator(".player").boundingBox();
    assert.ok(box && box.height >= 0.6 * 844, `${what}: ${box?.height} px high`);
    // All of it is on the screen, bars of black at its sides are none, and the page is not wider than the screen.
    assert.ok(box.y + box.height <= 844, `${what}: it ends at ${box.y + box.height}`);
    assert.ok(Math.abs(box.width / box.height - 406 / 720) < 0.01, `${what}: ${box.width} by ${box.height}`);
    assert.equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth)), 0);
  };
  await page.goto(pageLink());
  await page.locator(".card a", { hasText: "Upright" }).click();
  await filled("from the library");
  const { hls } = JSON.parse(await vod("sign", "input/Upright.mp4", "--json"));
  await page.goto(`${endpoints.edge}/#play=${new URL(hls).pathname.replace("/play/", "")}`);
  await page.getByText("You can watch this until").waitFor();
  await filled("by a shared link");
  await context.close();
});

test("a link that was altered, has expired or whose video was removed says which", async () => {
  await portrait("Short lived");
  const { hls, asset } = JSON.parse(await vod("sign", "input/Short lived.mp4", "--json"));
  const short = await sign("1s");
  const { context, page } = await tab(PHONE);
  const open = async (/** @type {string} */ url, /** @type {string} */ text) => {
    await page.goto("about:blank");
    await page.goto(`${endpoints.edge}/#play=${new URL(url).pathname.replace("/play/", "")}`);
    await page.locator("h1", { hasText: text }).waitFor();
  };
  const [policy, signature, ...rest] = new URL(hls).pathname.split("/")[2].split(".");
  const flip = (/** @type {string} */ text, /** @type {number} */ at) => text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
  await open(hls, "Short lived");
  await open(hls.replace(signature, flip(signature, 30)), "This link was altered");
  await open(hls.replace(policy, flip(policy, 4)), "This link was altered");
  await open(hls.replace(rest.join("."), ""), "This link was altered");
  await open(hls.replace(asset, (await sign()).asset), "This link was altered");
  await accessible(page, "a bad link");
  const elsewhere = JSON.parse(await vod("sign", "input/Short lived.mp4", "--ip", "192.0.2.1", "--json"));
  await open(elsewhere.hls, "This link does not work here");
  while (Date.now() < Date.parse(short.expires_at) + 1_000) await new Promise((done) => setTimeout(done, 100));
  await open(short.hls, "This link has expired");

  await page.goto(pageLink());
  await page.locator(".card", { hasText: "Short lived" }).waitFor();
  await page.goto(`${endpoints.edge}/#/watch/${asset}x`);
  await page.locator("h1", { hasText: "This link was altered" }).waitFor();
  await vod("rm", asset, "--yes");
  await page.goto(`${endpoints.edge}/#/watch/${asset}`);
  await page.locator("h1", { hasText: "This video was removed" }).waitFor();
  await open(hls, "This video was removed");
  await context.close();
});

test("sizes and lengths are those that are displayed", async () => {
  const { context, page } = await tab(DESKTOP);
  const { asset } = await sign();
  // A phone stores a portrait film as landscape, turned; and the upload is a little longer than what was made of it.
  const source = { width: 1920, height: 1080, rotation: 90, duration_ms: 65_400 };
  const made = [{ width: 360, height: 640, duration_ms: 59_999 }];
  const change = (/** @type {any} */ record) => ({ ...record, source: { ...record.source, ...source }, outputs: [{ hls: { variants: made }, mp4: [] }] });
  await page.route("**/api/assets*", async (route) => {
    const response = await route.fetch();
    const list = await response.json();
    await route.fulfill({ json: { ...list, assets: list.assets.map(change) } });
  });
  await page.route(`**/api/assets/${asset}`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ json: change(await response.json()) });
  });
  await page.goto(pageLink());
  const card = page.locator(".card", { hasText: "A walk by the sea" });
  await card.waitFor();
  assert.equal(await card.locator(".badge").textContent(), "0:59");
  assert.match((await card.locator(".state").textContent()) ?? "", /360p/);
  await card.locator("a").click();
  await page.locator(".facts", { hasText: "0:59 · 1080 × 1920" }).waitFor();
  await context.close();
});

/** A record as the page needs it. @param {number} n */
function film(n) {
  const created_at = new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString();
  const source = { key: `input/film ${n}.mp4`, size: 1_000, uploaded_at: created_at, duration_ms: 1_000 };
  return { id: `film-${n}-0123456789abcdef-01234567`, state: "COMPLETE", progress: 100, title: `Film ${n}`, created_at, source };
}

test("a long library loads page by page, is searched on the server and keeps its place", async () => {
  const { context, page } = await tab(DESKTOP);
  const films = Array.from({ length: 120 }, (_, n) => film(n)).reverse();
  /** @type {URLSearchParams[]} */
  const asked = [];
  await page.route("**/api/assets?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    asked.push(query);
    const [q, since] = [query.get("q") ?? "", query.get("since") ?? ""];
    const [from, limit] = [Number(query.get("after")), Number(query.get("limit"))];
    const fits = films.filter(({ title, created_at }) => title.toLowerCase().includes(q.toLowerCase()) && created_at > since);
    const next = from + limit < fits.length ? { next: String(from + limit) } : {};
    return route.fulfill({ json: { assets: fits.slice(from, from + limit), ...next } });
  });
  const cards = page.locator(".card");
  const shown = (/** @type {number} */ count) => page.waitForFunction((wanted) => document.querySelectorAll(".card").length === wanted, count);
  await page.goto(pageLink());
  await cards.first().waitFor();
  assert.equal(await cards.count(), 50);
  for (const count of [100, 120]) {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await shown(count);
  }
  films.unshift(film(120));
  await shown(121);
  assert.match((await cards.first().textContent()) ?? "", /Film 120/);
  assert.equal(new Set(await cards.locator(".title").allTextContents()).size, 121);

  const far = cards.filter({ hasText: "Film 33" }).locator("a");
  await far.scrollIntoViewIfNeeded();
  const place = await page.evaluate(() => scrollY);
  assert.ok(place > 500, `${place} px`);
  await far.click();
  await page.locator(".notice, .watch").first().waitFor();
  await page.goBack();
  await cards.first().waitFor();
  assert.equal(await cards.count(), 121);
  assert.equal(await page.evaluate(() => scrollY), place);

  const field = page.getByRole("searchbox");
  await field.fill("film 7");
  await shown(11);
  assert.equal(asked.at(-1)?.get("q"), "film 7");
  await field.fill("nothing like it");
  await page.getByText("No video matches.").waitFor();
  const failed = page.waitForRequest((request) => new URL(request.url()).searchParams.get("state") === "ERROR");
  await page.getByLabel("State").selectOption("Failed");
  await failed;
  await field.fill("");
  await page.getByLabel("State").selectOption("All");
  await shown(50);
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth)), 0);
  await context.close();
});

test("plays to the end, by keyboard alone, without a complaint", async () => {
  const { context, page, complaints } = await watching(DESKTOP);
  const seen = answers(page);
  await until(page, (video) => video.readyState >= 1);
  await page.keyboard.press("k");
  await until(page, (video) => !video.paused && video.currentTime > 0.5);
  await page.keyboard.press("ArrowRight");
  await until(page, (video) => video.currentTime > 5);
  await page.keyboard.press("1");
  await until(page, (video) => video.currentTime > 0.9 && video.currentTime < 3);
  await page.keyboard.press("m");
  await until(page, (video) => video.muted);
  await page.keyboard.press("m");

  // The menu: open, one up from "Auto" is the lowest, choose it.
  await page.locator("[data-menu=quality] > button").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(":focus").textContent(), "Auto");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.locator(":focus").textContent(), "360p");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("[data-menu=quality] > button").getAttribute("aria-expanded"), "false");
  await page.keyboard.press("0");
  await until(page, (video) => video.videoHeight === 360);
  await page.locator("[data-menu=quality] .chosen", { hasText: "360p" }).waitFor();

  await page.keyboard.press("7");
  await until(page, (video) => video.ended);
  await page.locator(".big[aria-label='Play again']").waitFor();
  assert.ok((await frames(page)) > 100);
  assert.deepEqual(seen.filter(({ status }) => status >= 400), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the seek bar shows the picture of where one would land", async () => {
  const { context, page } = await watching(DESKTOP);
  await until(page, (video) => video.duration > 9);
  const bar = await page.locator(".seek").boundingBox();
  assert.ok(bar);
  const shown = async (/** @type {number} */ share) => {
    await page.mouse.move(bar.x + bar.width * share, bar.y + bar.height / 2);
    await page.waitForFunction(() => {
      const image = document.querySelector(".preview:not([hidden]) img:not([hidden])");
      return image?.complete && image.naturalWidth > 0;
    });
    return page.locator(".preview img").getAttribute("src");
  };
  const [first, second] = [await shown(0.1), await shown(0.93)];
  assert.notEqual(first, second);
  assert.match(second ?? "", /\/output\/.*\.jpg\?.*Signature=/);
  assert.equal(await page.locator(".preview span").textContent(), "0:09");
  // The poster is not the black first frame, and it is signed.
  assert.match((await page.locator("video").getAttribute("poster")) ?? "", /thumbnails\/.*Signature=/);
  await context.close();
});

/** Seconds that a link lives where one is to die in mid-play: at half speed the film takes 20. */
const SHORT = 8;

test("plays past the end of its link without a hiccup", async () => {
  const { context, page, complaints } = await tab(DESKTOP);
  const seen = answers(page);
  const grants = new Set();
  await page.route("**/api/playback?*", (route) => route.continue({ url: `${route.request().url()}&ttl_seconds=${SHORT}` }));
  page.on("response", async (response) => {
    if (!response.url().includes("/api/playback")) return;
    grants.add((await response.json().catch(() => ({}))).hls);
  });
  await page.goto(pageLink());
  await page.locator(".card a", { hasText: "A walk by the sea" }).click();
  await page.locator(".big").waitFor();
  await recordInterruptions(page);
  await slowly(page);
  await page.locator(".big").click();
  await until(page, (video) => video.currentTime > 6.5);
  const deadBy = Date.now();
  assert.deepEqual(await page.evaluate(() => window.events), []);
  // Another quality has to be loaded now, long after the first link died.
  const asked = seen.length;
  await page.locator("[data-menu=quality] > button").click();
  await page.getByRole("menuitemradio", { name: "360p" }).click();
  await page.keyboard.press("0");
  await until(page, (video) => video.videoHeight === 360 && video.currentTime > 0.3 && video.currentTime < 5);
  await page.keyboard.press("8");
  await until(page, (video) => video.ended);
  const late = seen.slice(asked);
  assert.ok(late.some(({ url }) => /_360.*Signature=/.test(url)), "nothing was loaded after the first link had died");
  assert.deepEqual(seen.filter(({ status }) => status >= 400), []);
  assert.ok(grants.size >= 3, `${grants.size} links by ${deadBy}`);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("plays when Play is pressed before the player has loaded", async () => {
  const { context, page, complaints } = await tab(DESKTOP);
  /** @type {() => void} */
  let pressed = () => {};
  const press = new Promise((resolve) => (pressed = () => resolve(undefined)));
  await page.route("**/web/hls.min.js", (route) => press.then(() => route.continue()));
  await page.goto(pageLink());
  await page.locator(".card a", { hasText: "A walk by the sea" }).click();
  await page.locator(".big").click();
  await until(page, (video) => !video.paused && !video.src);
  pressed();
  await until(page, (video) => video.currentTime > 0.3);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("plays through a change of the signing key", async () => {
  const { context, page, complaints } = await tab(DESKTOP);
  const seen = everything(page);
  const clock = () => page.evaluate(() => document.querySelector("video").currentTime);
  await page.route("**/api/playback?*", (route) => route.continue({ url: `${route.request().url()}&ttl_seconds=${SHORT}` }));
  await page.goto(pageLink());
  await page.locator(".card a", { hasText: "A walk by the sea" }).click();
  await page.locator(".big").waitFor();
  await recordInterruptions(page);
  await slowly(page);
  await page.locator(".big").click();
  await until(page, (video) => video.currentTime > 0.5);
  const before = await clock();
  const { active } = JSON.parse(await vod("keys", "rotate", "--json"));
  const after = await clock();
  assert.ok(before < after && after < 6, `the key changed while the clock ran from ${before} to ${after}`);
  await until(page, (video) => video.currentTime > 6.5);
  assert.deepEqual(await page.evaluate(() => window.events), []);

  // Another quality has to be loaded now, with links of the new key; and then the rest, to the end.
  await page.locator("[data-menu=quality] > button").click();
  await page.getByRole("menuitemradio", { name: "360p" }).click();
  await page.keyboard.press("0");
  await until(page, (video) => video.videoHeight === 360 && video.currentTime > 0.3 && video.currentTime < 5);
  await until(page, (video) => video.ended);
  const keys = seen.map(({ url }) => new URL(url).searchParams.get("Key-Pair-Id")).filter(Boolean);
  assert.equal(new Set(keys).size, 2, "links of two keys were used");
  assert.equal(keys.at(-1), active);
  for (const path of ["/api/playback", "/play/", "/output/", "/web/"]) {
    assert.ok(seen.some(({ url }) => new URL(url).pathname.startsWith(path)), `no answer from ${path} was noted`);
  }
  assert.deepEqual(seen.filter(({ status }) => status >= 400), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("an asset that is not ready says how far it is, or why not, and starts by itself", async () => {
  const { context, page } = await tab(PHONE);
  const asset = (await sign()).asset;
  let record = { state: "PROGRESSING", progress: 40 };
  let late = 0;
  await page.route("**/api/playback?*", (route) => {
    if (record.state === "COMPLETE" && late-- <= 0) return route.continue();
    const state = record.state === "COMPLETE" ? "PROGRESSING" : record.state;
    return route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify({ detail: "not COMPLETE", state }) });
  });
  await page.route(`**/api/assets/${asset}`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ json: { ...(await response.json()), ...record } });
  });
  const open = async () => {
    await page.goto("about:blank");
    await page.goto(`${pageLink()}`);
    await page.locator(".card").first().waitFor();
    await page.goto(`${endpoints.edge}/#/watch/${asset}`);
  };
  await open();
  await page.getByText("Converting, 40 %. It starts automatically").waitFor();
  await page.locator(".notice h1", { hasText: "A walk by the sea" }).waitFor();
  assert.equal(await page.locator(".notice progress").evaluate((bar) => bar.value), 40);
  await accessible(page, "the wait");
  record = { state: "PROGRESSING", progress: 60 };
  await page.getByText("Converting, 60 %.").waitFor();
  // It becomes COMPLETE between the two questions, "may I watch" and "how far is it".
  late = 1;
  record = { state: "COMPLETE", progress: 100 };
  await page.locator(".player").waitFor();

  const error = { code: 1040, message: "m", meaning: "the file could not be opened", remedy: "upload it again" };
  record = { state: "ERROR", progress: 0, jobs: [{ attempt: 1, state: "ERROR", error }] };
  await open();
  await page.getByText("Could not be converted. The file could not be opened. Upload it again.").waitFor();
  assert.equal(await page.locator(".notice progress").isHidden(), true);
  await context.close();
});

test("a shared link plays without a token", async () => {
  const { context, page } = await watching({ ...DESKTOP, permissions: ["clipboard-read", "clipboard-write"] });
  await page.locator(".share").click();
  await page.locator("dialog select").selectOption("3600");
  await page.locator("[data-copy=page]:enabled").waitFor();
  await page.locator("[data-copy=page]").click();
  await page.locator("[data-copy=page]", { hasText: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const hls = await page.locator("[name=hls]").inputValue();
  assert.equal((await fetch(hls)).status, 200);
  await context.close();

  const guest = await tab(PHONE);
  await guest.page.goto(copied);
  await guest.page.locator("h1", { hasText: "A walk by the sea" }).waitFor();
  assert.equal(await guest.page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  await guest.page.locator(".big").tap();
  await until(guest.page, (video) => video.currentTime > 1);
  assert.equal(await guest.page.locator(".share").isHidden(), true);
  assert.deepEqual(guest.complaints, []);
  await guest.context.close();
});

test("captions are there where the film has some, and off until asked for", async () => {
  const { context, page, complaints } = await tab(DESKTOP);
  await page.route("**/play/**/video.m3u8", async (route) => {
    const response = await route.fetch();
    const media = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",AUTOSELECT=YES,URI="subtitles.m3u8"';
    const body = (await response.text()).replace(/^(#EXT-X-STREAM-INF:.*)$/gm, '$1,SUBTITLES="s"').replace("#EXTM3U", `#EXTM3U\n${media}`);
    await route.fulfill({ response, body, headers: { ...response.headers(), "content-encoding": "identity" } });
  });
  const playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsubtitles.vtt\n#EXT-X-ENDLIST\n";
  await page.route("**/subtitles.m3u8", (route) => route.fulfill({ contentType: "application/vnd.apple.mpegurl", body: playlist }));
  await page.route("**/subtitles.vtt", (route) => route.fulfill({ contentType: "text/vtt", body: "WEBVTT\n\n00:00.000 --> 00:09.000\nThe sea\n" }));
  await page.goto(pageLink());
  await page.locator(".card a", { hasText: "A walk by the sea" }).click();
  const menu = page.locator("[data-menu=captions]");
  await menu.waitFor();
  await menu.getByRole("button", { name: "Captions" }).click();
  assert.equal(await page.getByRole("menuitemradio", { checked: true }).first().textContent(), "Off");
  await page.getByRole("menuitemradio", { name: "English" }).click();
  await page.keyboard.press("k");
  await until(page, (video) => [...video.textTracks].some((track) => track.mode === "showing" && track.activeCues?.[0]?.text === "The sea"));
  await page.keyboard.press("c");
  await until(page, (video) => [...video.textTracks].every((track) => track.mode !== "showing"));
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a viewer chooses among the languages of a film, and the page says what was left out", async () => {
  const { context, page, complaints } = await tab(DESKTOP);
  const seen = answers(page);
  await page.goto(`${films.edge}/#token=${films.token}`);
  await page.locator(".card a", { hasText: "Two languages" }).click();
  await page.getByText("subtitle track 1 (eng)").waitFor();
  const menu = page.locator("[data-menu=audio]");
  await menu.waitFor();
  await menu.getByRole("button", { name: "Audio" }).click();
  const languages = menu.getByRole("menuitemradio");
  assert.deepEqual(await languages.allTextContents(), ["English", "German"]);
  assert.equal(await menu.getByRole("menuitemradio", { checked: true }).textContent(), "English");
  await menu.getByRole("menuitemradio", { name: "German" }).click();
  await page.locator(".big").click();
  await until(page, (video) => video.ended);
  const german = seen.filter(({ url }) => /video_audio_2_\d+\.aac/.test(url));
  assert.ok(german.length > 0 && german.every(({ status }) => status < 400), JSON.stringify(seen));
  await menu.getByRole("button", { name: "Audio" }).click();
  assert.equal(await menu.getByRole("menuitemradio", { checked: true }).textContent(), "German");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("when the connection is lost it says so, and goes on when asked to", async () => {
  const { context, page } = await tab(PHONE);
  await page.route("**/play/**", (route) => route.abort());
  await page.goto(pageLink());
  await page.locator(".card a", { hasText: "A walk by the sea" }).click();
  await page.getByText("The connection was lost.").waitFor();
  await page.unroute("**/play/**");
  await page.locator(".retry").tap();
  await page.locator(".toggle").tap();
  await until(page, (video) => video.currentTime > 0.5);
  assert.equal(await page.locator(".failed").isHidden(), true);
  await context.close();
});

test("films without captions have no captions button", async () => {
  const { context, page } = await watching(DESKTOP);
  await until(page, (video) => video.readyState >= 1);
  assert.equal(await page.locator("[data-menu=captions]").isVisible(), false);
  assert.equal(await page.locator("[data-menu=audio]").isVisible(), false, "one track is no choice");
  assert.equal(await page.locator("[data-menu=quality]").isVisible(), true);
  await context.close();
});

test("an upload appears by itself, shows its progress and becomes a film; a broken one says what to do", async () => {
  const { context, page, complaints } = await tab(PHONE);
  // An encode of this clip can be shorter than the page's pause between two looks. So the page's clock runs ahead of ours:
  // it looks as often as the loop below turns.
  await page.clock.install();
  await page.goto(pageLink());
  await page.locator(".card").first().waitFor();
  const clip = `${folder}/Second film.mp4`;
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "mandelbrot=size=1280x720:rate=25", "-t", "8", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", clip]);
  await page.evaluate(() => {
    const seen = (window.states = new Set());
    const look = () => {
      for (const card of document.querySelectorAll(".card")) {
        if (card.querySelector(".title")?.textContent !== "Second film") continue;
        seen.add(`${card.dataset.state} ${card.querySelector("progress").hidden ? "" : "bar"}`.trim());
      }
    };
    new MutationObserver(look).observe(document.querySelector(".grid"), { subtree: true, childList: true, attributes: true, characterData: true });
  });
  const card = page.locator(".card", { hasText: "Second film" });
  const broken = page.locator(".card", { hasText: "broken" });
  let over = false;
  const looks = (async () => {
    while (!over) await page.clock.runFor(10_000);
  })();
  // Where the tab dies, what waits below says so.
  looks.catch(() => {});
  try {
    await vod("upload", clip);
    await vod("upload", "run.sh", "--key", "broken.mp4");
    await card.locator("a[href]").waitFor();
    await card.locator("img:not([hidden])").waitFor();
    await broken.locator(".remedy:not([hidden])").waitFor();
    await broken.getByText("What to do").tap();
    await broken.getByText("upload it again").waitFor();
    await broken.getByText("What to do").tap();
    const [small, whole] = await Promise.all([broken, card].map((one) => one.boundingBox()));
    assert.ok(small && whole && small.height < whole.height / 2, `${small?.height} of ${whole?.height} px`);
  } finally {
    over = true;
    await looks;
  }
  const states = await page.evaluate(() => [...window.states]);
  assert.ok(states.some((state) => state.endsWith("bar")), `it was seen as ${states}`);
  assert.equal(states.at(-1), "complete");
  assert.equal(await page.locator("#announcements").textContent().then((text) => /ready|converted/.test(text ?? "")), true);

  assert.match((await broken.textContent()) ?? "", /Could not be converted/);
  assert.equal(await broken.locator("a[href]").count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});
