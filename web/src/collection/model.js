// A reconstructed collection as the service tells it, in arrays for the graphics card.

/**
 * An image with a pose. `rotation` are the rows of the rotation from world to camera, `half` the tangents of half the fields of view.
 * @typedef {{ image: number, name: string, centre: number[], rotation: number[][], half: [number, number], seen: number }} Camera
 */

/** @typedef {{ count: number, places: Float32Array, errors: Float32Array, tracks: Uint16Array, colours: Uint8Array }} Points */

/** Where to look from: axes right, up and back in the frame of the model. @typedef {{ axes: number[][], middle: number[], reach: number, depth: number }} Frame */

/**
 * Points as `points.bin` has them: in pieces of `chunk`, each with float32 x y z, float32 errors, uint16 track lengths, uint8 r g b.
 * @param {ArrayBuffer} buffer little endian
 * @param {number} chunk
 * @returns {Points}
 */
export function readPoints(buffer, chunk) {
  const count = Math.floor(buffer.byteLength / 21);
  const made = { count, places: new Float32Array(3 * count), errors: new Float32Array(count), tracks: new Uint16Array(count), colours: new Uint8Array(3 * count) };
  for (let first = 0, at = 0; first < count; first += chunk) {
    const size = Math.min(chunk, count - first);
    const part = (/** @type {number} */ bytes) => buffer.slice(at, (at += bytes * size));
    made.places.set(new Float32Array(part(12)), 3 * first);
    made.errors.set(new Float32Array(part(4)), first);
    made.tracks.set(new Uint16Array(part(2)), first);
    made.colours.set(new Uint8Array(part(3)), 3 * first);
  }
  return made;
}

/**
 * A camera of its 4x4 pose.
 * @param {number} image @param {string} name @param {number[][]} pose from world to camera @param {[number, number]} half @param {number} seen
 * @returns {Camera}
 */
export function cameraOf(image, name, pose, half, seen) {
  const rotation = pose.slice(0, 3).map((row) => row.slice(0, 3));
  const centre = [0, 1, 2].map((k) => -rotation.reduce((sum, row, j) => sum + row[k] * pose[j][3], 0));
  return { image, name, centre, rotation, half, seen };
}

/** @param {number[]} a @param {number[]} b */
const cross = ([a, b, c], [d, e, f]) => [b * f - c * e, c * d - a * f, a * e - b * d];
/** @param {number[]} v */
const unit = (v) => v.map((x) => x / (Math.hypot(...v) || 1));

/**
 * The frame of the view; the service tells axes right, forward and up, where up is what is up in the pictures. In those
 * of a drone that looks down with many headings that is nothing; there it is against the view.
 * @param {{ axes: number[][], middle: number[], reach: number, frustum_depth: number }} told
 * @param {Camera[]} cameras
 * @returns {Frame}
 */
export function frameOf({ axes: [right, forward, up], middle, reach, frustum_depth: depth }, cameras) {
  const mean = (/** @type {number} */ row) => [0, 1, 2].map((k) => cameras.reduce((sum, { rotation }) => sum + rotation[row][k], 0) / cameras.length);
  const [down, look] = [mean(1), mean(2)];
  if (Math.hypot(...look) < 0.85 || Math.hypot(...down) > 0.7) return { axes: [right, up, forward.map((x) => -x)], middle, reach, depth };
  const above = unit(look.map((x) => -x));
  const side = unit(cross(up, above));
  return { axes: [side, above, cross(side, above)], middle, reach, depth };
}
