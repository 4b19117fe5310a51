// Viridis: perceptually even, readable in grey and for the colour-blind.

const STOPS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
];

/**
 * The colour of a share, dark blue for 0 to yellow for 1.
 * @param {number} share
 * @returns {[number, number, number]} of 0 to 255
 */
export function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  const part = at - low;
  return /** @type {[number, number, number]} */ (STOPS[low].map((value, k) => Math.round(value + part * (STOPS[low + 1][k] - value))));
}

/** The same for style sheets and canvases. @param {number} share */
export function viridisText(share) {
  return `rgb(${viridis(share).join(" ")})`;
}
