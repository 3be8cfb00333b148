/** Debian's Chromium, and what is asked of a video element in it. */

import { chromium } from "playwright-core";

/** Playing is paced by the clock, and two processors may be busy with other things. */
export const PATIENCE = 60_000;

/** @returns {Promise<import("playwright-core").Browser>} */
export function launch() {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}

/**
 * Waits for something to be true of the page's video element.
 *
 * It asks from outside: what waits inside the page is a string that becomes a function, which our page's policy forbids.
 *
 * @param {import("playwright-core").Page} page
 * @param {(video: HTMLVideoElement) => unknown} condition runs in the page
 */
export async function until(page, condition) {
  const deadline = Date.now() + PATIENCE;
  const expression = `(${condition})(document.querySelector("video"))`;
  while (!(await page.evaluate(expression))) {
    if (Date.now() > deadline) throw new Error(`never true: ${condition}; the video is ${JSON.stringify(await state(page))}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** @param {import("playwright-core").Page} page */
function state(page) {
  return page.evaluate(() => {
    const video = document.querySelector("video");
    return video && { at: video.currentTime, ready: video.readyState, height: video.videoHeight, error: video.error?.message, fault: window.fault };
  });
}

/** Frames decoded so far. @param {import("playwright-core").Page} page @returns {Promise<number>} */
export function frames(page) {
  return page.evaluate(() => document.querySelector("video")?.getVideoPlaybackQuality().totalVideoFrames ?? 0);
}

/**
 * Notes the answers of the edge for anything that is played.
 * @param {import("playwright-core").Page} page
 * @returns {{status: number, url: string}[]}
 */
export function answers(page) {
  const seen = [];
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (/^\/(play|output)\//.test(pathname)) seen.push({ status: response.status(), url: response.url() });
  });
  return seen;
}

/**
 * Notes every answer to the page, and every request that got none; what the page has broken off itself is not of interest.
 * @param {import("playwright-core").Page} page
 * @returns {{status: number, url: string}[]}
 */
export function everything(page) {
  const seen = [];
  page.on("response", (response) => seen.push({ status: response.status(), url: response.url() }));
  page.on("requestfailed", (request) => {
    const broken = request.failure()?.errorText ?? "";
    if (broken !== "net::ERR_ABORTED") seen.push({ status: 599, url: `${request.url()}: ${broken}` });
  });
  return seen;
}

/**
 * Records in the page each interruption of playback that is the page's own doing: a pause, a new start, an error.
 * `waiting` is not one of them: a busy machine decodes late, and a request that was refused shows in the answers.
 * @param {import("playwright-core").Page} page
 */
export async function recordInterruptions(page) {
  await page.evaluate(() => {
    const video = document.querySelector("video");
    window.events = [];
    video.addEventListener("playing", () => {
      for (const event of ["pause", "emptied", "error"]) {
        video.addEventListener(event, () => !video.ended && window.events.push(`${event} at ${video.currentTime}`));
      }
    }, { once: true });
  });
}

/**
 * Plays at half speed from now on, so that what a test does meanwhile has twice the time.
 * @param {import("playwright-core").Page} page
 */
export async function slowly(page) {
  await page.evaluate(() => {
    const video = document.querySelector("video");
    // The default as well: loading a stream goes back to it.
    video.defaultPlaybackRate = video.playbackRate = 0.5;
  });
}
