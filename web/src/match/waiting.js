// What is said while the service matches.

import { $ } from "../dom.js";

const SLOW = 6000; // milliseconds after which waiting is explained
const SHORT = 150; // milliseconds that are too short to say anything

/**
 * Say what is going on while it does.
 * @param {import("./intake.js").Photo[]} photos
 * @returns {() => void} to call at the end
 */
export function showProgress(photos) {
  const start = performance.now();
  const tick = () => {
    const seconds = (performance.now() - start) / 1000;
    const slow = 1000 * seconds > SLOW;
    $("progress-title").textContent = slow ? "Still matching" : "Matching";
    $("progress-text").textContent = `${seconds.toFixed(1)} s${slow ? ", others may be waiting too, or the resolution is high" : ""}`;
  };
  $("summary").textContent = "Matching";
  $("summary-more").textContent = photos.map((photo) => `${photo.width} x ${photo.height}`).join(" and ");
  const show = setTimeout(() => ($("progress").hidden = false), SHORT);
  const timer = setInterval(tick, 100);
  tick();
  return () => {
    clearTimeout(show);
    clearInterval(timer);
    $("progress").hidden = true;
  };
}
