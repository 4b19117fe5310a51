// Mouse, touch and keys on the canvas: zoom, move, point at a match, pick one, paint.

import { mapped } from "./matches.js";
import { swipeAt, swipeShare } from "./overlay.js";

const NEAR_POINT = 11; // CSS pixels
const NEAR_LINE = 6;

/** @typedef {import("./stage.js").Stage} Stage */

/**
 * @param {Stage} stage
 * @param {{ hover: (match: number, x: number, y: number) => void, pick: (match: number) => void, paint: (pane: number, from: number[], to: number[]) => void,
 *   swipe: (share: number) => void, coupling: () => { forward: number[][], back: number[][] } | null }} act
 */
export function startPointer(stage, act) {
  const { canvas } = stage;
  /** @type {Map<number, { x: number, y: number }>} */
  const held = new Map();
  let moved = 0;
  let sliding = false;

  canvas.addEventListener("pointerdown", (event) => {
    const at = { x: event.offsetX, y: event.offsetY };
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at);
    if (held.size === 1) moved = 0;
    sliding = stage.overlaid && stage.shown.overlay.mode === "swipe" && Math.abs(at.x - swipeAt(stage.panes[0], stage.shown.overlay.amount)) < 22;
    if (stage.shown.brushing) paint(stage, act.paint, at, at);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = { x: event.offsetX, y: event.offsetY };
    const before = held.get(event.pointerId);
    if (!before) return act.hover(stage.overlaid ? -1 : matchAt(stage, at.x, at.y), at.x, at.y);
    held.set(event.pointerId, at);
    moved += Math.abs(at.x - before.x) + Math.abs(at.y - before.y);
    if (stage.shown.brushing && held.size === 1) return paint(stage, act.paint, before, at);
    if (sliding) return act.swipe(swipeShare(stage.panes[0], at.x));
    if (held.size === 2) pinch(stage, act, [...held.entries()], event.pointerId, before, at);
    else drag(stage, act, before, at);
  });
  const release = (/** @type {PointerEvent} */ event) => {
    const alone = held.size === 1 && held.has(event.pointerId);
    held.delete(event.pointerId);
    if (event.type === "pointerup" && alone && moved < 4 && !stage.shown.brushing && !stage.overlaid) act.pick(matchAt(stage, event.offsetX, event.offsetY));
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => held.size || act.hover(-1, 0, 0));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(stage, act, Math.exp(-0.0016 * event.deltaY * (event.deltaMode ? 30 : 1)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("dblclick", () => fit(stage));
}

/** Show both photographs whole. @param {Stage} stage */
export function fit(stage) {
  stage.panes.forEach((pane) => pane.fit());
  stage.ask();
}

/** @param {Stage} stage @param {{ coupling: () => any }} act @param {number} by @param {number} x @param {number} y */
export function zoom(stage, act, by, x, y) {
  const pane = stage.paneAt(x, y);
  if (!pane) return;
  pane.zoom(by, x, y);
  follow(stage, act, pane);
  stage.ask();
}

/** Zoom both about their middles. @param {Stage} stage @param {number} by */
export function zoomAll(stage, by) {
  for (const pane of stage.overlaid ? [stage.panes[0]] : stage.panes) {
    const { x, y, width, height } = pane.box;
    pane.zoom(by, x + width / 2, y + height / 2);
  }
  stage.ask();
}

/** @param {Stage} stage @param {{ coupling: () => any }} act @param {{ x: number, y: number }} before @param {{ x: number, y: number }} at */
function drag(stage, act, before, at) {
  const pane = stage.paneAt(before.x, before.y);
  if (!pane) return;
  pane.move(at.x - before.x, at.y - before.y);
  follow(stage, act, pane);
  stage.ask();
}

/** @param {Stage} stage @param {{ coupling: () => any }} act @param {[number, { x: number, y: number }][]} held @param {number} moving @param {{ x: number, y: number }} before @param {{ x: number, y: number }} at */
function pinch(stage, act, held, moving, before, at) {
  const [, other] = /** @type {[number, { x: number, y: number }]} */ (held.find(([id]) => id !== moving));
  const [was, is] = [before, at].map((p) => Math.hypot(p.x - other.x, p.y - other.y));
  zoom(stage, act, is / Math.max(1, was), (at.x + other.x) / 2, (at.y + other.y) / 2);
  const middle = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
  drag(stage, act, middle, { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
}

/** Where views are coupled, show in the other photograph what is in the middle of this one. @param {Stage} stage @param {{ coupling: () => any }} act @param {import("./pane.js").Pane} pane */
function follow(stage, act, pane) {
  const coupled = act.coupling();
  if (!coupled || stage.overlaid) return;
  const from = stage.panes.indexOf(pane);
  const H = from ? coupled.back : coupled.forward;
  const [x, y] = [pane.centre[0] - 0.5, pane.centre[1] - 0.5];
  const [u, v] = mapped(H, x, y);
  const [p, q] = mapped(H, x + 1, y);
  const [r, s] = mapped(H, x, y + 1);
  const growth = Math.sqrt(Math.abs((p - u) * (s - v) - (q - v) * (r - u)));
  const other = stage.panes[1 - from];
  other.scale = pane.scale / growth;
  other.look(u, v, 0);
}

/** The match that is pointed at: near one of its ends, else near its line; -1 for none. @param {Stage} stage @param {number} x @param {number} y */
export function matchAt(stage, x, y) {
  const { matches } = stage.shown;
  if (!matches || stage.shown.brushing) return -1;
  let [found, least] = [-1, Infinity];
  for (const match of matches.order) {
    if (!stage.shows(match)) continue;
    const [a, b] = stage.panes.map((pane, k) => pane.toScreen(...matches.place(/** @type {0 | 1} */ (k), match)));
    const seen = [stage.panes[0].holds(a[0], a[1]), stage.panes[1].holds(b[0], b[1])];
    const ends = Math.min(seen[0] ? Math.hypot(a[0] - x, a[1] - y) : Infinity, seen[1] ? Math.hypot(b[0] - x, b[1] - y) : Infinity);
    let off = ends < NEAR_POINT ? ends / NEAR_POINT : Infinity;
    if (off === Infinity && seen[0] && seen[1]) off = 1 + toLine(a, b, x, y) / NEAR_LINE;
    if (off <= least && off < 2) [found, least] = [match, off];
  }
  return found;
}

/** @param {number[]} a @param {number[]} b @param {number} x @param {number} y */
function toLine([a, b], [c, d], x, y) {
  const [u, v] = [c - a, d - b];
  const share = Math.min(Math.max(((x - a) * u + (y - b) * v) / (u * u + v * v || 1), 0), 1);
  return Math.hypot(a + share * u - x, b + share * v - y);
}

/** @param {Stage} stage @param {(pane: number, from: number[], to: number[]) => void} act @param {{ x: number, y: number }} before @param {{ x: number, y: number }} at */
function paint(stage, act, before, at) {
  const pane = stage.paneAt(before.x, before.y);
  if (!pane) return;
  act(stage.panes.indexOf(pane), [before.x, before.y], [at.x, at.y]);
}
