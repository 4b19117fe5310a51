// The same as a command and as Python; and what can be saved.

import * as api from "../api.js";
import { $, copy, save, toast } from "../dom.js";

/** @typedef {import("./tab.js").Tab} Tab */

/** Tell both of what the tab shows. @param {Tab} tab */
export async function tellTakeaway({ shown: { photos, matches }, options, geometry }) {
  const settings = {
    names: photos.map((photo) => photo.name), resize: options.resize, maxKeypoints: options.max_keypoints, rotations: options.rotations === "auto", views: options.views === "auto",
    masks: photos.map((photo) => Boolean(photo.mask)), geometry: geometry.kind, threshold: Number(geometry.threshold.value), focal: geometry.focal, sizes: photos,
  };
  const stored = !matches?.document.configuration;
  const { asCommand, asPython } = await import("./program.js");
  $("as-command").textContent = (stored ? "# these are stored; this matches them anew\n" : "") + asCommand(settings);
  $("as-python").textContent = asPython(settings);
}

/** The buttons that save and copy. @param {Tab} tab */
export function startTakeaway(tab) {
  const name = () => tab.shown.photos.map((photo) => photo.name.replace(/\.[^.]*$/, "")).join("_");
  $("save-png").addEventListener("click", () => tab.canvas.toBlob((picture) => picture && save(picture, `${name()}_matches.png`)));
  $("save-json").addEventListener("click", () => save(new Blob([JSON.stringify(tab.shown.matches?.document, null, 1)], { type: "application/json" }), `${name()}_matches.json`));
  $("save-npz").addEventListener("click", async () => {
    try {
      if (tab.shown.matches) save(await api.matchArchive(tab.shown.matches.id), `${name()}_matches.npz`);
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  });
  for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy($(/** @type {HTMLElement} */ (button).dataset.copy ?? "").textContent ?? ""));
}
