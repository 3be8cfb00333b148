// @ts-check
/** The track of seek previews: WebVTT whose cues are images, whole or a part (`#xywh=`). */

/** @typedef {{start: number, end: number, url: string, box?: {x: number, y: number, w: number, h: number}}} Preview */

/** Seconds of `hh:mm:ss.mmm` or `mm:ss.mmm`. @param {string} text */
function seconds(text) {
  const match = /^(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})$/.exec(text);
  if (!match) return Number.NaN;
  const [, h = "0", m, s, ms] = match;
  return Number(h) * 3600 + Number(m) * 60 + Number(s) + Number(ms) / 1000;
}

/**
 * The previews of a track, in order. What is no image is left out.
 * @param {string} text
 * @param {string} base URL of the track
 * @returns {Preview[]}
 */
export function previews(text, base) {
  const blocks = text.replace(/\r\n?/g, "\n").split(/\n{2,}/);
  return blocks.flatMap((block) => {
    const lines = block.split("\n").filter((line) => line !== "");
    const timing = lines.findIndex((line) => line.includes("-->"));
    const [from, , to] = (lines[timing] ?? "").trim().split(/\s+/);
    const [start, end] = [seconds(from ?? ""), seconds(to ?? "")];
    const target = lines[timing + 1]?.trim();
    if (timing < 0 || !(end > start) || !target || !URL.canParse(target, base)) return [];
    const url = new URL(target, base);
    const box = /^#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(url.hash);
    url.hash = "";
    const preview = { start, end, url: url.href };
    if (!box) return [preview];
    const [x = 0, y = 0, w = 0, h = 0] = box.slice(1).map(Number);
    return [{ ...preview, box: { x, y, w, h } }];
  });
}

/**
 * The preview of a moment: by bisection, since a long film has thousands.
 * @param {Preview[]} all
 * @param {number} time seconds
 * @returns {Preview | undefined}
 */
export function at(all, time) {
  let [low, high] = [0, all.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((all[middle]?.start ?? 0) <= time) low = middle;
    else high = middle - 1;
  }
  return all[low];
}
