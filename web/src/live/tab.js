// The live tab: pictures of a camera or a movie beside their anchor, with the original demo's keys.

import * as api from "../api.js";
import { $, el, icon } from "../dom.js";
import { Matches } from "../match/matches.js";
import { startPointer } from "../match/pointer.js";
import { Stage } from "../match/stage.js";
import { detailsOf, documentOf, readFrame, stepOf, thresholdOf, wordsOf } from "./message.js";

const AGAIN = [1000, 2000, 5000]; // milliseconds between attempts to connect
const KEYS = { n: "this frame becomes the anchor", e: "more keypoints: threshold down", r: "fewer keypoints: threshold up", d: "more matches: threshold down", f: "surer matches: threshold up", k: "show all keypoints", " ": "pause", q: "end it" };

/** @typedef {import("./message.js").Header} Header */
/** @typedef {import("./message.js").State} State */

class LiveTab {
  constructor() {
    /** @type {WebSocket | null} */
    this.socket = null;
    this.turn = Promise.resolve();
    this.timer = 0;
    this.attempts = 0;
    this.laid = false;
    this.over = false;
    /** @type {State | Header | null} */
    this.told = null;
    /** @type {number[]} */
    this.times = [];
    /** @type {ImageBitmap[]} */
    this.pictures = [];
    const look = () => this.look();
    addEventListener("tab", look);
    document.addEventListener("visibilitychange", look);
    document.addEventListener("keydown", (event) => this.#typed(event));
  }

  /** Be connected while somebody looks, and not otherwise. */
  look() {
    clearTimeout(this.timer);
    if ($("live").hidden || document.hidden) {
      this.socket?.close();
      this.socket = null;
    } else if (!this.socket) this.open();
  }

  /** See whether there is something to look at, and look. */
  async open() {
    if (!this.laid) this.#page("loading", el("div", { class: "spinner" }), el("p", { textContent: "Looking for live pictures" }));
    try {
      const { live } = await api.health();
      if (live) this.#connect();
      else this.#none();
    } catch (error) {
      if (error instanceof api.Problem && error.status === 401) this.#page("error", icon("film"), el("h2", { textContent: error.title }), el("p", { textContent: error.message }));
      else this.#lost();
    }
  }

  #connect() {
    if (this.socket || $("live").hidden) return;
    const socket = (this.socket = new WebSocket(api.liveUrl()));
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      this.attempts = 0;
      if (!this.laid) this.#lay();
      this.#wait(this.pictures.length ? "" : "Waiting for the first frame");
    });
    socket.addEventListener("message", (event) => (this.turn = this.turn.then(() => this.receive(socket, event.data)))); // one after the other
    socket.addEventListener("close", () => {
      if (socket !== this.socket) return; // nobody looks any more
      this.socket = null;
      this.#lost();
    });
  }

  /**
   * Show a frame, and say so however that went: the service sends the next one then, and those between are left out.
   * @param {WebSocket} socket @param {string | ArrayBuffer} data
   */
  async receive(socket, data) {
    if (typeof data === "string") return this.#say(JSON.parse(data));
    try {
      await this.#show(readFrame(data));
    } catch (error) {
      console.warn(error);
      this.#wait("A frame could not be drawn");
    } finally {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ command: "shown" }));
    }
  }

  /** @param {ReturnType<typeof readFrame>} frame */
  async #show(frame) {
    const [anchor, picture] = await Promise.all([frame.anchor, frame.picture].map((blob) => blob && createImageBitmap(blob)));
    if (!this.shown || !this.stage) return;
    const before = this.pictures;
    this.pictures = [anchor ?? before[0], picture ?? before[1]];
    for (const old of before) if (!this.pictures.includes(old)) old.close();
    const photos = frame.header.sizes.map(([width, height], k) => ({ name: k ? frame.header.source : "anchor", file: new Blob(), id: "", width, height, picture: this.pictures[k], mask: null }));
    const same = this.shown.photos.length > 0 && this.shown.photos.every((photo, k) => photo.width === photos[k].width && photo.height === photos[k].height);
    const matches = new Matches(documentOf(frame));
    matches.all = [frame.points[0] ?? null, frame.points[1] ?? null];
    Object.assign(this.shown, { photos, matches, hovered: -1, keypoints: frame.points.length > 0 });
    if (same && this.stage.panes.length) this.stage.ask();
    else this.stage.renew();
    this.#figures(frame.header);
    this.#say(frame.header);
    await new Promise(requestAnimationFrame); // it is drawn by then
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
  }

  /** What a header or a message without a frame says. @param {State | Header} told */
  #say(told) {
    if (told.error) return void ($("live-more").textContent = told.error);
    this.told = told;
    $("live-summary").textContent = wordsOf(told);
    $("live-more").textContent = detailsOf(told);
    this.#wait(this.pictures.length ? "" : told.state === "running" ? "Waiting for the first frame" : told.message);
    this.#slide("live-threshold", told.match_threshold, told.match_threshold?.toFixed(2));
    this.#slide("live-least-keypoint", stepOf(told.keypoint_threshold), told.keypoint_threshold?.toExponential(0));
    $("live-pause").setAttribute("aria-pressed", String(told.state === "paused"));
    $("live-points").setAttribute("aria-pressed", String(Boolean(told.show_keypoints)));
    for (const element of document.querySelectorAll("#live [data-key=q]")) /** @type {HTMLElement} */ (element).hidden = !told.quits;
  }

  /** @param {string} id of a slider @param {number} value @param {string} [text] */
  #slide(id, value, text = "") {
    const slider = /** @type {HTMLInputElement} */ ($(id));
    if (document.activeElement !== slider) slider.value = String(value);
    /** @type {HTMLElement} */ (slider.nextElementSibling).textContent = text;
  }

  /** Say what is waited for, over the picture. @param {string} text empty for nothing */
  #wait(text) {
    $("live-progress").hidden = !text;
    $("live-text").textContent = text;
  }

  /** The service does not answer: try again, later each time. */
  #lost() {
    if (this.over) return this.laid ? this.#wait("Ended: this page can be closed") : undefined;
    if (this.laid) this.#wait("The connection is gone; trying again");
    else this.#page("error", icon("film"), el("h2", { textContent: "The service does not answer" }), el("p", { textContent: "It may have been stopped. This page looks again by itself." }));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), AGAIN[Math.min(this.attempts++, AGAIN.length - 1)]);
  }

  #none() {
    this.#page("empty", icon("film"), el("h2", { textContent: "No live pictures" }),
      el("p", { textContent: "This service was started without a camera or a movie. With one, each frame is shown here as it comes, matched with its anchor:" }),
      el("pre", { textContent: "cyano serve --live 0          # the first camera\ncyano serve --live walk.mp4   # a movie\ncyano live 0                  # more options", tabIndex: 0 }),
      el("button", { type: "button", class: "button", textContent: "Look again", onclick: () => this.look() }));
  }

  /** @param {string} state @param {...Node} content */
  #page(state, ...content) {
    this.laid = false;
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
    $("live-keys").replaceChildren(...Object.entries(KEYS).flatMap(([key, text]) => [el("kbd", { "data-key": key, textContent: key === " " ? "space" : key }), el("span", { "data-key": key, textContent: text })]));
    for (const [id, key] of Object.entries({ "live-anchor": "n", "live-pause": " ", "live-points": "k", "live-quit": "q" })) $(id).addEventListener("click", () => this.#key(key));
    $("live-threshold").addEventListener("input", (event) => this.send("match_threshold", Number(/** @type {HTMLInputElement} */ (event.target).value)));
    $("live-least-keypoint").addEventListener("change", (event) => this.send("keypoint_threshold", thresholdOf(Number(/** @type {HTMLInputElement} */ (event.target).value))));
  }

  /** @param {KeyboardEvent} event */
  #typed(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!this.laid || $("live").hidden || event.ctrlKey || event.metaKey || event.altKey || /INPUT|BUTTON|SELECT/.test(target.tagName) || !(event.key in KEYS)) return;
    event.preventDefault();
    this.#key(event.key);
  }

  /** @param {string} key of the original demo */
  #key(key) {
    const { told } = this;
    const held = (/** @type {number} */ value) => Math.min(Math.max(value, 0), 1);
    if (key === "n") this.send("anchor");
    if (key === " ") this.send("pause", told?.state !== "paused");
    if (key === "k") this.send("keypoints", !told?.show_keypoints);
    if (!told) return;
    if (key === "q" && told.quits) {
      this.over = true;
      this.send("quit");
    }
    if (key === "e" || key === "r") this.send("keypoint_threshold", thresholdOf(stepOf(told.keypoint_threshold) + (key === "r" ? 1 : -1)));
    if (key === "d" || key === "f") this.send("match_threshold", held(Math.round(20 * (told.match_threshold + (key === "f" ? 0.05 : -0.05))) / 20));
  }
}

/** Start the tab. */
export async function startLive() {
  new LiveTab().look();
}
