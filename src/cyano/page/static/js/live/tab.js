// The live tab: pictures of a camera or a movie beside their anchor, with the original demo's keys.

import * as api from "../api.js";
import { $, el, icon } from "../dom.js";
import { Matches } from "../match/matches.js";
import { startPointer } from "../match/pointer.js";
import { Stage } from "../match/stage.js";
import { documentOf, readFrame } from "./message.js";

const AGAIN = [1000, 2000, 5000]; // milliseconds between attempts to connect
const KEYS = { n: "this frame becomes the anchor", e: "more keypoints: threshold down", r: "fewer keypoints: threshold up", d: "more matches: threshold down", f: "surer matches: threshold up", k: "show all keypoints", " ": "pause", q: "end it" };

/** @typedef {import("./message.js").Header} Header */

class LiveTab {
  constructor() {
    /** @type {WebSocket | null} */
    this.socket = null;
    this.attempts = 0;
    this.laid = false;
    /** @type {Header | null} */
    this.header = null;
    /** @type {number[]} */
    this.times = [];
    /** @type {ImageBitmap[]} */
    this.pictures = [];
  }

  connect() {
    if (!this.laid) this.#page("loading", el("div", { class: "spinner" }), el("p", { textContent: "Looking for live pictures" }));
    const socket = (this.socket = new WebSocket(api.liveUrl()));
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.attempts = 0;
      if (!this.laid) this.#lay();
      $("live-progress").hidden = false;
      $("live-text").textContent = "Connected, waiting for a frame";
    });
    socket.addEventListener("message", (event) => this.receive(event.data));
    socket.addEventListener("close", () => this.#closed(opened));
  }

  /** @param {string | ArrayBuffer} data */
  async receive(data) {
    if (typeof data === "string") return this.#told(JSON.parse(data));
    const frame = readFrame(data);
    const [anchor, picture] = await Promise.all([frame.anchor, frame.picture].map((blob) => blob && createImageBitmap(blob)));
    if (anchor) this.pictures[0] = anchor;
    if (picture) this.pictures[1] = picture;
    const photos = frame.header.sizes.map(([width, height], k) => ({ name: k ? frame.header.source : "anchor", file: new Blob(), id: "", width, height, picture: this.pictures[k], mask: null }));
    const same = this.shown?.photos.every((photo, k) => photo.width === photos[k].width && photo.height === photos[k].height);
    if (!this.shown || !this.stage) return;
    const matches = new Matches(documentOf(frame));
    matches.all = [frame.points[0] ?? null, frame.points[1] ?? null];
    Object.assign(this.shown, { photos, matches, hovered: -1, keypoints: frame.points.length > 0 });
    if (same && this.stage.panes.length) this.stage.ask();
    else this.stage.renew();
    this.#figures(frame.header);
    this.send("shown");
  }

  /** @param {string} command @param {unknown} [value] */
  send(command, value) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(value === undefined ? { command } : { command, value }));
  }

  /** @param {Header} header */
  #figures(header) {
    this.times = [...this.times.slice(-19), performance.now()];
    const span = this.times[this.times.length - 1] - this.times[0];
    $("live-matches").textContent = header.matches.toLocaleString("en");
    $("live-keypoints").textContent = String(header.keypoints[1]);
    $("live-rate").textContent = span ? ((1000 * (this.times.length - 1)) / span).toFixed(1) : "-";
    $("live-age").textContent = (1000 * Object.values(header.seconds).reduce((sum, value) => sum + value, 0)).toFixed(0);
    this.#told(header);
  }

  /** What a header or a message without a frame says. @param {Header} told */
  #told(told) {
    if (told.error) return void ($("live-text").textContent = told.error);
    this.header = { ...this.header, ...told };
    const texts = { running: "Live", paused: "Paused", ended: "The end", failed: "The source failed" };
    $("live-summary").textContent = texts[/** @type {"running"} */ (told.state)] ?? told.state;
    $("live-more").textContent = [told.source, told.message].filter(Boolean).join(": ");
    $("live-progress").hidden = told.state === "running" && this.pictures.length > 0;
    if (told.state !== "running") $("live-text").textContent = told.message || texts[/** @type {"paused"} */ (told.state)];
    const threshold = /** @type {HTMLInputElement} */ ($("live-threshold"));
    if (document.activeElement !== threshold) threshold.value = String(told.match_threshold);
    /** @type {HTMLElement} */ (threshold.nextElementSibling).textContent = Number(threshold.value).toFixed(2);
  }

  /** @param {boolean} opened */
  #closed(opened) {
    if (this.laid) {
      $("live-progress").hidden = false;
      $("live-text").textContent = "The connection is gone; trying again";
    } else if (!opened && this.attempts >= 1) return this.#empty();
    setTimeout(() => this.connect(), AGAIN[Math.min(this.attempts++, AGAIN.length - 1)]);
  }

  #empty() {
    this.#page("empty", icon("film"), el("h2", { textContent: "No live pictures" }),
      el("p", { textContent: "This service was not started with a camera or a movie. One that is shows each frame here, matched with its anchor:" }),
      el("pre", { textContent: "cyano live 0             # the first camera\ncyano live walk.mp4", tabIndex: 0 }),
      el("button", { type: "button", class: "button", textContent: "Look again", onclick: () => { this.attempts = 0; this.connect(); } }));
  }

  /** @param {string} state @param {...Node} content */
  #page(state, ...content) {
    $("live").dataset.state = state;
    $("live").replaceChildren(el("div", { class: "empty" }, ...content));
  }

  #lay() {
    this.laid = true;
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("live-template"));
    $("live").dataset.state = "result";
    $("live").replaceChildren(template.content.cloneNode(true));
    /** @type {import("../match/stage.js").Shown} */
    this.shown = { photos: [], matches: null, least: 0, model: null, inliers: true, outliers: true, keypoints: false, hovered: -1, picked: -1, partners: [], overlay: { mode: "off", amount: 0.5, picture: null }, brushing: false };
    this.stage = new Stage(/** @type {HTMLCanvasElement} */ ($("live-view")), this.shown);
    const nothing = () => {};
    startPointer(this.stage, { hover: nothing, pick: nothing, paint: nothing, swipe: nothing, coupling: () => null });
    this.#controls();
  }

  #controls() {
    const buttons = { "New anchor": "n", Pause: " ", Keypoints: "k" };
    $("live-commands").replaceChildren(...Object.entries(buttons).map(([text, key]) => el("button", { type: "button", class: "button", textContent: text, onclick: () => this.#key(key) })));
    $("live-keys").replaceChildren(...Object.entries(KEYS).flatMap(([key, text]) => [el("kbd", { textContent: key === " " ? "space" : key }), el("span", { textContent: text })]));
    $("live-threshold").addEventListener("input", (event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      /** @type {HTMLElement} */ (input.nextElementSibling).textContent = Number(input.value).toFixed(2);
      this.send("match_threshold", Number(input.value));
    });
    document.addEventListener("keydown", (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if ($("live").hidden || event.ctrlKey || event.metaKey || event.altKey || /INPUT|BUTTON|SELECT/.test(target.tagName) || !(event.key in KEYS)) return;
      event.preventDefault();
      this.#key(event.key);
    });
  }

  /** @param {string} key of the original demo */
  #key(key) {
    const { header } = this;
    const held = (/** @type {number} */ value) => Math.min(Math.max(value, 0), 1);
    if (key === "n") this.send("anchor");
    if (key === "q") this.send("quit");
    if (key === " ") this.send("pause", header?.state !== "paused");
    if (key === "k") this.send("keypoints", !this.shown?.keypoints);
    if (!header) return;
    if (key === "e" || key === "r") this.send("keypoint_threshold", held(header.keypoint_threshold * (key === "r" ? 1.1 : 1 / 1.1)));
    if (key === "d" || key === "f") this.send("match_threshold", held(header.match_threshold + (key === "f" ? 0.05 : -0.05)));
  }
}

/** Start the tab. */
export async function startLive() {
  new LiveTab().connect();
}
