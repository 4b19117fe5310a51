// The canvas by keyboard: from match to match, the surest first.

import { announce } from "../dom.js";
import { fit, zoomAll } from "./pointer.js";

/** @param {import("./tab.js").Tab} tab */
export function startKeys(tab) {
  const { stage, shown, canvas } = tab;
  const step = (/** @type {1 | -1} */ by) => {
    const { matches, hovered } = shown;
    if (!matches) return;
    const order = [...matches.order].reverse().filter((match) => stage.shows(match));
    if (!order.length) return;
    const match = order[(order.indexOf(hovered) + by + order.length) % order.length];
    const [x, y] = stage.panes[0].toScreen(...matches.place(0, match));
    tab.hover(match, x, y);
    announce(`${(100 * matches.scores[match]).toFixed(0)} percent`);
  };
  const letGo = () => {
    tab.hover(-1, 0, 0);
    tab.pick(-1);
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowRight: () => step(1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
    Enter: () => tab.pick(shown.hovered), Escape: letGo, k: () => tab.toggleKeypoints(),
    "+": () => zoomAll(stage, 1.25), "=": () => zoomAll(stage, 1.25), "-": () => zoomAll(stage, 0.8), 0: () => fit(stage),
  };
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}
