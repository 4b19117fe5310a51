// The 3-D view: points, cameras, and the eye that flies between them.

import * as three from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { viridis } from "../colour.js";
import { token } from "../dom.js";
import { Frusta } from "./frusta.js";
import { startSteering } from "./steering.js";

/** @typedef {import("./model.js").Camera} Camera */
/** @typedef {import("./model.js").Points} Points */

const FLIGHT = 1100; // milliseconds

const POINT_VERTEX = `
attribute vec3 colour; attribute float track; attribute float error;
uniform float size, distance, leastTrack, mostError;
varying vec3 shade;
void main() {
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
  gl_PointSize = size * clamp(distance / gl_Position.w, 0.6, 4.0);
  if (track < leastTrack || error > mostError) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  shade = colour;
}`;
const POINT_FRAGMENT = `
varying vec3 shade;
void main() { if (length(gl_PointCoord - 0.5) > 0.5) discard; gl_FragColor = vec4(shade, 1.0); }`;

const BAR = 72; // pixels of a bar of controls

export class ModelScene {
  /** @param {HTMLCanvasElement} canvas @param {boolean} smooth edges, which large models are drawn without @param {{ pick: (camera: number, point: number) => void, hover: (camera: number, x: number, y: number) => void }} act */
  constructor(canvas, smooth, act) {
    this.canvas = canvas;
    this.act = act;
    this.renderer = new three.WebGLRenderer({ canvas, antialias: smooth, alpha: true });
    this.scene = new three.Scene();
    this.camera = new three.PerspectiveCamera(48, 1, 0.01, 1000);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", () => this.ask());
    /** @type {Points | null} */
    this.points = null;
    /** @type {Camera[]} */
    this.cameras = [];
    /** @type {import("./model.js").Frame} */
    this.frame = { axes: [], middle: [0, 0, 0], reach: 1, depth: 1 };
    this.root = new three.Group();
    /** @type {Frusta | null} */
    this.frusta = null;
    /** @type {Frusta | null} the frustum of a localised photograph */
    this.guest = null;
    this.rays = new three.LineSegments(new three.BufferGeometry(), new three.LineBasicMaterial());
    this.rays.frustumCulled = false;
    this.asked = 0;
    this.flight = 0;
    new ResizeObserver(() => this.ask()).observe(canvas);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.ask());
    addEventListener("theme", () => this.dress());
    startSteering(this);
  }

  /**
   * Show a model.
   * @param {Points} points
   * @param {Camera[]} cameras
   * @param {import("./model.js").Frame} frame
   */
  open(points, cameras, frame) {
    this.close();
    Object.assign(this, { points, cameras, frame, root: new three.Group() });
    const [r, u, b] = frame.axes;
    const turn = new three.Matrix4().set(r[0], r[1], r[2], 0, u[0], u[1], u[2], 0, b[0], b[1], b[2], 0, 0, 0, 0, 1);
    const shift = new three.Matrix4().makeTranslation(-frame.middle[0], -frame.middle[1], -frame.middle[2]);
    this.root.matrixAutoUpdate = false;
    this.root.matrix.copy(turn).multiply(shift);
    this.root.updateMatrixWorld(true);
    this.cloud = this.#cloud(points);
    this.frusta = new Frusta(cameras, frame.depth);
    this.root.add(this.cloud, this.frusta.group, this.rays);
    this.connect(-1, []);
    this.scene.add(this.root);
    this.camera.near = frame.reach / 500;
    this.camera.far = frame.reach * 100;
    this.controls.minDistance = frame.reach / 200;
    this.controls.maxDistance = frame.reach * 30;
    this.paint("photo");
    this.dress();
    this.home(false);
  }

  close() {
    this.scene.remove(this.root);
    this.frusta?.dispose();
    this.guest?.dispose();
    this.guest = null;
    this.cloud?.geometry.dispose();
    this.cloud?.material.dispose();
  }

  /** @param {Points} points */
  #cloud(points) {
    const geometry = new three.BufferGeometry();
    geometry.setAttribute("position", new three.BufferAttribute(points.places, 3));
    geometry.setAttribute("track", new three.BufferAttribute(points.tracks, 1));
    geometry.setAttribute("error", new three.BufferAttribute(points.errors, 1));
    const size = points.count < 20_000 ? 4 : points.count < 200_000 ? 3 : 2;
    const uniforms = { size: { value: size * this.renderer.getPixelRatio() }, distance: { value: 1 }, leastTrack: { value: 0 }, mostError: { value: 1e9 } };
    return Object.assign(new three.Points(geometry, new three.ShaderMaterial({ uniforms, vertexShader: POINT_VERTEX, fragmentShader: POINT_FRAGMENT })), { frustumCulled: false });
  }

  /** Colour the points: "photo", "track" or "error". @param {string} mode */
  paint(mode) {
    const { points } = this;
    if (!points || !this.cloud) return;
    let colours = points.colours;
    if (mode !== "photo") {
      colours = new Uint8Array(3 * points.count);
      for (let k = 0; k < points.count; k++) {
        const share = mode === "track" ? Math.log2(points.tracks[k] / 2) / 4 : 1 - points.errors[k] / 2;
        colours.set(viridis(share), 3 * k);
      }
    }
    this.cloud.geometry.setAttribute("colour", new three.BufferAttribute(colours, 3, true));
    this.ask();
  }

  /** @param {{ track?: number, error?: number, depth?: number }} limits */
  limit({ track, error, depth }) {
    if (!this.cloud || !this.frusta) return;
    const { uniforms } = this.cloud.material;
    if (track !== undefined) uniforms.leastTrack.value = track;
    if (error !== undefined) uniforms.mostError.value = error;
    if (depth !== undefined) for (const each of [this.frusta, this.guest]) if (each) each.uniforms.depth.value = depth * this.frame.depth;
    this.ask();
  }

  /** Take the colours of the theme. */
  dress() {
    for (const each of [this.frusta, this.guest]) {
      each?.uniforms.plain.value.setStyle(token("--edge-strong"), three.LinearSRGBColorSpace);
      each?.uniforms.strong.value.setStyle(token("--accent"), three.LinearSRGBColorSpace);
      each?.uniforms.found.value.setStyle(token("--outlier"), three.LinearSRGBColorSpace);
    }
    this.rays.material.color.setStyle(token("--accent"), three.LinearSRGBColorSpace);
    this.ask();
  }

  ask() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.asked = 0;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    if (this.canvas.width !== Math.floor(width * ratio) || this.canvas.height !== Math.floor(height * ratio)) {
      this.renderer.setPixelRatio(ratio);
      this.renderer.setSize(width, height, false);
    }
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    if (this.cloud) this.cloud.material.uniforms.distance.value = this.camera.position.distanceTo(this.controls.target);
    this.renderer.render(this.scene, this.camera);
    this.canvas.dataset.drawn = String(Number(this.canvas.dataset.drawn ?? 0) + 1);
  }

  /** A place of the model in the frame of the view. @param {number[]} place */
  seen([x, y, z]) {
    return new three.Vector3(x, y, z).applyMatrix4(this.root.matrix);
  }

  /** See nine tenths of the points, and the cameras that are not far off. @param {boolean} [smoothly] */
  home(smoothly = true) {
    const { points, cameras, frame, canvas } = this;
    const step = Math.max(1, Math.ceil((points?.count ?? 0) / 3000));
    const some = Array.from({ length: Math.floor((points?.count ?? 0) / step) }, (_, k) => this.seen([...(points?.places.subarray(3 * k * step, 3 * k * step + 3) ?? [])]));
    const near = some.sort((a, b) => a.length() - b.length()).slice(0, Math.ceil(0.9 * some.length));
    const places = [...near, ...cameras.map(({ centre }) => this.seen(centre)).filter((place) => place.length() < 4 * frame.reach)];
    const back = new three.Vector3(0.35, 0.5, 0.8).normalize();
    const across = new three.Vector3(0, 1, 0).cross(back).normalize();
    const axes = [across, back.clone().cross(across), back];
    const target = new three.Vector3();
    for (const axis of axes) {
      const along = places.map((place) => place.dot(axis));
      target.addScaledVector(axis, (Math.min(...along) + Math.max(...along)) / 2);
    }
    const half = Math.tan((this.camera.fov * Math.PI) / 360);
    const aspect = canvas.clientWidth / Math.max(1, canvas.clientHeight);
    const free = Math.max(0.5, 1 - 2 * (BAR / Math.max(1, canvas.clientHeight))); // of the height, between the bars over the view
    const needs = places.map((place) => {
      const [x, y, z] = axes.map((axis) => place.clone().sub(target).dot(axis));
      return Math.max(Math.abs(x) / (half * aspect), Math.abs(y) / (half * free)) + z;
    });
    this.fly(target.clone().addScaledVector(back, 1.1 * Math.max(...needs, 0.5 * frame.reach)), target, smoothly);
  }

  /** Look where a camera looks, from a little behind it. @param {Camera} camera @param {number} [behind] in depths of its frustum */
  visit(camera, behind = 3) {
    const { depth, reach } = this.frame;
    const look = this.seen(camera.centre.map((x, k) => x + camera.rotation[2][k])).sub(this.seen(camera.centre));
    const up = this.seen(camera.centre.map((x, k) => x - camera.rotation[1][k])).sub(this.seen(camera.centre));
    const centre = this.seen(camera.centre);
    const eye = centre.clone().addScaledVector(look, -behind * depth).addScaledVector(up, 0.35 * behind * depth);
    this.fly(eye, centre.clone().addScaledVector(look, Math.max(0.6 * reach, 2 * depth)));
  }

  /** @param {three.Vector3} eye @param {three.Vector3} target @param {boolean} [smoothly] */
  fly(eye, target, smoothly = true) {
    cancelAnimationFrame(this.flight);
    const from = { eye: this.camera.position.clone(), target: this.controls.target.clone() };
    const duration = smoothly && !matchMedia("(prefers-reduced-motion: reduce)").matches ? FLIGHT : 0;
    const start = performance.now();
    const step = (/** @type {number} */ now) => {
      const share = duration ? Math.min(1, Math.max(0, now - start) / duration) : 1;
      const eased = share * share * (3 - 2 * share);
      this.camera.position.lerpVectors(from.eye, eye, eased);
      this.controls.target.lerpVectors(from.target, target, eased);
      this.controls.update();
      this.ask();
      if (share < 1) this.flight = requestAnimationFrame(step);
      else this.canvas.dataset.still = String(Number(this.canvas.dataset.still ?? 0) + 1);
    };
    step(start);
  }

  /** Show a localised photograph. @param {Camera} camera @param {CanvasImageSource} picture */
  welcome(camera, picture) {
    if (this.guest) this.root.remove(this.guest.group);
    this.guest?.dispose();
    this.guest = new Frusta([camera], /** @type {Frusta} */ (this.frusta).uniforms.depth.value);
    this.guest.uniforms.query.value = 0;
    this.guest.show(0, picture);
    this.root.add(this.guest.group);
    this.dress();
    this.visit(camera, 6);
  }

  /** @param {"selected" | "hovered"} what @param {number} camera or -1 */
  mark(what, camera) {
    if (!this.frusta || this.frusta.uniforms[what].value === camera) return;
    this.frusta.uniforms[what].value = camera;
    this.ask();
  }

  /** Lines from a point to the cameras that see it; none for -1. @param {number} point @param {Camera[]} cameras */
  connect(point, cameras) {
    const place = point < 0 ? [] : [...(this.points?.places.subarray(3 * point, 3 * point + 3) ?? [])];
    const ends = new Float32Array(point < 0 ? [] : cameras.flatMap(({ centre }) => [...place, ...centre]));
    this.rays.geometry.dispose();
    this.rays.geometry = new three.BufferGeometry();
    this.rays.geometry.setAttribute("position", new three.BufferAttribute(ends, 3));
    this.ask();
  }
}
