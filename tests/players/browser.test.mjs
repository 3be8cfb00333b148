/** Players in a browser, each with the one signed URL and nothing else: no cookie, no header, no token. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { answers, frames, launch, until } from "./lib/browser.mjs";
import { open, players } from "./lib/players.mjs";
import { FRAMES, LENGTH, deadLinks, endpoints, sign } from "./lib/stack.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Record<string, string>} */
let dead;
/** @type {string} */
let hls;

before(async () => {
  browser = await launch();
  ({ hls } = await sign());
  dead = await deadLinks();
});
after(() => browser?.close());

for (const player of players) {
  describe(player.name, () => {
    test(`${player.name} plays to the end, seeks${player.switches ? " and switches rendition" : ""}`, async () => {
      const { page, load, close } = await open(browser, endpoints.edge, player, hls);
      const seen = answers(page);
      await load();
      await until(page, () => window.ready || window.fault);
      assert.equal(await page.evaluate(() => window.fault), undefined);

      if (player.switches) await page.evaluate(() => window.pick(360));
      await page.evaluate(() => document.querySelector("video").play());
      await until(page, (video) => video.currentTime > 1.5);
      if (player.switches) {
        await until(page, (video) => video.videoHeight === 360);
        await page.evaluate(() => window.pick(720));
        await until(page, (video) => video.videoHeight === 720);
      }
      // Into the second segment, back into the first, and from there to the end by the clock.
      await page.evaluate(() => (document.querySelector("video").currentTime = 7));
      await until(page, (video) => !video.seeking && video.currentTime > 7.3);
      await page.evaluate(() => (document.querySelector("video").currentTime = 0.5));
      await until(page, (video) => !video.seeking && video.currentTime > 0.7 && video.currentTime < 6);
      const before = await frames(page);
      await until(page, (video) => video.ended);
      const { at, length } = await page.evaluate(() => {
        const { currentTime: at, duration: length } = document.querySelector("video");
        return { at, length };
      });
      assert.ok(Math.abs(length - LENGTH) < 0.5, `the film has ${length} s`);
      assert.ok(at > length - 0.3, `it ended at ${at} of ${length}`);
      const decoded = (await frames(page)) - before;
      assert.ok(decoded > FRAMES * 0.75, `${decoded} frames were decoded`);
      assert.equal(await page.evaluate(() => window.fault), undefined);

      const bad = seen.filter(({ status }) => status >= 400);
      assert.deepEqual(bad, []);
      assert.ok(seen.some(({ url }) => /\/play\/.*_\d+\.m3u8$/.test(url)), "no variant playlist was read");
      assert.ok(seen.some(({ url }) => /\/output\/.*\?.*Signature=/.test(url)), "no signed segment was read");
      await close();
    });

    test(`${player.name} gets no byte without the grant`, async () => {
      for (const [what, url] of Object.entries(dead)) {
        const { page, load, close } = await open(browser, endpoints.edge, player, url);
        const seen = answers(page);
        await load();
        await until(page, () => window.fault);
        assert.ok(seen.length > 0, `${what}: nothing was asked for`);
        assert.deepEqual(seen.filter(({ status }) => status !== 403), [], what);
        assert.equal(await frames(page), 0, what);
        await close();
      }
    });
  });
}
