// A photograph in a part of the canvas: where it lies, and how far it is zoomed and moved.

/** @typedef {{ x: number, y: number, width: number, height: number }} Box in CSS pixels */

export class Pane {
  /** @param {number} width of the photograph in its own pixels @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    /** @type {Box} */
    this.box = { x: 0, y: 0, width: 1, height: 1 };
    this.scale = 1;
    this.centre = [width / 2, height / 2]; // of the view, in pixels of the photograph from its upper left corner
    this.fitted = true;
  }

  /** The scale at which the whole photograph is seen. */
  get whole() {
    return Math.min(this.box.width / this.width, this.box.height / this.height);
  }

  /** Show the whole photograph. */
  fit() {
    this.scale = this.whole;
    this.centre = [this.width / 2, this.height / 2];
    this.fitted = true;
  }

  /** Take another place on the canvas. @param {Box} box */
  place(box) {
    const before = this.whole;
    this.box = box;
    if (this.fitted) this.fit();
    else this.scale *= this.whole / before;
  }

  /** From keypoint coordinates, where the first pixel's centre is (0, 0), to the canvas. @param {number} x @param {number} y */
  toScreen(x, y) {
    const { box, scale, centre } = this;
    return [box.x + box.width / 2 + (x + 0.5 - centre[0]) * scale, box.y + box.height / 2 + (y + 0.5 - centre[1]) * scale];
  }

  /** The way back. @param {number} x @param {number} y */
  toImage(x, y) {
    const { box, scale, centre } = this;
    return [(x - box.x - box.width / 2) / scale + centre[0] - 0.5, (y - box.y - box.height / 2) / scale + centre[1] - 0.5];
  }

  /** Whether a place of the canvas is in it. @param {number} x @param {number} y */
  holds(x, y) {
    const { box } = this;
    return x >= box.x && y >= box.y && x <= box.x + box.width && y <= box.y + box.height;
  }

  /** Zoom and keep what is under a place of the canvas there. @param {number} by @param {number} x @param {number} y */
  zoom(by, x, y) {
    const [u, v] = this.toImage(x, y);
    this.scale = Math.min(Math.max(this.scale * by, this.whole * 0.9), Math.max(24, this.whole * 4));
    this.fitted = this.scale <= this.whole;
    const [p, q] = this.toScreen(u, v);
    this.move(x - p, y - q);
    if (this.fitted) this.fit();
  }

  /** Move the photograph on the canvas. @param {number} dx @param {number} dy */
  move(dx, dy) {
    this.centre = [this.#held(this.centre[0] - dx / this.scale, this.width), this.#held(this.centre[1] - dy / this.scale, this.height)];
    if (Math.abs(this.scale - this.whole) > 1e-6) this.fitted = false;
  }

  /** Bring a place of the photograph to the middle. @param {number} x @param {number} y @param {number} [scale] at least */
  look(x, y, scale = this.scale) {
    this.scale = Math.max(this.scale, scale);
    this.centre = [this.#held(x + 0.5, this.width), this.#held(y + 0.5, this.height)];
    this.fitted = false;
  }

  /** @param {number} value @param {number} size */
  #held(value, size) {
    return Math.min(Math.max(value, 0), size);
  }

  /** Draw a picture of the photograph, of whatever resolution. @param {CanvasRenderingContext2D} context @param {CanvasImageSource} picture */
  draw(context, picture) {
    const [x, y] = this.toScreen(-0.5, -0.5);
    context.imageSmoothingEnabled = this.scale < 6;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, x, y, this.width * this.scale, this.height * this.scale);
  }

  /** Draw within it only. @param {CanvasRenderingContext2D} context @param {() => void} act */
  within(context, act) {
    context.save();
    context.beginPath();
    context.rect(this.box.x, this.box.y, this.box.width, this.box.height);
    context.clip();
    act();
    context.restore();
  }
}

const BESIDE = 1.4;

/**
 * Where two photographs are seen largest: beside each other or one above the other.
 * @param {Pane[]} panes
 * @param {number} width of the canvas
 * @param {number} height
 * @param {number} gap between them
 */
export function arrange(panes, width, height, gap) {
  const across = panes.reduce((sum, pane) => sum + pane.width / pane.height, 0);
  const down = panes.reduce((sum, pane) => sum + pane.height / pane.width, 0);
  const side = Math.min(height, (width - gap) / across); // the height of both beside each other
  const stack = Math.min(width, (height - gap) / down);
  // Lines between photographs that stand beside each other are easier to follow, so these may be somewhat smaller.
  const beside = BESIDE * panes.reduce((sum, pane) => sum + (side * side * pane.width) / pane.height, 0);
  const above = panes.reduce((sum, pane) => sum + (stack * stack * pane.height) / pane.width, 0);
  const shares = panes.map((pane) => (beside >= above ? pane.width / pane.height / across : pane.height / pane.width / down));
  let at = 0;
  panes.forEach((pane, k) => {
    const size = shares[k] * ((beside >= above ? width : height) - gap);
    pane.place(beside >= above ? { x: at, y: 0, width: size, height } : { x: 0, y: at, width, height: size });
    at += size + gap;
  });
}
