// @ts-check
/** Formats numbers and times for people. */

/** Seconds as `m:ss` or `h:mm:ss`; never rounded up, as in `vod ls`. @param {number} seconds */
export function clock(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "0:00";
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** The same for screen readers: `1 minute 5 seconds`. @param {number} seconds */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ];
  const said = parts.filter(([n]) => Number(n) > 0).map(([n, unit]) => `${n} ${unit}${n === 1 ? "" : "s"}`);
  return said.join(" ") || "0 seconds";
}

/** The time that is left, rounded as people say it. @param {number} seconds */
export function remaining(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const [count, unit] = seconds < 50 ? [Math.ceil(seconds), "second"] : seconds < 3_000 ? [Math.round(seconds / 60), "minute"] : [Math.round(seconds / 3_600), "hour"];
  return `${count} ${unit}${count === 1 ? "" : "s"} left`;
}

/** A time in the reader's language and time zone. @param {string | number | Date} time */
export function moment(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A day. @param {string} time */
export function day(time) {
  return new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
}

/** The quality name, such as 720p: the shorter side, also of a portrait video. @param {{width?: number, height?: number}} picture */
export function lines({ width = 0, height = 0 }) {
  return Math.min(width || height, height || width);
}

/**
 * Width and height as a viewer sees them: with square pixels, and turned.
 * @param {{width?: number, height?: number, rotation?: number, pixel_aspect?: string}} source
 * @returns {[number, number] | undefined}
 */
export function displayed({ width, height, rotation = 0, pixel_aspect: aspect = "1:1" }) {
  if (!width || !height) return undefined;
  const [across, down] = aspect.split(":").map(Number);
  const wide = across && down ? Math.round((width * across) / down) : width;
  return rotation % 180 === 90 ? [height, wide] : [wide, height];
}

/** A sentence about tracks and renditions that were left out; "" if there are none. @param {{what: string, why: string}[]} [entries] */
export function leftOut(entries = []) {
  return entries.length ? `Left out: ${entries.map(({ what, why }) => `${what} (${why})`).join("; ")}.` : "";
}

/** Makes a sentence of an error message, which has no capital and no period. @param {string} text */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** Bytes. @param {number} bytes */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
