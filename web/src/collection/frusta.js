// All cameras in two draws: their edges, and their photographs on one texture.

import * as three from "three";

/** @typedef {import("./model.js").Camera} Camera */

const CORNERS = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
const EDGES = [[4, 0], [4, 1], [4, 2], [4, 3], [0, 1], [1, 2], [2, 3], [3, 0], [0, 5], [5, 1]]; // 4 is the centre, 5 a roof that shows which side is up
const ATLAS = 2048;

const VERTEX = `
attribute vec3 offset; attribute float number; attribute vec2 spot;
uniform float depth; uniform float selected; uniform float hovered; uniform float query;
varying vec2 at; varying float shade;
void main() {
  at = spot;
  shade = number == query ? 3.0 : number == selected ? 2.0 : number == hovered ? 1.0 : 0.0;
  float size = depth * (shade > 1.5 ? 1.35 : 1.0);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position + size * offset, 1.0);
}`;
const EDGE_FRAGMENT = `
uniform vec3 plain, strong, found; varying float shade;
void main() { gl_FragColor = vec4(shade > 2.5 ? found : shade > 0.5 ? strong : plain, 1.0); }`;
const SHEET_FRAGMENT = `
uniform sampler2D atlas; uniform float pale; varying vec2 at; varying float shade;
void main() { vec4 pixel = texture2D(atlas, at); if (pixel.a < 0.1) discard; gl_FragColor = vec4(pixel.rgb, shade > 0.5 ? 1.0 : pale); }`;

export class Frusta {
  /** @param {Camera[]} cameras @param {number} depth */
  constructor(cameras, depth) {
    this.cameras = cameras;
    this.uniforms = {
      depth: { value: depth }, selected: { value: -1 }, hovered: { value: -1 }, query: { value: -1 }, pale: { value: 0.92 },
      plain: { value: new three.Color() }, strong: { value: new three.Color() }, found: { value: new three.Color() },
      atlas: { value: /** @type {any} */ (null) },
    };
    const side = 2 ** Math.ceil(Math.log2(Math.sqrt(Math.max(1, cameras.length))));
    this.cell = ATLAS / side;
    this.side = side;
    this.canvas = Object.assign(document.createElement("canvas"), { width: ATLAS, height: ATLAS });
    this.texture = new three.CanvasTexture(this.canvas);
    Object.assign(this.texture, { flipY: false, generateMipmaps: false, minFilter: three.LinearFilter });
    this.uniforms.atlas.value = this.texture;
    this.group = new three.Group();
    this.group.add(this.#edges(), this.#sheets());
  }

  /** Directions to the corners of an image, its middle being (0, 0, 1), in the world. @param {Camera} camera */
  static corners({ rotation, half }) {
    return [...CORNERS, [0, 0], [0, -1.3]].map(([s, t], k) => {
      const ray = k === 4 ? [0, 0, 0] : [s * half[0], t * half[1], 1];
      return [0, 1, 2].map((j) => rotation.reduce((sum, row, i) => sum + row[j] * ray[i], 0));
    });
  }

  /** @param {Record<string, [Float32Array, number]>} attributes */
  #geometry(attributes) {
    const geometry = new three.BufferGeometry();
    for (const [name, [values, size]] of Object.entries(attributes)) geometry.setAttribute(name, new three.BufferAttribute(values, size));
    return geometry;
  }

  #edges() {
    const count = 2 * EDGES.length * this.cameras.length;
    const [places, offsets, numbers] = [new Float32Array(3 * count), new Float32Array(3 * count), new Float32Array(count)];
    this.cameras.forEach((camera, c) => {
      const corners = Frusta.corners(camera);
      EDGES.flat().forEach((corner, k) => {
        const at = 2 * EDGES.length * c + k;
        places.set(camera.centre, 3 * at);
        offsets.set(corners[corner], 3 * at);
        numbers[at] = c;
      });
    });
    const material = new three.ShaderMaterial({ uniforms: this.uniforms, vertexShader: VERTEX, fragmentShader: EDGE_FRAGMENT });
    const spots = new Float32Array(2 * count);
    return Object.assign(new three.LineSegments(this.#geometry({ position: [places, 3], offset: [offsets, 3], number: [numbers, 1], spot: [spots, 2] }), material), { frustumCulled: false });
  }

  #sheets() {
    const count = 6 * this.cameras.length;
    const [places, offsets, numbers, spots] = [new Float32Array(3 * count), new Float32Array(3 * count), new Float32Array(count), new Float32Array(2 * count)];
    this.cameras.forEach((camera, c) => {
      const corners = Frusta.corners(camera);
      const [u, v] = this.spot(c).map((x) => x / ATLAS);
      const size = this.cell / ATLAS;
      [0, 1, 2, 0, 2, 3].forEach((corner, k) => {
        const at = 6 * c + k;
        places.set(camera.centre, 3 * at);
        offsets.set(corners[corner], 3 * at);
        numbers[at] = c;
        spots.set([u + (size * (CORNERS[corner][0] + 1)) / 2, v + (size * (CORNERS[corner][1] + 1)) / 2], 2 * at);
      });
    });
    const material = new three.ShaderMaterial({ uniforms: this.uniforms, vertexShader: VERTEX, fragmentShader: SHEET_FRAGMENT, side: three.DoubleSide, transparent: true });
    return Object.assign(new three.Mesh(this.#geometry({ position: [places, 3], offset: [offsets, 3], number: [numbers, 1], spot: [spots, 2] }), material), { frustumCulled: false });
  }

  /** Where a photograph lies on the texture. @param {number} camera */
  spot(camera) {
    return [(camera % this.side) * this.cell, Math.floor(camera / this.side) * this.cell];
  }

  /** Put a photograph into its frustum. @param {number} camera @param {CanvasImageSource} picture */
  show(camera, picture) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    context.drawImage(picture, ...(/** @type {[number, number]} */ (this.spot(camera))), this.cell, this.cell);
    this.texture.needsUpdate = true;
  }

  dispose() {
    this.texture.dispose();
    for (const child of this.group.children) {
      /** @type {any} */ (child).geometry.dispose();
      /** @type {any} */ (child).material.dispose();
    }
  }
}
