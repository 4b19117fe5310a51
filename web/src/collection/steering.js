// Mouse and keys on the model: turn, zoom, and what is pointed at.

import * as three from "three";

/** @typedef {import("./scene.js").ModelScene} ModelScene */

const NEAR_CAMERA = 22; // CSS pixels
const NEAR_POINT = 9;

/** @param {ModelScene} scene */
export function startSteering(scene) {
  followPointer(scene);
  obeyKeys(scene);
}

/** The camera at a place of the canvas, or -1. @param {ModelScene} scene @param {number} x @param {number} y */
function cameraAt(scene, x, y) {
  const { clientWidth: width, clientHeight: height } = scene.canvas;
  let [found, least] = [-1, NEAR_CAMERA];
  const depth = (scene.frusta?.uniforms.depth.value ?? 0) / 2;
  scene.cameras.forEach((camera, k) => {
    const place = scene.seen(camera.centre.map((c, j) => c + depth * camera.rotation[2][j])).project(scene.camera);
    if (Math.abs(place.z) > 1) return;
    const off = Math.hypot(((place.x + 1) / 2) * width - x, ((1 - place.y) / 2) * height - y);
    if (off < least) [found, least] = [k, off];
  });
  return found;
}

/** The point that is seen at a place of the canvas, or -1: of those near it the first that the eye meets. @param {ModelScene} scene @param {number} x @param {number} y */
function pointAt(scene, x, y) {
  const { points, cloud, canvas } = scene;
  if (!points || !cloud) return -1;
  const m = new three.Matrix4().multiplyMatrices(scene.camera.projectionMatrix, scene.camera.matrixWorldInverse).multiply(scene.root.matrix).elements;
  const { leastTrack, mostError } = cloud.material.uniforms;
  const [half, high] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
  let [found, least] = [-1, Infinity];
  for (let k = 0; k < points.count; k++) {
    const [a, b, c] = [points.places[3 * k], points.places[3 * k + 1], points.places[3 * k + 2]];
    const w = m[3] * a + m[7] * b + m[11] * c + m[15];
    if (w <= 0 || w >= least || points.tracks[k] < leastTrack.value || points.errors[k] > mostError.value) continue;
    const u = (1 + (m[0] * a + m[4] * b + m[8] * c + m[12]) / w) * half;
    const v = (1 - (m[1] * a + m[5] * b + m[9] * c + m[13]) / w) * high;
    if (Math.hypot(u - x, v - y) < NEAR_POINT) [found, least] = [k, w];
  }
  return found;
}

/** @param {ModelScene} scene @param {number} x @param {number} y */
function pick(scene, x, y) {
  const camera = cameraAt(scene, x, y);
  scene.act.pick(camera, camera < 0 ? pointAt(scene, x, y) : -1);
}

/** @param {ModelScene} scene */
function followPointer(scene) {
  const { canvas } = scene;
  let [x, y, held] = [0, 0, false];
  canvas.addEventListener("pointerdown", (event) => {
    [x, y, held] = [event.offsetX, event.offsetY, true];
    cancelAnimationFrame(scene.flight);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held || !scene.frusta) return;
    const found = cameraAt(scene, event.offsetX, event.offsetY);
    scene.mark("hovered", found);
    scene.act.hover(found, event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointerup", (event) => {
    held = false;
    if (Math.hypot(event.offsetX - x, event.offsetY - y) < 4 && event.button === 0) pick(scene, event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointerleave", () => scene.act.hover(-1, 0, 0));
}

/** @param {ModelScene} scene */
function obeyKeys(scene) {
  const orbit = (/** @type {number} */ across, /** @type {number} */ down) => {
    const arm = scene.camera.position.clone().sub(scene.controls.target);
    const side = new three.Vector3(0, 1, 0).cross(arm).normalize();
    arm.applyAxisAngle(new three.Vector3(0, 1, 0), across);
    if (Math.abs(arm.clone().normalize().y + Math.sign(down) * 0.05) < 0.99) arm.applyAxisAngle(side, -down);
    scene.fly(scene.controls.target.clone().add(arm), scene.controls.target.clone(), false);
  };
  const zoom = (/** @type {number} */ by) => scene.fly(scene.controls.target.clone().add(scene.camera.position.clone().sub(scene.controls.target).multiplyScalar(by)), scene.controls.target.clone(), false);
  /** @type {Record<string, () => void>} */
  const keys = { ArrowLeft: () => orbit(-0.12, 0), ArrowRight: () => orbit(0.12, 0), ArrowUp: () => orbit(0, 0.1), ArrowDown: () => orbit(0, -0.1), "+": () => zoom(0.85), "=": () => zoom(0.85), "-": () => zoom(1.18), 0: () => scene.home() };
  scene.canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}
