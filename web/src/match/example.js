// A pair to try, drawn here: a harbour at night and at dawn, from two places. Near things move further than far ones.

const WIDTH = 960;
const HEIGHT = 640;

/** Random numbers that are the same each time. @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Two pictures. @returns {Promise<{ name: string, file: Blob }[]>} */
export async function examplePair() {
  const views = [
    { name: "harbour-night.jpg", at: 0, sky: ["#0b1d3a", "#274a78", "#d98a5b"], light: "#ffd98a", haze: 0 },
    { name: "harbour-dawn.jpg", at: 1, sky: ["#3d5a80", "#a6b8cc", "#f6d7b0"], light: "#ffe7b8", haze: 0.16 },
  ];
  return Promise.all(views.map(async (view) => ({ name: view.name, file: await drawn(view) })));
}

/** @param {{ at: number, sky: string[], light: string, haze: number }} view */
async function drawn({ at, sky, light, haze }) {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const fill = context.createLinearGradient(0, 0, 0, 430);
  sky.forEach((colour, k) => fill.addColorStop(k / 2, colour));
  context.fillStyle = fill;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  // Turned, nearer, and to the side.
  context.translate(WIDTH / 2, HEIGHT / 2);
  context.rotate(at * 0.07);
  context.scale(1 + 0.1 * at, 1 + 0.1 * at);
  context.translate(-WIDTH / 2, -HEIGHT / 2);
  const shift = (/** @type {number} */ near) => -at * near;
  stars(context, shift(6));
  hills(context, shift(14), "#33415c", 330, 70, 5);
  hills(context, shift(26), "#22304a", 370, 46, 9);
  town(context, shift(48), light, 11, 402, 26, [30, 120], "#1c2438");
  water(context, shift(60), light);
  town(context, shift(110), light, 23, 520, 11, [50, 150], "#131a2a");
  boats(context, shift(150), light);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = `rgb(255 236 214 / ${haze})`;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

/** @typedef {OffscreenCanvasRenderingContext2D} Context */

/** @param {Context} context @param {number} dx */
function stars(context, dx) {
  const next = random(3);
  for (let k = 0; k < 150; k++) {
    context.fillStyle = `rgb(255 255 255 / ${0.25 + 0.6 * next()})`;
    const size = 1 + 1.8 * next();
    context.fillRect(next() * 1200 - 120 + dx, next() * 250 - 20, size, size);
  }
  context.fillStyle = "#f8efd4";
  context.beginPath();
  context.arc(730 + dx, 110, 42, 0, 7);
  context.fill();
  context.fillStyle = "#e4d6b0";
  for (const [x, y, r] of [[716, 98, 9], [742, 124, 12], [746, 92, 5], [712, 126, 5]]) {
    context.beginPath();
    context.arc(x + dx, y, r, 0, 7);
    context.fill();
  }
}

/** @param {Context} context @param {number} dx @param {string} colour @param {number} base @param {number} high @param {number} seed */
function hills(context, dx, colour, base, high, seed) {
  const next = random(seed);
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(-200, 700);
  for (let x = -200; x <= 1200; x += 35) context.lineTo(x + dx, base - high * next());
  context.lineTo(1200, 700);
  context.fill();
}

/** @param {Context} context @param {number} dx @param {string} light @param {number} seed @param {number} base @param {number} count @param {number[]} range @param {string} wall */
function town(context, dx, light, seed, base, count, range, wall) {
  const next = random(seed);
  const walls = [wall, "#2b2f45", "#3a2f3f", "#26384a"];
  const wide = 1400 / count;
  for (let k = 0; k < count; k++) {
    const [x, w, h] = [-220 + k * wide + 18 * next() + dx, wide * (0.62 + 0.3 * next()), range[0] + (range[1] - range[0]) * next()];
    context.fillStyle = walls[Math.floor(4 * next())];
    context.fillRect(x, base - h, w, h + 60);
    if (next() > 0.45) {
      context.beginPath();
      context.moveTo(x - 3, base - h);
      context.lineTo(x + w / 2, base - h - 14 - 16 * next());
      context.lineTo(x + w + 3, base - h);
      context.fill();
    }
    const cell = 7 + 4 * next();
    for (let u = x + 5; u < x + w - 7; u += cell + 3) for (let v = base - h + 6; v < base - 8; v += cell + 5) {
      const lit = next();
      context.fillStyle = lit > 0.55 ? light : `rgb(120 150 190 / ${0.1 + 0.5 * lit})`;
      if (next() > 0.22) context.fillRect(u, v, cell * (0.5 + 0.4 * next()), cell);
    }
  }
}

/** @param {Context} context @param {number} dx @param {string} light */
function water(context, dx, light) {
  context.fillStyle = "#16243d";
  context.fillRect(-300, 440, 1600, 400);
  const next = random(31);
  for (let k = 0; k < 420; k++) {
    const depth = next();
    context.fillStyle = next() > 0.6 ? light : "#5b7fa8";
    context.globalAlpha = 0.12 + 0.45 * next();
    context.fillRect(-240 + 1440 * next() + dx * (0.9 + depth), 446 + 190 * depth, 8 + 34 * next(), 1.2 + 2 * depth);
  }
  context.globalAlpha = 1;
}

/** @param {Context} context @param {number} dx @param {string} light */
function boats(context, dx, light) {
  const next = random(47);
  for (const [x, y, size] of [[180, 610, 1], [430, 590, 0.8], [660, 615, 1.15], [905, 596, 0.9], [1080, 606, 1]]) {
    context.save();
    context.translate(x + dx, y);
    context.scale(size, size);
    context.fillStyle = ["#8c2f39", "#1f6f78", "#d9a441", "#3d405b", "#6d597a"][Math.floor(5 * next())];
    context.beginPath();
    context.moveTo(-62, -16);
    context.lineTo(66, -20);
    context.lineTo(44, 12);
    context.lineTo(-46, 12);
    context.fill();
    context.fillStyle = "#f1ede0";
    context.fillRect(-26, -38, 44, 20);
    context.fillStyle = light;
    for (let k = 0; k < 4; k++) context.fillRect(-22 + 11 * k, -33, 6, 7);
    context.strokeStyle = "#e9e3d0";
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(4, -38);
    context.lineTo(4, -128 - 30 * next());
    context.moveTo(4, -110);
    context.lineTo(-48, -22);
    context.moveTo(4, -110);
    context.lineTo(56, -22);
    context.stroke();
    context.restore();
  }
}
