// A photograph is dropped: where was it taken? Its frustum appears in the model, and the view flies there.

import * as api from "../api.js";
import { $, announce, el, icon, plural } from "../dom.js";
import { dropTarget, uploaded } from "../match/intake.js";
import { cameraOf } from "./model.js";

/** @typedef {import("./tab.js").CollectionTab} CollectionTab */

const TONES = { ok: "good", uncertain: "warn" };
const TITLES = { ok: "Found", uncertain: "Found, but it may be wrong" };

/** @param {CollectionTab} tab */
export function startLocalise(tab) {
  const strip = $("drop-query");
  const input = el("input", { type: "file", accept: "image/*", "aria-label": "Choose a photograph to localise" });
  const words = el("span", { textContent: "Drop a photograph of this place, or click to choose one." });
  const mark = el("span", {}, icon("photo"));
  strip.replaceChildren(mark, words, input);
  /** @type {AbortController | null} */
  let running = null;
  const busy = (/** @type {string} */ text) => {
    strip.dataset.busy = String(Boolean(text));
    mark.replaceChildren(text ? el("div", { class: "spinner" }) : icon("photo"));
    words.textContent = text || "Drop another photograph, or click to choose one.";
  };
  const take = async (/** @type {File | undefined} */ file) => {
    if (!file) return;
    running?.abort();
    const control = (running = new AbortController());
    $("query-found").replaceChildren();
    busy(`Reading ${file.name}`);
    try {
      const photo = await uploaded(file, file.name, control.signal);
      busy("Comparing it with the model");
      const found = await api.localise(tab.n, { image: photo.id }, control.signal);
      show(tab, photo, found);
    } catch (error) {
      if (!control.signal.aborted) $("query-found").replaceChildren(card("bad", error instanceof api.Problem ? error.title : "Not localised", /** @type {Error} */ (error).message, []));
    } finally {
      if (running === control) busy("");
    }
  };
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
  dropTarget(strip, (files) => take(files[0]));
  dropTarget($("scene"), (files) => take(files[0]));
}

/** @param {CollectionTab} tab @param {import("../match/intake.js").Photo} photo @param {any} found */
function show(tab, photo, found) {
  const tone = TONES[/** @type {"ok"} */ (found.status)] ?? "bad";
  const title = TITLES[/** @type {"ok"} */ (found.status)] ?? `No pose: ${found.status}`;
  const placed = Boolean(found.camera);
  const facts = placed
    ? [["Confidence", `${Math.round(100 * found.confidence)} %`], ["Inliers", plural(found.inliers, "keypoint")], ["At", numbers(found.centre)], ["Towards", numbers(found.direction)], ["Most like", tab.images[found.candidates[0]?.i]?.name ?? ""]]
    : [];
  $("query-found").replaceChildren(card(tone, title, found.message, facts.filter(([, value]) => value)));
  announce(`${title}. ${found.message}`);
  if (!placed || !tab.scene) return;
  tab.scene.welcome(cameraOf(-1, photo.name, found.T_world_to_camera, found.half_view, found.inliers), photo.picture);
}

/** @param {number[]} values */
const numbers = (values) => (values ? values.map((value) => value.toFixed(2)).join(", ") : "");

/** @param {string} tone @param {string} title @param {string} text @param {string[][]} facts */
function card(tone, title, text, facts) {
  const list = el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", { textContent: value })]));
  return el("div", { class: "found", "data-tone": tone }, el("strong", { textContent: title }), el("span", { textContent: text }), list);
}
