/** Uploads by the page of `web/`, as `vod up` serves it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { remaining } from "../../web/format.js";
import { PATIENCE, launch, until } from "./lib/browser.mjs";
import { endpoints, folder, pageLink, vod } from "./lib/stack.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** The library in a tab of its own. @param {string} [link] */
async function library(link = pageLink()) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(link);
  await page.locator(".card").first().waitFor();
  return { context, page };
}

/** Limits what the tab sends, in bytes per second. @param {import("playwright-core").Page} page @param {number} speed */
async function limited(page, speed) {
  const debuggee = await page.context().newCDPSession(page);
  await debuggee.send("Network.enable");
  await debuggee.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: speed });
}

/** A film of three parts: an MP4 file may end in a box of free space. @param {string} name */
function film(name) {
  const path = `${folder}/${name}.mp4`;
  execFileSync("ffmpeg", ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-t", "2", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path]);
  const free = Buffer.alloc(36 << 20, 7);
  free.writeUInt32BE(free.length);
  free.write("free", 4);
  appendFileSync(path, free);
  return path;
}

/** Waits until the text of an element matches. @param {import("playwright-core").Locator} element @param {RegExp} text */
async function reads(element, text) {
  await element.filter({ hasText: text }).first().waitFor();
}

test("a film goes on after a lost connection and a reload, and plays", async () => {
  const { context, page } = await library();
  await limited(page, 2 << 20);
  // Chromium's own way to be offline lets what is on its way through.
  await page.route((url) => url.origin === endpoints.api, (route) => route.abort("connectionfailed"));
  await page.locator(".add input").setInputFiles(film("Uploaded by the page"));
  const item = page.locator("#uploads .upload", { hasText: "Uploaded by the page" });
  await reads(item, /Waiting for the connection/);
  await page.unrouteAll();
  await reads(item, /MB of 38 MB · .*\/s · \d+ (second|minute)s? left/);

  await item.getByRole("button", { name: "Pause" }).click();
  await reads(item, /paused/);
  await item.getByRole("button", { name: "Resume" }).click();
  await reads(item, /\/s · /);

  // Some part must have arrived, so that there is something to go on from.
  const session = await page.evaluate(() => JSON.parse(localStorage.getItem("vod-uploads") ?? "[]")[0]);
  const parts = async () => {
    const path = `/api/uploads/${encodeURIComponent(session.uploadId)}?key=${encodeURIComponent(session.key)}`;
    const response = await fetch(`${endpoints.edge}${path}`, { headers: { authorization: `Bearer ${await page.evaluate(() => localStorage.getItem("vod-token"))}` } });
    return response.ok ? await response.json() : [];
  };
  const deadline = Date.now() + PATIENCE;
  while ((await parts()).length === 0) {
    assert.ok(Date.now() < deadline, "no part has arrived");
    await new Promise((done) => setTimeout(done, 100));
  }
  /** @type {string[]} */
  const sent = [];
  page.on("request", (request) => request.method() === "PUT" && sent.push(new URL(request.url()).searchParams.get("partNumber") ?? ""));
  page.on("dialog", (dialog) => dialog.accept());
  const before = (await parts()).map(({ PartNumber }) => String(PartNumber));
  await page.reload();
  await limited(page, -1);
  const card = page.locator(".card", { hasText: "Uploaded by the page" });
  await card.locator("a[href]").waitFor();
  assert.ok(sent.length > 0 && before.every((part) => !sent.includes(part)), `${before} were there, ${sent} were sent`);
  assert.equal(await page.evaluate(() => localStorage.getItem("vod-uploads")), "[]");
  await card.locator("a").click();
  await page.locator("button.big").click();
  await until(page, (video) => video && video.currentTime > 0.2);

  // Captions that come later are in the menu, and their times are those of the picture.
  const asset = new URL(page.url()).hash.split("/").at(-1);
  const captions = "1\n00:00:00,500 --> 00:00:01,500\nHello\n";
  const digest = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(captions))).toString("hex");
  const headers = { authorization: `Bearer ${endpoints.token}`, "x-amz-content-sha256": digest };
  const added = await fetch(`${endpoints.edge}/api/manage/assets/${asset}/captions/en`, { method: "PUT", headers, body: captions });
  assert.equal(added.status, 200, await added.text());
  await page.reload();
  await page.locator("button.big").click();
  await page.locator("[data-menu=captions] > button").click();
  await page.getByRole("menuitemradio", { name: "English" }).click();
  await until(page, (video) => [...(video?.textTracks ?? [])].some((track) => track.mode === "showing" && track.cues?.length));
  const cue = await page.evaluate(() => {
    const video = document.querySelector("video");
    const track = [...(video?.textTracks ?? [])].find(({ mode }) => mode === "showing");
    const { startTime, endTime, text } = /** @type {VTTCue} */ (track?.cues?.[0]);
    // The first picture of a film without sound is a little after 0.
    const picture = video?.buffered.start(0) ?? Number.NaN;
    return { startTime: startTime - picture, endTime: endTime - picture, text };
  });
  assert.equal(cue.text, "Hello");
  assert.ok(Math.abs(cue.startTime - 0.5) < 0.05 && Math.abs(cue.endTime - 1.5) < 0.05, JSON.stringify(cue));
  await context.close();
});

test("files can be dropped anywhere, several at once, and one can be canceled", async () => {
  const { context, page } = await library();
  await limited(page, 1 << 20);
  const drop = (/** @type {[string, number][]} */ files) =>
    page.evaluate((files) => {
      const dataTransfer = new DataTransfer();
      for (const [name, size] of files) dataTransfer.items.add(new File([new Uint8Array(size)], name));
      for (const kind of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        if (kind === "dragover") window.curtain = !document.querySelector("#drop")?.hidden;
      }
    }, files);
  await drop([["<b>one.txt", 1_000], ["two.txt", 20 << 20], ["nothing", 0]]);
  assert.equal(await page.evaluate(() => window.curtain), true, "nothing says that files may be dropped");
  const items = page.locator("#uploads .upload");
  assert.equal(await items.count(), 3);
  // A name with markup is text.
  await reads(items.nth(0).locator(".title"), /^<b>one\.txt$/);
  await reads(items.filter({ hasText: "nothing" }), /a folder or an empty file/);
  await page.locator(".card", { hasText: "<b>one" }).waitFor();
  await items.filter({ hasText: "two.txt" }).getByRole("button", { name: "Cancel" }).click();
  await items.filter({ hasText: "nothing" }).getByRole("button", { name: "Cancel" }).click();
  await items.first().waitFor({ state: "detached" });
  assert.equal(await page.locator("#uploads").isVisible(), false);
  await context.close();
});

test("who may only watch is offered no upload", async () => {
  const token = (await vod("token", "--scope", "library,playback")).trim();
  const { context, page } = await library(`${endpoints.edge}/#token=${token}`);
  assert.equal(await page.locator(".add").isVisible(), false);
  await context.close();
});

test("the time that is left is said as people say it", () => {
  const table = [[0.2, "1 second left"], [49, "49 seconds left"], [70, "1 minute left"], [2_900, "48 minutes left"], [3_700, "1 hour left"], [Number.POSITIVE_INFINITY, ""]];
  for (const [seconds, expected] of table) assert.equal(remaining(Number(seconds)), expected);
});
