// The match tab: what is known, and who is told when it changes.

import * as api from "../api.js";
import { $, announce, plural, toast } from "../dom.js";
import { maskOf, paint, startBrush, stopBrush } from "./brush.js";
import { drawScores, sliderSpan } from "./charts.js";
import { GeometryControls, OverlayControls } from "./geometry.js";
import { dropTarget, Intake } from "./intake.js";
import { flat, Matches, reaches } from "./matches.js";
import { fit, startPointer, zoomAll } from "./pointer.js";
import { showPartners, showPicked, tipOf } from "./picked.js";
import { Stage } from "./stage.js";
import { startKeys } from "./keys.js";
import { startTakeaway, tellTakeaway } from "./takeaway.js";
import { hideVerdict, showProblem, showNone } from "./verdicts.js";
import { showProgress } from "./waiting.js";

/** @typedef {import("./intake.js").Photo} Photo */

export class Tab {
  constructor() {
    /** @type {import("./stage.js").Shown} */
    this.shown = {
      photos: [], matches: null, least: 0, model: null, inliers: true, outliers: true, keypoints: false,
      hovered: -1, picked: -1, partners: [], overlay: { mode: "off", amount: 0.5, picture: null }, brushing: false,
    };
    this.canvas = /** @type {HTMLCanvasElement} */ ($("view"));
    this.sure = /** @type {HTMLInputElement} */ ($("sure"));
    this.locked = false;
    /** @type {AbortController | null} */
    this.running = null;
    this.stage = new Stage(this.canvas, this.shown);
    this.intake = new Intake((photos) => this.open(photos));
    this.intake.failed = (slot, name, error) => $("pair").hidden || showProblem(error, `${name} could not be read`, () => this.intake.choose(slot));
    this.geometry = new GeometryControls(this);
    this.overlay = new OverlayControls(this);
    startPointer(this.stage, {
      hover: (match, x, y) => this.hover(match, x, y),
      pick: (match) => this.pick(match),
      paint: (pane, from, to) => paint(this, pane, from, to),
      swipe: (share) => this.overlay.set(share),
      coupling: () => (this.locked ? this.geometry.coupling() : null),
    });
    this.#controls();
    startKeys(this);
    addEventListener("match-files", (event) => {
      location.hash = "match";
      this.intake.takeAll(/** @type {CustomEvent} */ (event).detail);
    });
    addEventListener("match-stored", (event) => this.openStored(/** @type {CustomEvent} */ (event).detail));
    addEventListener("theme", () => this.refresh());
    addEventListener("resize", () => this.refresh());
  }

  /** @param {string} state */
  set state(state) {
    $("match").dataset.state = state;
  }

  /** Show two photographs and match them. @param {Photo[]} photos */
  open(photos) {
    this.#lay(photos);
    this.match();
  }

  /** Show two photographs of a collection with the matches that it has stored. @param {{ photos: Photo[], told: any, collection: string }} stored */
  openStored({ photos, told, collection }) {
    location.hash = "match";
    this.intake.photos = [...photos];
    this.#clear();
    this.running = null;
    $("progress").hidden = true;
    this.#lay(photos);
    const [model] = told.models;
    this.geometry.set(!model ? "none" : model.kind === "homography" ? "homography" : "fundamental");
    const agreed = model ? `, ${model.inliers.filter(Boolean).length.toLocaleString("en")} of them verified` : "";
    this.found(new Matches(told), `stored in ${collection}${agreed}`);
  }

  /** @param {Photo[]} photos */
  #lay(photos) {
    Object.assign(this.shown, { photos, matches: null });
    this.geometry.forget();
    $("intake").hidden = true;
    $("pair").hidden = false;
    photos.forEach((photo, k) => {
      /** @type {HTMLElement} */ ($(`change-${k}`).querySelector(".text")).textContent = photo.name;
    });
    this.stage.renew();
  }

  /** Let go of whatever is known of the pair before. */
  #clear() {
    this.running?.abort();
    Object.assign(this.shown, { matches: null, hovered: -1, picked: -1, partners: [] });
    this.geometry.forget();
    stopBrush(this);
    this.overlay.off();
    hideVerdict();
  }

  /** What the controls under "again with" ask for. */
  get options() {
    const number = (/** @type {string} */ id) => Number(/** @type {HTMLSelectElement} */ ($(id)).value) || null;
    const search = (/** @type {string} */ id) => (/** @type {HTMLInputElement} */ ($(id)).checked ? "auto" : "off");
    return { resize: number("resize"), max_keypoints: number("max-keypoints"), rotations: search("rotations"), views: search("views") };
  }

  /** Ask the service for the matches. */
  async match() {
    this.#clear();
    const control = (this.running = new AbortController());
    const { photos } = this.shown;
    this.state = "busy";
    this.stage.ask();
    const stop = showProgress(photos);
    try {
      const matches = new Matches(await this.#ask(photos, control.signal));
      if (control === this.running) this.found(matches);
    } catch (error) {
      if (control === this.running && !control.signal.aborted) this.fail(/** @type {Error} */ (error));
    } finally {
      if (control === this.running) stop();
    }
  }

  /** Ask for the matches; photographs that the service has forgotten, or a new service never had, are given to it again. @param {Photo[]} photos @param {AbortSignal} signal @param {boolean} [anew] @returns {Promise<any>} */
  async #ask(photos, signal, anew = photos.some(({ id }) => !id)) {
    const masks = await Promise.all(photos.map(maskOf));
    const ids = await Promise.all(masks.map((mask) => mask && api.putImage(mask, signal)));
    if (anew) await Promise.all(photos.map(async (photo) => (photo.id = (await api.putImage(photo.file, signal)).id)));
    const request = { image0: photos[0].id, image1: photos[1].id, name0: photos[0].name, name1: photos[1].name, options: this.options };
    ids.forEach((told, k) => told && Object.assign(request, { [`mask${k}`]: told.id }));
    try {
      return await api.match(request, signal);
    } catch (error) {
      if (anew || !(error instanceof api.Problem && error.status === 404)) throw error;
      return this.#ask(photos, signal, true);
    }
  }

  /** @param {Matches} matches @param {string} [origin] of matches that were not found now */
  found(matches, origin) {
    this.shown.matches = matches;
    const span = sliderSpan(matches);
    this.sure.max = String(span);
    this.sure.value = "1";
    this.shown.least = 0;
    /** @type {HTMLButtonElement} */ ($("again")).disabled = false;
    this.state = matches.certain ? "result" : "none";
    const { seconds, configuration } = matches.document;
    const [a, b] = matches.keypoints.map((count) => count.toLocaleString("en"));
    $("summary-more").textContent = `${a} and ${b} keypoints, ${origin ?? `${seconds.match.toFixed(2)} s on ${configuration.device}`}`;
    showPickedNothing();
    if (!matches.certain) showNone(matches, () => $("again-group").setAttribute("open", ""));
    if (this.shown.keypoints) this.#fetchKeypoints();
    this.slide();
    this.geometry.estimate();
    announce(plural(matches.certain, "match", "matches"));
  }

  /** @param {Error} error */
  fail(error) {
    this.state = "error";
    $("summary").textContent = "Not matched";
    $("summary-more").textContent = "The photographs are still here.";
    /** @type {HTMLButtonElement} */ ($("again")).disabled = false;
    showProblem(error, "These could not be matched", () => this.match());
  }

  /** How many matches are shown. */
  get count() {
    let count = 0;
    for (let match = 0; match < (this.shown.matches?.count ?? 0); match++) count += Number(reaches(this.shown, match));
    return count;
  }

  /** Draw everything that follows from what is shown; no request is made. */
  refresh() {
    const { matches, least } = this.shown;
    if (matches) {
      drawScores(/** @type {HTMLCanvasElement} */ ($("scores")), matches, least, Number(this.sure.max));
      this.geometry.refresh();
      $("summary").textContent = matches.certain ? this.geometry.sentence(this.count) : "No matches";
      this.#sureText();
      tellTakeaway(this);
    }
    /** @type {HTMLButtonElement} */ ($("lock")).disabled = !this.geometry.coupling();
    this.stage.ask();
  }

  /** The slider moved. */
  slide() {
    const { matches } = this.shown;
    if (!matches) return;
    const least = 1 - Number(this.sure.value);
    this.shown.least = Math.abs(least) < 1e-9 ? 0 : least;
    this.refresh();
  }

  #sureText() {
    const { least } = this.shown;
    const count = this.count.toLocaleString("en");
    const text = least < 0 ? `${count}, doubtful ones too` : least === 0 ? `all ${count}` : `${count} above ${Math.round(100 * least)} %`;
    $("sure-text").textContent = text;
    this.sure.setAttribute("aria-valuetext", text);
  }

  /** @param {number} match @param {number} x @param {number} y */
  hover(match, x, y) {
    const tip = $("tip");
    tip.hidden = match < 0;
    this.canvas.dataset.mode = this.shown.brushing ? "brush" : match >= 0 ? "pick" : "";
    if (match >= 0 && this.shown.matches) {
      tip.replaceChildren(...tipOf(this.shown.matches, this.shown.model, match));
      const { clientWidth: w, clientHeight: h } = this.canvas;
      tip.style.transform = `translate(${Math.max(4, Math.min(x + 16, w - tip.offsetWidth - 8))}px, ${Math.max(4, Math.min(y + 16, h - tip.offsetHeight - 8))}px)`;
    }
    if (match === this.shown.hovered) return;
    this.shown.hovered = match;
    this.stage.ask();
  }

  /** Look at one match, or at none. @param {number} match */
  async pick(match) {
    const { matches, photos } = this.shown;
    Object.assign(this.shown, { picked: match, partners: [] });
    this.stage.ask();
    if (match < 0 || !matches) return showPickedNothing();
    const panel = $("picked");
    $("picked-group").setAttribute("open", "");
    const box = showPicked(panel, photos, matches, match);
    announce(`Score ${(100 * matches.scores[match]).toFixed(0)} percent, A ${matches.place(0, match).map(Math.round)}, B ${matches.place(1, match).map(Math.round)}`);
    try {
      const told = await api.alternatives(matches.id, matches.indices[match][0]);
      if (this.shown.picked !== match || this.shown.matches !== matches) return;
      const others = told.partners.filter((/** @type {any} */ each) => each.keypoint !== matches.indices[match][1]);
      this.shown.partners = others.map((/** @type {any} */ { position: [x, y], probability }) => ({ x, y, probability }));
      showPartners(box, told, ({ position }) => this.look(matches.place(0, match), position));
      this.stage.ask();
    } catch (error) {
      box.textContent = /** @type {Error} */ (error).message;
      box.className = "note";
    }
  }

  /** Bring two places to the middles of their views. @param {[number, number]} a @param {[number, number]} b */
  look(a, b) {
    [a, b].forEach((place, k) => this.stage.panes[k].look(...place, Math.min(4, 3 * this.stage.panes[k].whole)));
    this.stage.ask();
  }

  async #fetchKeypoints() {
    const { matches } = this.shown;
    if (!matches || matches.all[0]) return;
    try {
      const told = await api.allKeypoints(matches.id);
      matches.all = [flat(told.keypoints0), flat(told.keypoints1)];
      this.stage.ask();
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    }
  }

  /** Show all keypoints, or the matched ones alone. */
  toggleKeypoints() {
    this.shown.keypoints = !this.shown.keypoints;
    $("show-keypoints").setAttribute("aria-pressed", String(this.shown.keypoints));
    if (this.shown.keypoints) this.#fetchKeypoints();
    this.stage.ask();
  }

  #controls() {
    /** @param {string} id @param {() => void} act */
    const on = (id, act) => $(id).addEventListener("click", act);
    this.sure.addEventListener("input", () => this.slide());
    on("example", async () => (await (await import("./example.js")).examplePair()).forEach(({ name, file }, slot) => this.intake.take(/** @type {0 | 1} */ (slot), file, name)));
    on("change-0", () => this.intake.choose(0));
    on("change-1", () => this.intake.choose(1));
    on("swap", () => this.intake.swap());
    on("show-keypoints", () => this.toggleKeypoints());
    on("lock", () => {
      this.locked = !this.locked;
      $("lock").setAttribute("aria-pressed", String(this.locked));
    });
    on("zoom-in", () => zoomAll(this.stage, 1.4));
    on("zoom-out", () => zoomAll(this.stage, 1 / 1.4));
    on("fit", () => fit(this.stage));
    on("cancel", () => {
      this.running?.abort();
      this.running = null;
      $("progress").hidden = true;
      this.state = "error";
      $("summary").textContent = "Cancelled";
      /** @type {HTMLButtonElement} */ ($("again")).disabled = false;
    });
    on("again", () => this.match());
    startBrush(this);
    startTakeaway(this);
    dropTarget($("pair"), (files, event) => {
      const box = this.canvas.getBoundingClientRect();
      const pane = this.stage.paneAt(event.clientX - box.left, event.clientY - box.top);
      this.intake.takeAll(files, /** @type {0 | 1} */ (Math.max(0, pane ? this.stage.panes.indexOf(pane) : 1)));
    });
  }

}

function showPickedNothing() {
  $("picked").replaceChildren(Object.assign(document.createElement("p"), { className: "note", textContent: "Point at a line, or click a keypoint: its score, its place in both photographs and what else it might be." }));
}

/** Start the tab. */
export function startMatch() {
  return new Tab();
}
