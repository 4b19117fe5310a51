// The model that matches are asked to obey, and the second photograph in the frame of the first.

import * as api from "../api.js";
import { $, later, plural } from "../dom.js";
import { drawErrors } from "./charts.js";
import { inverse, reaches } from "./matches.js";

/** @typedef {import("./tab.js").Tab} Tab */

const USUAL = { homography: 3, fundamental: 1, pose: 1 };
const NAMES = { homography: "one homography", fundamental: "one fundamental matrix", pose: "one motion of the camera" };

export class GeometryControls {
  /** @param {Tab} tab */
  constructor(tab) {
    this.tab = tab;
    this.serial = 0;
    this.threshold = /** @type {HTMLInputElement} */ ($("threshold"));
    const ask = later(() => this.estimate(), 120);
    for (const radio of document.querySelectorAll("#geometry input")) radio.addEventListener("change", () => this.choose(this.kind));
    this.threshold.addEventListener("input", () => {
      $("threshold-text").textContent = `${this.threshold.value} px`;
      ask();
    });
    for (const slot of [0, 1]) $(`focal-${slot}`).addEventListener("input", later(() => this.estimate(), 500));
    for (const kind of /** @type {const} */ (["inliers", "outliers"])) {
      $(`show-${kind}`).addEventListener("change", (event) => {
        tab.shown[kind] = /** @type {HTMLInputElement} */ (event.target).checked;
        tab.refresh();
      });
    }
  }

  get kind() {
    return /** @type {HTMLInputElement} */ (document.querySelector("#geometry input:checked")).value;
  }

  /** Choose what is estimated, without asking for it yet. @param {string} kind */
  set(kind) {
    /** @type {HTMLInputElement} */ (document.querySelector(`#geometry input[value=${kind}]`)).checked = true;
    this.choose(kind);
  }

  /** Drop the model, and the answer to whatever was asked. */
  forget() {
    this.serial += 1;
    this.tab.shown.model = null;
  }

  /** Focal lengths that were given, in pixels. @returns {(number | null)[]} */
  get focal() {
    return [0, 1].map((slot) => Number(/** @type {HTMLInputElement} */ ($(`focal-${slot}`)).value) || null);
  }

  /** @param {string} kind */
  choose(kind) {
    $("geometry-more").hidden = kind === "none";
    $("focal-fields").hidden = kind !== "pose";
    if (kind !== "none") {
      this.threshold.value = String(USUAL[/** @type {"homography"} */ (kind)]);
      $("threshold-text").textContent = `${this.threshold.value} px`;
    }
    this.estimate();
  }

  /** Ask for the model anew; an older answer that comes later is dropped. */
  async estimate() {
    const { tab, kind } = this;
    const { matches, photos } = tab.shown;
    const serial = ++this.serial;
    if (!matches || kind === "none") return this.tell(null);
    const cameras = this.focal.map((f, k) => f && { fx: f, fy: f, cx: (photos[k].width - 1) / 2, cy: (photos[k].height - 1) / 2 });
    try {
      const told = await api.geometry(matches.id, { kind, threshold_px: Number(this.threshold.value), ...(kind === "pose" ? { camera0: cameras[0], camera1: cameras[1] } : {}) });
      if (serial === this.serial) this.tell(matches.model(told));
    } catch (error) {
      if (serial === this.serial) this.tell(null, /** @type {Error} */ (error).message);
    }
  }

  /** @param {import("./matches.js").Model | null} model @param {string} [problem] */
  tell(model, problem = "") {
    this.tab.shown.model = model;
    $("geometry-text").textContent = problem || model?.message || "";
    $("geometry-text").dataset.tone = problem ? "bad" : model && !model.ok ? "warn" : "";
    for (const id of ["residuals", "residual-ends"]) $(id).hidden = !model?.ok;
    this.tab.refresh();
  }

  /** Draw what depends on which matches are shown. */
  refresh() {
    const { model } = this.tab.shown;
    if (!model?.ok) return;
    /** @type {HTMLElement} */ ($("residual-ends").lastElementChild).textContent = `${(3 * model.threshold).toFixed(0)} px +`;
    drawErrors(/** @type {HTMLCanvasElement} */ ($("residuals")), model, (match) => reaches(this.tab.shown, match));
  }

  /** How many matches are shown and how many of them agree, in words. @param {number} count */
  sentence(count) {
    const { model, matches } = this.tab.shown;
    const told = plural(count, "match", "matches");
    if (!matches || !model?.ok) return told;
    let agree = 0;
    for (let k = 0; k < matches.count; k++) agree += Number(model.inliers[k] && reaches(this.tab.shown, k));
    return `${told}, ${agree.toLocaleString("en")} agree with ${NAMES[/** @type {"homography"} */ (model.kind)]}`;
  }

  /** The homography both ways, where one was estimated. */
  coupling() {
    const { model } = this.tab.shown;
    return model?.ok && model.kind === "homography" && model.matrix ? { forward: model.matrix, back: inverse(model.matrix) } : null;
  }
}

export class OverlayControls {
  /** @param {Tab} tab */
  constructor(tab) {
    this.tab = tab;
    this.amount = /** @type {HTMLInputElement} */ ($("overlay-amount"));
    /** @type {{ key: string, picture: ImageBitmap } | null} */
    this.kept = null;
    this.timer = 0;
    for (const radio of document.querySelectorAll("#overlay input")) radio.addEventListener("change", () => this.choose());
    this.amount.addEventListener("input", () => this.set(Number(this.amount.value)));
  }

  get mode() {
    return /** @type {HTMLInputElement} */ (document.querySelector("#overlay input:checked")).value;
  }

  /** Back to the matches. */
  off() {
    /** @type {HTMLInputElement} */ (document.querySelector("#overlay input[value=off]")).checked = true;
    this.choose();
  }

  /** @param {number} amount */
  set(amount) {
    this.tab.shown.overlay.amount = amount;
    this.amount.value = String(amount);
    /** @type {HTMLElement} */ ($("overlay-field").querySelector("output")).textContent = `${Math.round(100 * amount)} %`;
    this.tab.stage.ask();
  }

  async choose() {
    const { mode, tab } = this;
    clearInterval(this.timer);
    $("overlay-field").hidden = !["swipe", "blend"].includes(mode);
    $("overlay-name").textContent = mode === "swipe" ? "Position" : "Strength";
    this.say("");
    tab.shown.overlay.mode = mode;
    if (mode === "off") {
      tab.stage.panes[0]?.fit();
      return tab.stage.ask();
    }
    await this.#fetch();
    if (!tab.shown.overlay.picture) return;
    this.set(mode === "blink" ? 0 : 0.5);
    if (mode === "blink") {
      this.timer = setInterval(() => this.set(1 - Math.round(tab.shown.overlay.amount)), 700);
      this.say("A and B take turns in the same frame.");
    }
    if (mode === "difference") this.say("Black where both are the same.");
    tab.stage.panes[0].fit();
    tab.stage.ask();
  }

  /** @param {string} text @param {string} [tone] */
  say(text, tone = "") {
    $("overlay-text").textContent = text;
    $("overlay-text").dataset.tone = tone;
    $("overlay-text").hidden = !text;
  }

  async #fetch() {
    const { overlay, matches } = this.tab.shown;
    if (!matches) return;
    const { kind, threshold } = this.tab.geometry;
    const px = kind === "homography" ? Number(threshold.value) : USUAL.homography;
    const key = `${matches.id} ${px}`;
    if (this.kept?.key !== key) {
      this.say("Bringing B into the frame of A");
      overlay.picture = null;
      try {
        this.kept = { key, picture: await createImageBitmap(await api.registered(matches.id, px)) };
        this.say("");
      } catch (error) {
        this.kept = null;
        return this.say(/** @type {Error} */ (error).message, "bad");
      }
    }
    overlay.picture = this.kept.picture;
  }
}

