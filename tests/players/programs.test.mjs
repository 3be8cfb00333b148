/** Programs that are no browsers: the URL is all that they are given. */

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";

import { FRAMES, LENGTH, deadLinks, endpoints, sign } from "./lib/stack.mjs";

const run = promisify(execFile);

/** @type {Record<string, string>} */
let dead;
/** @type {any} */
let links;

before(async () => {
  links = await sign();
  dead = await deadLinks();
});

/** @param {string} program @param {string[]} args */
async function fails(program, args) {
  return run(program, args).then(({ stdout }) => assert.fail(`${program} took it: ${stdout}`), (error) => `${error.stdout}${error.stderr}`);
}

const ffmpegVersion = execFileSync("ffmpeg", ["-version"], { encoding: "utf8" }).split(" ")[2];

describe(`ffmpeg ${ffmpegVersion}`, () => {
  /** Decodes, and counts. @param {string[]} before @param {string} url @param {string[]} [after] */
  async function decode(before, url, after = []) {
    const args = ["-v", "error", ...before, "-i", url, ...after, "-f", "null", "-progress", "-", "-"];
    const { stdout, stderr } = await run("ffmpeg", args);
    assert.equal(stderr, "");
    const last = (/** @type {string} */ name) => Number(stdout.trim().split("\n").findLast((line) => line.startsWith(`${name}=`))?.split("=")[1]);
    return { frames: last("frame"), seconds: last("out_time_us") / 1e6 };
  }

  test("ffmpeg decodes every rendition to the end", async () => {
    const { stdout } = await run("ffprobe", ["-v", "error", "-show_entries", "stream=codec_type,height", "-of", "json", links.hls]);
    const heights = JSON.parse(stdout).streams.filter((one) => one.codec_type === "video").map((one) => one.height);
    assert.deepEqual(heights.sort((a, b) => a - b), [360, 540, 720]);
    for (const [index] of heights.entries()) {
      const { frames, seconds } = await decode([], links.hls, ["-map", `0:v:${index}`]);
      assert.equal(frames, FRAMES, `rendition ${index}`);
      assert.ok(Math.abs(seconds - LENGTH) < 0.2, `${seconds} s`);
    }
  });

  test("ffmpeg seeks", async () => {
    const { frames } = await decode(["-ss", "7"], links.hls, ["-map", "0:v:0"]);
    assert.ok(Math.abs(frames - 3 * 30) <= 3, `${frames} frames after second 7`);
  });

  test("ffmpeg plays the MP4 link", async () => {
    const { frames } = await decode([], links.mp4[0].url, ["-map", "0:v"]);
    assert.equal(frames, FRAMES);
  });

  test("ffmpeg gets no byte without the grant", async () => {
    const unsigned = { "the MP4 without its query": links.mp4[0].url.split("?")[0] };
    for (const [what, url] of Object.entries({ ...dead, ...unsigned })) {
      const said = await fails("ffmpeg", ["-v", "error", "-i", url, "-f", "null", "-"]);
      assert.match(said, /403 Forbidden/, what);
    }
  });
});

const mpvVersion = execFileSync("mpv", ["--no-config", "--version"], { encoding: "utf8" }).split(" ")[1];

describe(`mpv ${mpvVersion}`, () => {
  /** Plays by the clock, without a screen. @param {string[]} more @param {string} url */
  async function play(more, url) {
    const quiet = ["--no-config", "--no-terminal", "--vo=null", "--ao=null", "--ytdl=no"];
    const told = ["--term-playing-msg=SIZE ${width}x${height} of ${duration}", "--term-status-msg=AT ${=time-pos} DROPPED ${decoder-frame-drop-count}"];
    const { stdout, stderr } = await run("mpv", [...quiet, "--terminal=yes", ...told, ...more, url], { timeout: 60_000 });
    const said = stdout + stderr;
    const at = [...said.matchAll(/AT ([\d.]+) DROPPED (\d+)/g)];
    return { said, size: said.match(/SIZE (\S+)/)?.[1], first: Number(at[0]?.[1]), last: Number(at.at(-1)?.[1]), looks: at.length };
  }

  for (const [rate, size] of [["min", "640x360"], ["max", "1280x720"]]) {
    test(`mpv plays the ${size} rendition to the end`, async () => {
      const played = await play([`--hls-bitrate=${rate}`, "--speed=2"], links.hls);
      assert.equal(played.size, size);
      assert.ok(played.last > LENGTH - 0.5, `the clock stopped at ${played.last}: ${played.said.slice(-300)}`);
      assert.match(played.said, /End of file/);
    });
  }

  test("mpv seeks", async () => {
    const played = await play(["--start=7", "--hr-seek=yes"], links.hls);
    assert.ok(played.first >= 6.9, `it began at ${played.first}`);
    assert.ok(played.last > LENGTH - 0.5, `the clock stopped at ${played.last}`);
  });

  test("mpv gets no byte without the grant", async () => {
    for (const [what, url] of Object.entries(dead)) {
      const said = await fails("mpv", ["--no-config", "--vo=null", "--ao=null", "--ytdl=no", url]);
      assert.match(said, /403 Forbidden/, what);
    }
  });
});

test("a segment that is asked for without its signature is refused", async () => {
  const master = await (await fetch(links.hls)).text();
  const variant = master.split("\n").find((line) => line.endsWith(".m3u8"));
  const playlist = await (await fetch(new URL(variant ?? "", links.hls))).text();
  const segment = playlist.split("\n").find((line) => line.includes("?")) ?? "";
  const signed = new URL(segment, new URL(variant ?? "", links.hls));
  assert.equal((await fetch(signed)).status, 200);
  signed.search = "";
  const refused = await fetch(signed);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /<Code>MissingKey<\/Code>/);
  assert.ok(signed.href.startsWith(`${endpoints.edge}/output/`), signed.href);
});
