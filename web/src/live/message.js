// A frame as the service sends it over the WebSocket.

/**
 * What the service says of its source, and of a frame where there is one.
 * @typedef {{ state: "running" | "paused" | "ended" | "failed", message: string, source: string, damaged?: number, quits: boolean, show_keypoints: boolean,
 *   keypoint_threshold: number, match_threshold: number, error?: string }} State
 * @typedef {State & { frame: number, time: number | null, anchor: number, status: string, matches: number, keypoints: number[], points: number[], sizes: number[][],
 *   jpeg: [number, number], seconds: Record<string, number> }} Header
 */

/**
 * A uint32 length, a JSON header, the anchor's JPEG (empty where it is the one before), the frame's, float32 rows
 * x0 y0 x1 y1 score, and the keypoints of both where they are wanted.
 * @param {ArrayBuffer} buffer little endian
 */
export function readFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  /** @type {Header} */
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const part = (/** @type {number} */ size) => buffer.slice(at, (at += size));
  const [anchor, picture] = header.jpeg.map((size) => (size ? new Blob([part(size)], { type: "image/jpeg" }) : null));
  const rows = new Float32Array(part(20 * header.matches));
  const points = header.points.map((count) => new Float32Array(part(8 * count)));
  return { header, anchor, picture, rows, points };
}

const MOST = 250; // lines, as in pictures of matches: more cannot be told apart at a glance

/** Matches in the form of the other tab, no more than can be looked at. @param {ReturnType<typeof readFrame>} frame */
export function documentOf({ header, rows }) {
  const told = { id: "", images: header.keypoints.map((keypoints) => ({ keypoints })), keypoints0: /** @type {number[][]} */ ([]), keypoints1: /** @type {number[][]} */ ([]), scores: /** @type {number[]} */ ([]), indices: /** @type {number[][]} */ ([]) };
  const step = Math.max(1, header.matches / MOST);
  for (let place = 0; Math.floor(place) < header.matches; place += step) {
    const k = Math.floor(place);
    const [x, y, u, v, score] = rows.subarray(5 * k, 5 * k + 5);
    told.keypoints0.push([x, y]);
    told.keypoints1.push([u, v]);
    told.scores.push(score);
    told.indices.push([k, k]);
  }
  return told;
}

/** What is said of a state in a few words. @param {State | Header} told */
export function wordsOf(told) {
  if (told.state === "running" && "status" in told && told.status === "few matches") return "Too few matches: take a new anchor (n)";
  return { running: "Live", paused: "Paused", ended: "The end", failed: "No pictures any more" }[told.state];
}

/** Where a frame is, and what else is to be told. @param {State | Header} told */
export function detailsOf(told) {
  const damaged = told.damaged ? `${told.damaged} damaged frames left out` : "";
  if (!("frame" in told)) return [told.source, told.message, damaged].filter(Boolean).join(", ");
  const time = told.time === null ? "" : ` at ${told.time.toFixed(2)} s`;
  const anchor = told.anchor < 0 ? "your image" : `frame ${told.anchor}`;
  return [told.source, `frame ${told.frame}${time} beside ${anchor}`, told.message, damaged].filter(Boolean).join(", ");
}

const LEAST = 1e-6; // of the keypoint threshold; its slider has 10 steps for a power of ten

/** @param {number} threshold */
export const stepOf = (threshold) => Math.round(Math.max(0, 10 * Math.log10(Math.max(threshold, LEAST) / LEAST)));
/** @param {number} step of the slider, from 0 to 60 */
export const thresholdOf = (step) => LEAST * 10 ** (Math.min(Math.max(step, 0), 60) / 10);
