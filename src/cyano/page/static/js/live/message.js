// A frame as the service sends it over the WebSocket.

/**
 * @typedef {{ state: string, message: string, source: string, frame: number, matches: number, keypoints: number[], points: number[], sizes: number[][],
 *   jpeg: [number, number], seconds: Record<string, number>, keypoint_threshold: number, match_threshold: number, error?: string }} Header
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

/** The matches in the form of the other tab. @param {ReturnType<typeof readFrame>} frame */
export function documentOf({ header, rows }) {
  const told = { id: "", images: header.keypoints.map((keypoints) => ({ keypoints })), keypoints0: /** @type {number[][]} */ ([]), keypoints1: /** @type {number[][]} */ ([]), scores: /** @type {number[]} */ ([]), indices: /** @type {number[][]} */ ([]) };
  for (let k = 0; k < header.matches; k++) {
    const [x, y, u, v, score] = rows.subarray(5 * k, 5 * k + 5);
    told.keypoints0.push([x, y]);
    told.keypoints1.push([u, v]);
    told.scores.push(score);
    told.indices.push([k, k]);
  }
  return told;
}
