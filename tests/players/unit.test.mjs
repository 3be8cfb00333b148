/** The parts of the page that need no browser, and what has to agree with what. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { clock, displayed, leftOut, lines, sentence, size, spoken } from "../../web/format.js";
import { expiryOf, fromPlayback, fromShared, refusal, renewIn, renewed, sharedPath, titleOf } from "../../web/link.js";
import { at, previews } from "../../web/vtt.js";

const ORIGIN = "http://edge.test:8080";
const ASSET = "my-film-0123456789abcdef-01234567";

/** @param {number} expires @param {string} signature */
function playback(expires, signature) {
  const policy = Buffer.from(JSON.stringify({ Statement: [{ Resource: "*", Condition: { DateLessThan: { "AWS:EpochTime": expires } } }] })).toString("base64url");
  const grant = `${policy}.${signature}.K2.SHA256`;
  const query = `Policy=${policy}&Signature=${signature}&Key-Pair-Id=K2&Hash-Algorithm=SHA256`;
  return {
    asset: ASSET,
    expires_at: new Date(expires * 1000).toISOString(),
    hls: `${ORIGIN}/play/${grant}/${ASSET}/default/hls/video.m3u8`,
    mp4: [{ url: `${ORIGIN}/output/${ASSET}/default/mp4/video.mp4?${query}` }],
    thumbnails: `${ORIGIN}/play/${grant}/${ASSET}/default/thumbnails/video.vtt`,
    cookies: { "CloudFront-Policy": policy, "CloudFront-Signature": signature, "CloudFront-Key-Pair-Id": "K2", "CloudFront-Hash-Algorithm": "SHA256" },
  };
}

test("a picture's size is the one that a viewer sees", () => {
  const sizes = [{ width: 1920, height: 1080 }, { width: 1920, height: 1080, rotation: 90 }, { width: 720, height: 576, pixel_aspect: "64:45" }, {}];
  assert.deepEqual(sizes.map(displayed), [[1920, 1080], [1080, 1920], [1024, 576], undefined]);
});

test("what was not taken over is said in a sentence", () => {
  assert.equal(leftOut(undefined), "");
  const entries = [{ what: "subtitle track 2 (deu)", why: "no captions" }, { what: "audio track 2", why: "one is taken" }];
  assert.equal(leftOut(entries), "Left out: subtitle track 2 (deu) (no captions); audio track 2 (one is taken).");
});

test("a renewed link replaces the signature of every URL of its asset, and of no other", () => {
  const old = playback(2_000, "old");
  const link = fromPlayback(playback(9_000, "new"), 0, 0);
  assert.equal(renewed(old.hls, link), link.hls);
  assert.equal(renewed(old.mp4[0].url, link), link.mp4[0].url);
  assert.equal(renewed(old.hls.replace("video.m3u8", "video_720.m3u8"), link), link.hls?.replace("video.m3u8", "video_720.m3u8"));
  for (const other of [`${ORIGIN}/output/other-0123456789abcdef-01234567/a.ts?x=1`, `${ORIGIN}/web/a.js`]) {
    assert.equal(renewed(other, link), other);
  }
});

test("a link's life does not depend on this machine's clock", () => {
  const link = fromPlayback(playback(10_000, "s"), 9_000_000, 77);
  assert.equal(link.life, 1_000_000);
  assert.equal(link.expiresAt, 1_000_077);
});

test("a link is renewed five minutes before it expires, a short one in the middle of its life", () => {
  const hour = { ...fromPlayback(playback(3_600, "s"), 0, 0) };
  assert.equal(renewIn(hour, 0), 55 * 60_000);
  assert.equal(renewIn(fromPlayback(playback(4, "s"), 0, 0), 0), 2_000);
  assert.equal(renewIn(hour, 99_999_999), 0);
});

test("a shared link comes back as it was, and nothing else is taken for one", () => {
  const link = fromPlayback(playback(5_000, "s"), 0, 0);
  const shared = fromShared(sharedPath(link) ?? "", ORIGIN, 1_000_000);
  // A shared link is HLS alone.
  const { poster, dash, ...rest } = link;
  assert.deepEqual([poster, dash], [undefined, undefined]);
  assert.deepEqual(shared, { ...rest, query: "", mp4: [], life: 4_000_000 });
  const good = sharedPath(link) ?? "";
  for (const bad of ["", "x", good.replace("hls/", "../hls/"), `/${good}`, `//evil.test/${good}`, good.replace("m3u8", "mp4"), good.replace(".K2", "/.K2"), good.replace(/^\w+/, "bm9wZQ"), `${good}?x`, good.replace("default", "%2e")]) {
    assert.equal(fromShared(bad, ORIGIN, 0), undefined, bad);
  }
});

test("when a grant expires is read, or not, but never throws", () => {
  assert.equal(expiryOf(new URL(playback(42, "s").hls).pathname.split("/")[2]), 42_000);
  for (const bad of ["", "....", "e30.s", "bnVsbA.s", "%%%"]) assert.equal(expiryOf(bad), undefined, bad);
});

test("why a link is refused", () => {
  const policy = (/** @type {object} */ condition, resource = `${ORIGIN}/output/${ASSET}/*`) => {
    const statement = { Resource: resource, Condition: { DateLessThan: { "AWS:EpochTime": 1_000 }, ...condition } };
    return Buffer.from(JSON.stringify({ Statement: [statement] })).toString("base64url");
  };
  const link = (/** @type {string} */ policy, now = 500_000) => fromShared(`${policy}.s.K2.SHA256/${ASSET}/default/hls/video.m3u8`, ORIGIN, now);
  const own = link(policy({}));
  const bound = link(policy({ IpAddress: { "AWS:SourceIp": "192.0.2.1/32" } }));
  const other = link(policy({}, `http://other.test/output/${ASSET}/*`));
  for (const [link, status, serverNow, expected] of [
    [own, 200, 999_000, undefined],
    [own, 503, 999_000, undefined],
    [own, 404, 999_000, "removed"],
    [own, 403, 999_000, "altered"],
    [own, 403, 1_000_000, "expired"],
    // Without the server's clock this machine's has to do.
    [own, 403, Number.NaN, "altered"],
    [bound, 403, 999_000, "elsewhere"],
    [bound, 403, 1_000_000, "expired"],
    [other, 403, 999_000, "elsewhere"],
  ]) {
    assert.equal(refusal(link, status, serverNow, ORIGIN), expected, `${status} at ${serverNow}`);
  }
});

test("the name of an asset without a record", () => {
  assert.equal(titleOf(ASSET), "my film");
  assert.equal(titleOf("x"), "x");
});

test("previews are read in order, whole pictures and tiles; what is broken is left out", () => {
  const text = [
    "WEBVTT\r\n\r\n00:00:00.000 --> 00:00:05.000\r\na.jpg?Policy=x",
    "2\n00:05.000 --> 00:10.000 align:start\nb.jpg#xywh=160,0,160,90",
    "NOTE nothing",
    "00:00:20.000 --> 00:00:10.000\nbackwards.jpg",
    "00:00:10.000 --> 01:00:00.000\n/c.jpg",
  ].join("\n\n");
  const all = previews(text, "http://e.test/play/g/video.vtt");
  assert.deepEqual(all, [
    { start: 0, end: 5, url: "http://e.test/play/g/a.jpg?Policy=x" },
    { start: 5, end: 10, url: "http://e.test/play/g/b.jpg", box: { x: 160, y: 0, w: 160, h: 90 } },
    { start: 10, end: 3600, url: "http://e.test/c.jpg" },
  ]);
  assert.deepEqual([-1, 0, 4.9, 5, 9.9, 10, 99_999].map((time) => at(all, time)?.start), [0, 0, 0, 5, 5, 10, 10]);
  assert.equal(at([], 1), undefined);
});

test("numbers for people", () => {
  assert.deepEqual([0, 59.9, 60, 3_605, Number.NaN, Infinity, -1].map(clock), ["0:00", "0:59", "1:00", "1:00:05", "0:00", "0:00", "0:00"]);
  assert.deepEqual([0, 1, 61, 7_200].map(spoken), ["0 seconds", "1 second", "1 minute 1 second", "2 hours"]);
  assert.deepEqual([0, 999, 1_500, 18_900_000, 2.5e12].map(size), ["0 B", "999 B", "1.5 KB", "19 MB", "2.5 TB"]);
  assert.deepEqual([{ width: 1280, height: 720 }, { width: 720, height: 1280 }, { height: 360 }, {}].map(lines), [720, 720, 360, 0]);
  assert.equal(sentence("the asset is gone"), "The asset is gone.");
});

const here = new URL(".", import.meta.url);

test("web/hls.min.js.gz is the file of the npm package, byte for byte, with its licence", () => {
  const read = (/** @type {string} */ path) => readFileSync(new URL(path, here));
  assert.ok(gunzipSync(read("../../web/hls.min.js.gz")).equals(read("node_modules/hls.js/dist/hls.min.js")), "run tests/players/vendor.sh");
  assert.ok(read("../../web/hls.LICENSE.txt").equals(read("node_modules/hls.js/LICENSE")), "run tests/players/vendor.sh");
});

test("docs/players.md names the versions that are run here", () => {
  const matrix = readFileSync(new URL("../../docs/players.md", here), "utf8");
  const { devDependencies } = JSON.parse(readFileSync(new URL("package.json", here), "utf8"));
  const titles = { "hls.js": "hls.js", "shaka-player": "Shaka Player", "video.js": "video.js", dashjs: "dash.js", "hls-parser": "hls-parser", "mpd-parser": "mpd-parser" };
  for (const [name, title] of Object.entries(titles)) {
    assert.ok(matrix.includes(`${title} ${devDependencies[name]}`), `${title} ${devDependencies[name]} is not in it`);
  }
});
