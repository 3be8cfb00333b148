/**
 * The players, each as a page of the edge's own origin: what a site would write, and no more.
 *
 * `load` and the rest run in the page. They leave `window.pick(height)` for choosing a rendition, and put what went
 * wrong into `window.fault`.
 */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** By path, because a package may not export its files. */
const packages = join(dirname(fileURLToPath(import.meta.url)), "../node_modules");

/** @param {string} name */
const version = (name) => JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8")).version;

export const players = [
  {
    name: `hls.js ${version("hls.js")}`,
    script: "hls.js/dist/hls.min.js",
    switches: true,
    load(video, url) {
      const hls = new Hls();
      hls.on(Hls.Events.ERROR, (_, data) => data.fatal && (window.fault = data.details));
      window.pick = (height) => (hls.currentLevel = hls.levels.findIndex((level) => level.height === height));
      hls.once(Hls.Events.MANIFEST_PARSED, () => (window.ready = true));
      hls.loadSource(url);
      hls.attachMedia(video);
    },
  },
  {
    name: `Shaka Player ${version("shaka-player")}`,
    script: "shaka-player/dist/shaka-player.compiled.js",
    switches: true,
    async load(video, url) {
      shaka.polyfill.installAll();
      const player = new shaka.Player();
      await player.attach(video);
      player.addEventListener("error", (event) => (window.fault = `shaka ${event.detail.code}`));
      player.configure("abr.enabled", false);
      window.pick = (height) => {
        const track = player.getVariantTracks().find((one) => one.height === height);
        player.selectVariantTrack(track, true);
      };
      player.load(url).then(() => (window.ready = true), (error) => (window.fault = `shaka ${error.code}`));
    },
  },
  {
    name: `video.js ${version("video.js")}`,
    script: "video.js/dist/video.min.js",
    switches: true,
    load(video, url) {
      // Chromium plays HLS by itself now, and video.js would leave it to that.
      const player = videojs(video, { html5: { vhs: { overrideNative: true }, nativeAudioTracks: false, nativeVideoTracks: false } });
      player.on("error", () => (window.fault = player.error()?.message));
      player.one("loadedmetadata", () => (window.ready = true));
      window.pick = (height) => {
        for (const one of player.tech(true).vhs.representations()) one.enabled(one.height === height);
      };
      player.src({ src: url, type: "application/vnd.apple.mpegurl" });
    },
  },
  {
    name: "Chromium's own HLS",
    // It chooses by itself, and asks nobody.
    switches: false,
    load(video, url) {
      if (!video.canPlayType("application/vnd.apple.mpegurl")) window.fault = "this browser has no HLS of its own";
      video.addEventListener("error", () => (window.fault = video.error?.message || "error"));
      video.addEventListener("loadedmetadata", () => (window.ready = true));
      video.src = url;
    },
  },
];

/** Those that play DASH. */
export const dashPlayers = [
  ...players.filter((player) => player.name.startsWith("Shaka")),
  {
    name: `dash.js ${version("dashjs")}`,
    script: "dashjs/dist/modern/umd/dash.all.min.js",
    switches: false,
    load(video, url) {
      const player = dashjs.MediaPlayer().create();
      player.on("error", ({ error }) => (window.fault = `dash.js ${error.code ?? error}`));
      player.on("streamInitialized", () => (window.ready = true));
      player.initialize(video, url, false);
    },
  },
];

/**
 * A page with one player in it, on the edge's origin, as behind a distribution.
 * @param {import("playwright-core").Browser} browser
 * @param {string} edge
 * @param {(typeof players)[number]} player
 * @param {string} url what it plays
 */
export async function open(browser, edge, player, url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  const page = await context.newPage();
  await page.route(`${edge}/players-test/**`, (route) => {
    if (route.request().url().endsWith("/player.js")) {
      return route.fulfill({ contentType: "text/javascript", body: readFileSync(join(packages, player.script), "utf8") });
    }
    const script = player.script ? '<script src="player.js"></script>' : "";
    return route.fulfill({ contentType: "text/html", body: `<!doctype html>${script}<video muted playsinline width=1280 height=720></video>` });
  });
  await page.goto(`${edge}/players-test/`);
  return {
    page,
    load: () => page.evaluate(`(${String(player.load).replace(/^(async )?load/, "$1function")})(document.querySelector("video"), ${JSON.stringify(url)})`),
    close: () => context.close(),
  };
}
