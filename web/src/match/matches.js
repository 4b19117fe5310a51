// The matches of two photographs: what the service tells, in arrays that are quick to draw.

/** How much of the slider is for doubtful matches, beside the 1 of those that need no confirmation. */
export const DOUBTFUL_SHARE = 0.25;

/**
 * A model of the geometry: which matches obey it, and by how many pixels each misses it.
 * @typedef {{ kind: string, ok: boolean, message: string, matrix: number[][] | null, inliers: Uint8Array, errors: Float64Array, threshold: number }} Model
 */

export class Matches {
  /** @param {any} told the document of the service */
  constructor(told) {
    const more = told.doubtful ?? { keypoints0: [], keypoints1: [], scores: [], indices: [] };
    this.document = told;
    this.id = /** @type {string} */ (told.id);
    this.certain = told.scores.length;
    this.points = [flat([...told.keypoints0, ...more.keypoints0]), flat([...told.keypoints1, ...more.keypoints1])];
    this.scores = Float32Array.from([...told.scores, ...more.scores]);
    this.count = this.scores.length;
    /** Numbers of the keypoints of both images, by match. */
    this.indices = /** @type {[number, number][]} */ ([...told.indices, ...more.indices]);
    this.keypoints = /** @type {number[]} */ (told.images.map((/** @type {{ keypoints: number }} */ image) => image.keypoints));
    /** @type {(Float32Array | null)[]} all keypoints, once they were asked for */
    this.all = [null, null];
    /** What the slider decides by: scores, and below 0 those of doubtful matches. */
    this.keys = this.scores.map((score, k) => (k < this.certain ? score : -DOUBTFUL_SHARE * (1 - score)));
    /** From the least to the most certain, so that these are drawn on top. */
    this.order = Uint32Array.from(this.keys.keys()).sort((a, b) => this.keys[a] - this.keys[b]);
  }

  /** A place of a match. @param {number} image 0 or 1 @param {number} match @returns {[number, number]} */
  place(image, match) {
    return [this.points[image][2 * match], this.points[image][2 * match + 1]];
  }

  /** A model as the service tells it. @param {any} told @returns {Model} */
  model(told) {
    return {
      kind: told.kind,
      ok: told.status === "ok" || told.matrix !== null,
      message: told.message,
      matrix: told.matrix,
      inliers: Uint8Array.from([...told.inliers, ...told.doubtful_inliers], Number),
      errors: Float64Array.from([...told.errors_px, ...told.doubtful_errors_px], (error) => error ?? Infinity),
      threshold: told.threshold_px,
    };
  }
}

/**
 * Whether the slider lets a match be shown. Doubtful matches that a model confirms are as good as others.
 * @param {{ matches: Matches | null, least: number, model: Model | null }} shown
 * @param {number} match
 */
export function reaches({ matches, least, model }, match) {
  if (!matches) return false;
  const confirmed = match >= matches.certain && model?.ok && model.inliers[match];
  return (confirmed ? 0 : matches.keys[match]) >= least;
}

/** @param {number[][]} points */
export function flat(points) {
  const made = new Float32Array(2 * points.length);
  points.forEach(([x, y], k) => made.set([x, y], 2 * k));
  return made;
}

/** Where a homography maps a place. @param {number[][]} H @param {number} x @param {number} y @returns {[number, number]} */
export function mapped(H, x, y) {
  const w = H[2][0] * x + H[2][1] * y + H[2][2];
  return [(H[0][0] * x + H[0][1] * y + H[0][2]) / w, (H[1][0] * x + H[1][1] * y + H[1][2]) / w];
}

/** The inverse of a 3x3 matrix. @param {number[][]} M */
export function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const det = a * A + b * B + c * C;
  return [[A, c * h - b * i, b * f - c * e], [B, a * i - c * g, c * d - a * f], [C, b * g - a * h, a * e - b * d]].map((row) => row.map((x) => x / det));
}
