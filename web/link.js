// @ts-check
/**
 * A link to watch: the response of `/api/playback`, or a shared link.
 *
 * A signature sits in a link twice: as the grant in the path of playlists (`/play/<grant>/…`), and as the query of
 * files (`/output/…?Policy=…`). `renewed` puts a newer one in its place, which is all that renewing takes.
 */

/**
 * @typedef {{
 *   asset: string, expires_at: string, hls?: string, dash?: string, mp4?: {url: string, width?: number, height?: number}[],
 *   poster?: string, thumbnails?: string, cookies: Record<string, string>,
 * }} Playback
 *
 * @typedef {{
 *   asset: string, hls?: string, dash?: string, mp4: {url: string, width?: number, height?: number}[], poster?: string,
 *   thumbnails?: string, grant?: string, query: string, expiresAt: number, life: number,
 * }} Link `expiresAt` and `life` are milliseconds, by this machine's clock.
 */

/** The latest time for renewing a link before it expires, in milliseconds: timers of a hidden tab may be a minute late. */
const MARGIN = 5 * 60_000;

const PLAY = /^\/play\/([^/]+)\//;

/** @param {string | undefined} url */
function grantOf(url) {
  return url === undefined ? undefined : PLAY.exec(new URL(url).pathname)?.[1];
}

/**
 * @param {Playback} playback
 * @param {number} serverNow the server's clock, milliseconds
 * @param {number} now this machine's, which may be hours off
 * @returns {Link}
 */
export function fromPlayback(playback, serverNow, now) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(playback.cookies)) {
    query.set(name.replace(/^CloudFront-/, ""), value);
  }
  const life = Math.max(0, Date.parse(playback.expires_at) - serverNow);
  const { asset, hls, dash, mp4 = [], poster, thumbnails } = playback;
  const grant = grantOf(hls ?? dash ?? thumbnails);
  return { asset, hls, dash, mp4, poster, thumbnails, grant, query: `?${query}`, expiresAt: now + life, life };
}

/**
 * A shared link: `<grant>/<asset>/<template>/hls/video.m3u8`, or with a folder of CMAF.
 * @param {string} shared
 * @param {string} origin
 * @param {number} now
 * @returns {Link | undefined} nothing, if it is not of this form
 */
export function fromShared(shared, origin, now) {
  const match = /^([\w.-]+)\/([\w-]+)\/([\w.-]+(?:\/[\w.-]+)*)\/(?:hls|cmaf)(?:-\d+)?\/[\w.-]+\.m3u8$/.exec(shared);
  if (!match || shared.split("/").some((part) => /^\.+$/.test(part))) return undefined;
  const [, grant = "", asset = "", folder = ""] = match;
  const expiresAt = expiryOf(grant);
  if (expiresAt === undefined) return undefined;
  const play = `${origin}/play/${grant}/${asset}/${folder}`;
  return {
    asset,
    hls: `${origin}/play/${shared}`,
    mp4: [],
    thumbnails: `${play}/thumbnails/video.vtt`,
    grant,
    query: "",
    expiresAt,
    life: expiresAt - now,
  };
}

/** The content of a grant, for display only: the edge decides. @param {string} grant */
function statementOf(grant) {
  try {
    const policy = JSON.parse(atob((grant.split(".")[0] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    return [policy.Statement].flat()[0];
  } catch {
    return undefined;
  }
}

/**
 * When a grant expires, in milliseconds.
 * @param {string} grant
 * @returns {number | undefined}
 */
export function expiryOf(grant) {
  const seconds = statementOf(grant)?.Condition?.DateLessThan?.["AWS:EpochTime"];
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

/**
 * The likely reason why the edge refuses a link: it answers 403 for both an expired and an altered link.
 * @param {Link} link
 * @param {number} status of the answer for the playlist
 * @param {number} serverNow the server's clock, milliseconds; not a number if it gave none
 * @param {string} origin where the page is
 * @returns {"altered" | "expired" | "removed" | "elsewhere" | undefined} nothing, if it does not refuse
 */
export function refusal(link, status, serverNow, origin) {
  if (status === 404) return "removed";
  if (status !== 403) return undefined;
  const now = Number.isNaN(serverNow) ? link.expiresAt - link.life : serverNow;
  if (now >= link.expiresAt) return "expired";
  const { Resource, Condition } = statementOf(link.grant ?? "") ?? {};
  const isHere = String(Resource).startsWith(`${origin}/`);
  return isHere && !Condition?.IpAddress ? "altered" : "elsewhere";
}

/**
 * `url` with the signature of `link`, if it is one of the same asset.
 * @param {string} url
 * @param {Link} link
 */
export function renewed(url, link) {
  const parsed = new URL(url);
  const played = PLAY.exec(parsed.pathname);
  if (played && link.grant) {
    parsed.pathname = parsed.pathname.replace(PLAY, `/play/${link.grant}/`);
  } else if (parsed.pathname.startsWith(`/output/${link.asset}/`) && link.query) {
    parsed.search = link.query;
  } else {
    return url;
  }
  return parsed.href;
}

/**
 * How long to wait before a link is renewed, in milliseconds.
 * @param {Link} link
 * @param {number} now
 */
export function renewIn(link, now) {
  return Math.max(0, link.expiresAt - Math.min(MARGIN, link.life / 2) - now);
}

/** The part after `#play=` in a shared link of this page. @param {Link} link */
export function sharedPath(link) {
  return link.hls && new URL(link.hls).pathname.replace(/^\/play\//, "");
}

/** A title made from an asset's id. @param {string} asset */
export function titleOf(asset) {
  return asset.replace(/-[0-9a-f]{16}-[0-9a-f]{8}$/, "").replaceAll("-", " ");
}
