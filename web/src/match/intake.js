// How photographs come in: dropped, chosen, pasted, taken, or drawn as an example.

import * as api from "../api.js";
import { $, announce, el, icon } from "../dom.js";

const SIDE = 2048; // pixels of the longer side of what is drawn; positions are of the original all the same

/**
 * A photograph that the service has.
 * @typedef {{ name: string, file: Blob, id: string, width: number, height: number, picture: ImageBitmap, mask: HTMLCanvasElement | null }} Photo
 */

/** @typedef {0 | 1} Slot */

export class Intake {
  /** @param {(photos: Photo[]) => void} complete is told both, at first and whenever one is another */
  constructor(complete) {
    this.complete = complete;
    /** @type {((slot: Slot, name: string, error: Error) => void) | null} is told what could not be read */
    this.failed = null;
    /** @type {(Photo | null)[]} */
    this.photos = [null, null];
    /** @type {(AbortController | null)[]} */
    this.running = [null, null];
    this.inputs = [0, 1].map((slot) => this.#zone(/** @type {Slot} */ (slot)));
    this.#whole();
  }

  /** Let the person choose a file. @param {Slot} slot */
  choose(slot) {
    this.inputs[slot].click();
  }

  /** Exchange the two. */
  swap() {
    this.photos.reverse();
    if (this.photos[0] && this.photos[1]) this.complete(/** @type {Photo[]} */ ([...this.photos]));
  }

  /**
   * Take a file as a photograph, and tell when both are there.
   * @param {Slot} slot
   * @param {Blob} file
   * @param {string} [name]
   */
  async take(slot, file, name = file instanceof File ? file.name : "photograph.jpg") {
    this.running[slot]?.abort();
    const control = (this.running[slot] = new AbortController());
    this.photos[slot] = null;
    this.#face(slot, { busy: name });
    try {
      const photo = await uploaded(file, name, control.signal);
      if (control.signal.aborted) return;
      this.photos[slot] = photo;
      this.#face(slot, { photo });
      announce(`${name} is ready`);
    } catch (error) {
      if (control.signal.aborted) return;
      this.#face(slot, { problem: error instanceof Error ? error.message : String(error), name });
      this.failed?.(slot, name, /** @type {Error} */ (error));
      return;
    }
    if (this.photos[0] && this.photos[1]) this.complete(/** @type {Photo[]} */ ([...this.photos]));
  }

  /** Several at once fill both places. @param {Iterable<File>} files @param {Slot} [first] */
  takeAll(files, first) {
    const pictures = [...files].filter((file) => !file.type || file.type.startsWith("image/")).slice(0, 2);
    if (pictures.length === 2) pictures.forEach((file, slot) => this.take(/** @type {Slot} */ (slot), file));
    else if (pictures.length) this.take(first ?? this.#free(), pictures[0]);
    else for (const file of [...files].slice(0, 1)) this.#refuse(first ?? this.#free(), file.name);
    return pictures.length > 0;
  }

  /** @param {Slot} slot @param {string} name */
  #refuse(slot, name) {
    const error = new Error("not a photograph; JPEG, PNG, WebP, TIFF and others are read");
    if (!this.photos[slot]) this.#face(slot, { problem: error.message, name });
    this.failed?.(slot, name, error);
  }

  /** @returns {Slot} */
  #free() {
    return this.photos[0] || this.running[0] ? 1 : 0;
  }

  /** A place to drop one photograph. @param {Slot} slot @returns {HTMLInputElement} */
  #zone(slot) {
    const zone = $(`drop-${slot}`);
    const input = el("input", { type: "file", accept: "image/*", multiple: true, "aria-label": `Choose the ${slot ? "second" : "first"} photograph` });
    input.addEventListener("change", () => {
      this.takeAll(input.files, slot);
      input.value = "";
    });
    dropTarget(zone, (files) => this.takeAll(files, slot));
    zone.replaceChildren(el("div", { class: "drop-body" }), input, this.#actions(slot));
    this.#face(slot, {});
    return input;
  }

  /** @param {Slot} slot */
  #actions(slot) {
    const take = el("button", { type: "button", class: "button", textContent: "Camera", "aria-label": `Take the ${slot ? "second" : "first"} photograph with the camera` });
    take.addEventListener("click", async () => {
      const taken = await (await import("./shutter.js")).takePhotograph();
      if (taken) this.take(slot, taken, `camera-${slot ? "b" : "a"}.jpg`);
    });
    return el("div", { class: "drop-actions" }, take);
  }

  /** What a place shows. @param {Slot} slot @param {{ busy?: string, photo?: Photo, problem?: string, name?: string }} state */
  #face(slot, { busy, photo, problem, name }) {
    const zone = $(`drop-${slot}`);
    const body = /** @type {HTMLElement} */ (zone.firstElementChild);
    zone.dataset.filled = String(Boolean(photo));
    /** @type {HTMLElement} */ (zone.querySelector(".drop-actions")).hidden = Boolean(photo || busy || problem);
    if (photo) body.replaceChildren(el("img", { src: api.previewUrl(photo.id, 640), alt: photo.name }), el("span", { class: "drop-caption", textContent: photo.name }));
    else if (busy) body.replaceChildren(el("div", { class: "spinner" }), el("span", { class: "drop-caption", textContent: `Reading ${busy}` }));
    else if (problem) body.replaceChildren(this.#invitation(slot), el("p", { class: "problem", role: "alert" }, el("strong", { textContent: `${name}: ` }), problem));
    else body.replaceChildren(this.#invitation(slot));
  }

  /** @param {Slot} slot */
  #invitation(slot) {
    const how = el("span", { class: "note", textContent: "drop it here, click to choose, or paste" });
    return el("div", { class: "drop-face" }, icon("photo"), el("strong", { textContent: `${slot ? "Second" : "First"} photograph` }), how);
  }

  /** Pasting anywhere, and dropping beside the two places. */
  #whole() {
    document.addEventListener("paste", (event) => {
      if ($("match").hidden || !event.clipboardData) return;
      const files = [...event.clipboardData.files];
      if (this.takeAll(files)) event.preventDefault();
    });
    for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
    dropTarget($("intake"), (files) => this.takeAll(files));
  }
}

/**
 * Make an element take files that are dropped on it.
 * @param {HTMLElement} element
 * @param {(files: File[], event: DragEvent) => void} act
 */
export function dropTarget(element, act) {
  const over = (/** @type {boolean} */ on) => (element.dataset.over = String(on));
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  element.addEventListener("dragleave", () => over(false));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    over(false);
    act([...(event.dataTransfer?.files ?? [])], event);
  });
}

/**
 * Give a photograph to the service and get the picture of it that is drawn, turned as its EXIF says.
 * @param {Blob} file
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {Promise<Photo>}
 */
export async function uploaded(file, name, signal) {
  const { id, width, height } = await api.putImage(file, signal);
  const picture = await createImageBitmap(await api.pictureOf(api.previewUrl(id, SIDE), signal));
  return { name, file, id, width, height, picture, mask: null };
}
