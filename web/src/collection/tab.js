// The collection tab: images, pairs, the model, and photographs that are localised in it.

import * as api from "../api.js";
import { $, announce, el, icon, plural } from "../dom.js";
import { ImageList } from "./list.js";
import { startLocalise } from "./localise.js";
import { PairMatrix } from "./matrix.js";
import { cameraOf, frameOf, readPoints } from "./model.js";
import { Selected } from "./selected.js";

const SMOOTH = 300_000; // points

/** @typedef {{ index: number, name: string, registered: boolean, points: number, keypoints: number, matches: number, reason: string | null }} ImageFacts */

export class CollectionTab {
  constructor() {
    this.n = -1; // number of the collection
    this.name = "";
    /** @type {ImageFacts[]} */
    this.images = [];
    /** @type {import("./model.js").Camera[]} */
    this.cameras = [];
    /** @type {import("./scene.js").ModelScene | null} */
    this.scene = null;
  }

  /** Ask which collections there are; say so if there is none. */
  async start() {
    this.say("loading", "Asking for the collections");
    try {
      const told = await api.collections();
      if (!told.collections.length) return this.#none();
      this.#lay(told.collections);
      await this.open(told.collections[0].n);
    } catch (error) {
      if (error instanceof api.Problem && error.status === 404) return this.#none();
      this.#failed(/** @type {Error} */ (error));
    }
  }

  /** @param {string} state @param {string} [text] */
  say(state, text = "") {
    $("collection").dataset.state = state;
    if (state === "loading") $("collection").replaceChildren(el("div", { class: "empty", role: "status" }, el("div", { class: "spinner" }), el("p", { textContent: text })));
  }

  #none() {
    this.say("empty");
    const command = "cyano reconstruct photos --out model\ncyano serve --collection model --images photos";
    $("collection").replaceChildren(el("div", { class: "empty" }, icon("cube"), el("h2", { textContent: "No collection is open" }),
      el("p", { textContent: "A collection is a folder of photographs of one place, with the 3-D model that was made of them. Make one, and start the service with it:" }),
      el("pre", { textContent: command, tabIndex: 0 })));
  }

  /** @param {Error} error */
  #failed(error) {
    this.say("error");
    $("collection").replaceChildren(el("div", { class: "empty", role: "alert" }, icon("cube"), el("h2", { textContent: error instanceof api.Problem ? error.title : "The collection cannot be shown" }),
      el("p", { textContent: error.message }), el("button", { type: "button", class: "button primary", textContent: "Try again", onclick: () => this.start() })));
  }

  /** @param {{ n: number, name: string }[]} known */
  #lay(known) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("collection-template"));
    $("collection").replaceChildren(template.content.cloneNode(true));
    const choice = /** @type {HTMLSelectElement} */ ($("collection-choice"));
    choice.replaceChildren(...known.map(({ n, name }) => el("option", { value: n, textContent: name })));
    choice.addEventListener("change", () => this.open(Number(choice.value)));
    this.list = new ImageList((image) => this.select(image, true));
    this.matrix = new PairMatrix((a, b, stored) => this.showPair(a, b, stored));
    this.selected = new Selected(this);
    startLocalise(this);
    this.#controls();
  }

  /** Show a collection. @param {number} n */
  async open(n) {
    this.n = n;
    $("collection").dataset.state = "result";
    this.note(el("div", { class: "spinner" }), el("p", { textContent: "Loading the model" }));
    try {
      const [told, pairs] = await Promise.all([api.collection(n), api.pairs(n)]);
      if (n !== this.n) return;
      this.#facts(told);
      this.list?.open(n, this.images, told.previews);
      $("pairs-group").hidden = !pairs.pairs.length;
      this.matrix?.open(this.images, pairs.pairs);
      await this.#model(n, told);
    } catch (error) {
      if (n === this.n) this.#failed(/** @type {Error} */ (error));
    }
  }

  /** @param {any} told */
  #facts(told) {
    this.name = told.name;
    for (const [id, file] of /** @type {const} */ ([["save-ply", "points.ply"], ["save-colmap", "model.zip"]])) {
      const link = /** @type {HTMLAnchorElement} */ ($(id));
      link.href = api.modelUrl(this.n, file);
      link.download = `${told.name}_${file}`;
    }
    this.images = told.images.map((/** @type {any} */ image) => ({ ...image, index: image.i }));
    const registered = this.images.filter((image) => image.registered).length;
    $("collection-summary").textContent = registered === this.images.length ? `All ${plural(registered, "photograph")} are in the model` : `${registered} of ${plural(this.images.length, "photograph")} are in the model`;
  }

  /** Points and cameras, drawn by three.js, which is loaded for this alone. @param {number} n @param {any} told */
  async #model(n, told) {
    const [points, cameras] = await Promise.all([api.points(n).then((bytes) => readPoints(bytes, told.points.chunk)), api.cameras(n)]);
    if (n !== this.n) return;
    this.cameras = cameras.cameras.map((/** @type {any} */ each) => cameraOf(each.i, each.name, each.T_world_to_camera, each.half_view, each.points));
    $("collection-more").textContent = `${plural(points.count, "point")}, ${plural(told.pairs, "pair")}`;
    $("collection-verdict").textContent = told.sound === false ? told.verdict : "";
    if (!this.cameras.length) return this.note(icon("cube"), el("h2", { textContent: "No model yet" }), el("p", { textContent: "No photograph has a pose." }));
    try {
      const { ModelScene } = await import("./scene.js");
      this.scene ??= new ModelScene(/** @type {HTMLCanvasElement} */ ($("scene")), points.count < SMOOTH, { pick: (camera, point) => this.pick(camera, point), hover: (camera, x, y) => this.#hover(camera, x, y) });
    } catch (error) {
      console.warn(error);
      return this.note(icon("cube"), el("h2", { textContent: "No 3-D here" }), el("p", { textContent: "This browser does not offer WebGL 2. The images and pairs are beside this." }));
    }
    this.scene.open(points, this.cameras, frameOf(told.frame, this.cameras));
    this.note();
    if (told.previews) this.#thumbnails(n);
  }

  /** Photographs into their frusta, four at a time. @param {number} n */
  async #thumbnails(n) {
    const waiting = [...this.cameras.keys()];
    const side = this.cameras.length > 256 ? 64 : 256;
    const work = async () => {
      for (let k = waiting.shift(); k !== undefined && n === this.n; k = waiting.shift()) {
        try {
          const answer = await fetch(api.collectionPreviewUrl(n, this.cameras[k].image, side));
          if (answer.ok) this.scene?.frusta?.show(k, await createImageBitmap(await answer.blob()));
          this.scene?.ask();
        } catch {
          return; // without thumbnails the frusta are empty, and everything else works
        }
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    $("scene").dataset.thumbnails = "done";
  }

  /** Say something in place of the model. @param {...Node} content */
  note(...content) {
    $("scene-note").hidden = !content.length;
    $("scene-note").replaceChildren(...(content.length ? [el("div", { class: "empty" }, ...content)] : []));
  }

  /** A camera was clicked, or a point. @param {number} camera or -1 @param {number} point or -1 */
  async pick(camera, point) {
    this.select(camera < 0 ? -1 : this.cameras[camera].image, false);
    if (point < 0) return;
    const told = await api.track(this.n, point);
    const seen = new Set(told.images.map((/** @type {{ i: number }} */ each) => each.i));
    this.scene?.connect(point, this.cameras.filter((each) => seen.has(each.image)));
    this.selected?.showPoint(told);
  }

  /** @param {number} image or -1 @param {boolean} fly */
  select(image, fly) {
    const camera = this.cameras.findIndex((each) => each.image === image);
    this.scene?.mark("selected", camera);
    this.scene?.connect(-1, []);
    this.list?.mark(image);
    this.selected?.show(image < 0 ? null : this.images[image]);
    if (fly && camera >= 0) this.scene?.visit(this.cameras[camera]);
    if (image >= 0) announce(this.images[image].name);
  }

  /** @param {number} camera @param {number} x @param {number} y */
  #hover(camera, x, y) {
    const tip = $("scene-tip");
    tip.hidden = camera < 0;
    if (camera < 0) return;
    const { name, seen } = this.cameras[camera];
    tip.replaceChildren(el("strong", { textContent: name }), ...(seen ? [el("div", { textContent: `sees ${plural(seen, "point")}` })] : []));
    const { clientWidth: width, clientHeight: height } = $("scene");
    tip.style.transform = `translate(${Math.min(x + 14, width - tip.offsetWidth - 8)}px, ${Math.min(y + 14, height - tip.offsetHeight - 8)}px)`;
  }

  /** Show the stored matches of two images in the other tab; match them where there are none. @param {ImageFacts} a @param {ImageFacts} b @param {boolean} stored */
  async showPair(a, b, stored) {
    const { n } = this;
    const pair = [a, b];
    $("pair-text").textContent = `Fetching ${a.name} and ${b.name}`;
    try {
      const files = await Promise.all(pair.map(({ index }) => api.pictureOf(api.collectionPreviewUrl(n, index, 4096))));
      const names = pair.map(({ name }) => name.split("/").pop() ?? name);
      if (!stored) return void dispatchEvent(new CustomEvent("match-files", { detail: files.map((file, k) => new File([file], names[k], { type: file.type })) }));
      const told = await api.storedMatches(n, a.index, b.index);
      const photos = await Promise.all(files.map(async (file, k) => {
        const { width, height } = told.images[k];
        return { name: names[k], file, id: "", width, height, picture: await createImageBitmap(file), mask: null };
      }));
      dispatchEvent(new CustomEvent("match-stored", { detail: { photos, told, collection: this.name } }));
    } catch (error) {
      $("pair-text").textContent = /** @type {Error} */ (error).message;
    }
  }

  #controls() {
    for (const radio of document.querySelectorAll("#colours input")) radio.addEventListener("change", () => this.scene?.paint(/** @type {HTMLInputElement} */ (radio).value));
    /** @param {string} id @param {(value: number) => object} limit @param {((value: number) => string)} [text] */
    const slider = (id, limit, text) => {
      const input = /** @type {HTMLInputElement} */ ($(id));
      input.addEventListener("input", () => {
        this.scene?.limit(limit(Number(input.value)));
        if (text && input.nextElementSibling) input.nextElementSibling.textContent = text(Number(input.value));
      });
    };
    slider("least-track", (track) => ({ track }), (value) => `${value}+`);
    slider("most-error", (error) => ({ error: error >= 4 ? 1e9 : error }), (value) => (value >= 4 ? "any" : `${value.toFixed(1)} px`));
    slider("frustum-size", (depth) => ({ depth }));
    $("scene-home").addEventListener("click", () => this.scene?.home());
  }
}

/** Start the tab. */
export async function startCollection() {
  await new CollectionTab().start();
}
