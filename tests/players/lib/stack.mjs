/** The stack that run.sh has started, seen from outside: its files, its command and its addresses. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);
const { VOD, VOD_STATE, VOD_FILMS } = process.env;
if (!VOD || !VOD_STATE || !VOD_FILMS) throw new Error("start these tests with tests/players/run.sh");

/** Where the clip was uploaded to. */
export const SOURCE = "input/A walk by the sea.mp4";
/** Its length in seconds, and its frames. */
export const LENGTH = 10;
export const FRAMES = 300;

export const folder = VOD_STATE;
/** @type {{edge: string, api: string, token: string}} */
export const endpoints = JSON.parse(readFileSync(`${folder}/endpoints.json`, "utf8"));

/** Where the films by other templates are. */
/** @type {{edge: string, token: string}} */
export const films = JSON.parse(readFileSync(`${VOD_FILMS}/endpoints.json`, "utf8"));

/** Runs the command. @param {string[]} args */
export async function vod(...args) {
  return (await run(VOD ?? "", args)).stdout;
}

/** The link that `vod up` printed. */
export function pageLink() {
  const link = readFileSync(`${folder}/out`, "utf8").match(/\S+\/#token=\S+/)?.[0];
  if (!link) throw new Error("vod up printed no link to the page");
  return link;
}

/** What `/api/playback` answers. @param {string} [ttl] */
export async function sign(ttl = "1h") {
  return JSON.parse(await vod("sign", SOURCE, "--ttl", ttl, "--json"));
}

/**
 * The same of the film in the other stack by one of the templates in templates.mjs.
 * @param {string} kind
 */
export async function signFilm(kind) {
  const env = { ...process.env, VOD_STATE: VOD_FILMS };
  const { stdout } = await run(VOD ?? "", ["sign", `input/${kind}/film.mp4`, "--ttl", "1h", "--json"], { env });
  return JSON.parse(stdout);
}

/** Links that must not open anything: one altered, one expired, one for another asset, one without a grant. */
export async function deadLinks() {
  const { hls } = await sign();
  const [, grant] = new URL(hls).pathname.split("/play/")[1].match(/^([^/]+)\//);
  const [policy, signature, ...rest] = grant.split(".");
  const flipped = signature.slice(0, 20) + (signature[20] === "A" ? "B" : "A") + signature.slice(21);
  const expired = await sign("1s");
  while (Date.now() < Date.parse(expired.expires_at) + 1_000) await new Promise((done) => setTimeout(done, 100));
  const path = new URL(hls).pathname.replace(`/play/${grant}/`, "");
  return {
    "an altered signature": hls.replace(grant, [policy, flipped, ...rest].join(".")),
    "an expired grant": expired.hls,
    "another asset's folder": hls.replace(path, path.replace(/^[^/]+/, "other-0123456789abcdef-01234567")),
    "no grant": `${endpoints.edge}/output/${path}`,
  };
}
