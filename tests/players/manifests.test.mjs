/** CMAF and DASH, and the manifests of all kinds as parsers that are not ours read them. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import HLS from "hls-parser";
import { parse as parseMpd } from "mpd-parser";

import { answers, frames, launch, until } from "./lib/browser.mjs";
import { dashPlayers, open, players } from "./lib/players.mjs";
import { FRAMES, LENGTH, films, sign, signFilm } from "./lib/stack.mjs";

const run = promisify(execFile);

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Record<string, any>} */
let links;

before(async () => {
  browser = await launch();
  const [cmaf, dash, indexed] = await Promise.all(["cmaf", "dash", "indexed"].map(signFilm));
  const hls = await sign();
  links = { hls, cmaf, dash, indexed };
});
after(() => browser?.close());

/** @param {any} player @param {() => string} url */
async function playsToTheEnd(player, url) {
  const { page, load, close } = await open(browser, films.edge, player, url());
  const seen = answers(page);
  await load();
  await until(page, () => window.ready || window.fault);
  assert.equal(await page.evaluate(() => window.fault), undefined);
  await page.evaluate(() => document.querySelector("video").play());
  await until(page, (video) => video.currentTime > 1);
  await page.evaluate(() => (document.querySelector("video").currentTime = 5));
  await until(page, (video) => !video.seeking && video.currentTime > 5.2);
  const before = await frames(page);
  await until(page, (video) => video.ended || window.fault);
  assert.equal(await page.evaluate(() => window.fault), undefined);
  const length = await page.evaluate(() => document.querySelector("video").duration);
  assert.ok(Math.abs(length - LENGTH) < 0.5, `the film has ${length} s`);
  assert.ok((await frames(page)) - before > 100, "the rest of the film was not decoded");
  assert.deepEqual(seen.filter(({ status }) => status >= 400), []);
  assert.ok(seen.some(({ url }) => /\/output\/.*\?.*Signature=/.test(url)), "no signed segment was read");
  await close();
}

describe("fragmented MP4 in browsers", () => {
  for (const player of players.filter(({ name }) => /hls.js|Shaka/.test(name))) {
    test(`${player.name} plays the HLS playlist of a CMAF group`, () => playsToTheEnd(player, () => links.cmaf.hls));
  }
  for (const player of dashPlayers) {
    test(`${player.name} plays the DASH manifest of a CMAF group`, () => playsToTheEnd(player, () => links.cmaf.dash));
    test(`${player.name} plays a DASH group`, () => playsToTheEnd(player, () => links.dash.dash));
    test(`${player.name} plays files with an index`, () => playsToTheEnd(player, () => links.indexed.dash));
  }
});

describe("fragmented MP4 in programs", () => {
  for (const kind of ["cmaf", "dash", "indexed"]) {
    test(`ffmpeg decodes the DASH manifest of ${kind} to the end`, async () => {
      // Its DASH demuxer does not know the suffixes of CMAF.
      const args = ["-v", "error", "-allowed_extensions", "ALL", "-i", links[kind].dash, "-map", "0:v:0", "-map", "0:a:0"];
      const { stdout, stderr } = await run("ffmpeg", [...args, "-f", "null", "-progress", "-", "-"]);
      // Without a timeline, its demuxer looks for a segment after the last one, and says so.
      if (kind !== "dash") assert.equal(stderr, "");
      const frame = stdout.split("\n").findLast((line) => line.startsWith("frame="));
      assert.equal(frame, `frame=${FRAMES}`);
    });

    test(`mpv plays the DASH manifest of ${kind} to the end`, async () => {
      const quiet = ["--no-config", "--no-terminal", "--vo=null", "--ao=null", "--ytdl=no", "--untimed"];
      const told = ["--terminal=yes", "--term-status-msg=AT ${=time-pos}", "--demuxer-lavf-o=allowed_extensions=ALL"];
      const { stdout, stderr } = await run("mpv", [...quiet, ...told, links[kind].dash], { timeout: 60_000 });
      const at = [...(stdout + stderr).matchAll(/AT ([\d.]+)/g)].map(([, seconds]) => Number(seconds));
      assert.ok((at.at(-1) ?? 0) > LENGTH - 0.5, `it ended at ${at.at(-1)}`);
    });
  }
});

test("the page says why it cannot play a film that is DASH alone, and where that is", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${films.edge}/#token=${films.token}`);
  await page.locator(".card").first().waitFor();
  await page.evaluate((asset) => (location.hash = `#/watch/${asset}`), links.dash.asset);
  await page.getByText("made as a DASH stream only").waitFor();
  const manifest = await page.getByRole("link", { name: "DASH manifest" }).getAttribute("href");
  assert.match(await text(manifest ?? ""), /<MPD /);
  await context.close();
});

/** @param {string} url */
async function text(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.text();
}

/** The first byte of a file is there. @param {string} url */
async function isThere(url) {
  const answer = await fetch(url, { headers: { range: "bytes=0-0" } });
  assert.ok([200, 206].includes(answer.status), `${answer.status} for ${url}`);
  await answer.arrayBuffer();
}

describe("manifests as others read them", () => {
  for (const kind of ["hls", "cmaf"]) {
    test(`hls-parser, in strict mode, reads the playlists of ${kind}`, async () => {
      HLS.setOptions({ strictMode: true });
      const master = HLS.parse(await text(links[kind].hls));
      assert.ok(master.isMasterPlaylist && master.variants.length >= 2, "no master playlist");
      const uris = new Set(master.variants.flatMap((variant) => [variant.uri, ...variant.audio.map((audio) => audio.uri)]));
      for (const uri of [...uris].filter(Boolean)) {
        const url = new URL(uri, links[kind].hls);
        const playlist = HLS.parse(await text(url.href));
        const seconds = playlist.segments.reduce((sum, segment) => sum + segment.duration, 0);
        assert.ok(Math.abs(seconds - LENGTH) < 0.2, `${uri} lasts ${seconds} s`);
        assert.ok(playlist.segments.every((segment) => Math.round(segment.duration) <= playlist.targetDuration), uri);
        for (const segment of playlist.segments) await isThere(new URL(segment.uri, url).href);
      }
    });
  }

  for (const kind of ["cmaf", "dash", "indexed"]) {
    test(`mpd-parser reads the DASH manifest of ${kind}`, async () => {
      const url = links[kind].dash;
      /** @type {unknown[]} */
      const said = [];
      const parsed = parseMpd(await text(url), { manifestUri: url, eventHandler: (event) => said.push(event) });
      assert.deepEqual(said, []);
      assert.ok(Math.abs(parsed.duration - LENGTH) < 0.2, `${parsed.duration} s`);
      const audio = Object.values(parsed.mediaGroups.AUDIO.audio ?? {}).flatMap((group) => group.playlists);
      assert.ok(parsed.playlists.length >= 2 && audio.length === 1, "a track is missing");
      for (const playlist of [...parsed.playlists, ...audio]) {
        if (kind === "indexed") {
          const { offset, length } = playlist.sidx.byterange;
          const answer = await fetch(playlist.sidx.resolvedUri, { headers: { range: `bytes=${offset}-${offset + length - 1}` } });
          const box = Buffer.from(await answer.arrayBuffer());
          assert.equal(box.toString("latin1", 4, 8), "sidx");
          assert.equal(box.readUInt32BE(0), length);
          continue;
        }
        const seconds = playlist.segments.reduce((sum, segment) => sum + segment.duration, 0);
        assert.ok(Math.abs(seconds - LENGTH) < 0.2, `${playlist.attributes.NAME} lasts ${seconds} s`);
        for (const segment of playlist.segments) await isThere(segment.resolvedUri);
        await isThere(playlist.segments[0].map.resolvedUri);
      }
    });
  }
});
