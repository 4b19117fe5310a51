// The live view: draws the latest frame beside its anchor, and sends commands.

const element = (name) => document.getElementById(name);
const view = element("view");
const pen = view.getContext("2d");

const SCORE_COLOURS = [[200, 30, 34], [244, 109, 45], [255, 217, 61], [145, 207, 70], [20, 160, 75]]; // as cyano.viz
const MOST_LINES = 400;
const GAP = 10;
const LEAST_KEYPOINT_THRESHOLD = 1e-6; // the slider is logarithmic: 10 steps are a power of ten
const STEPS_A_DECADE = 10;

let socket = null;
let wait = 500;
let anchorPicture = null;
let shown = null; // header, pictures and numbers of the frame that is seen
let state = { match_threshold: 0, keypoint_threshold: 0, state: "connecting" };
let over = false;

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { wait = 500; anchorPicture = null; };
  socket.onmessage = (event) => receive(event.data);
  socket.onclose = () => {
    if (over) return say("quit: this page can be closed");
    say("no connection; trying again");
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, 10000);
  };
}

function send(command, value) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ command, value }));
}

function say(text) {
  if (element("state").textContent !== text) element("state").textContent = text;
}

async function receive(data) {
  if (typeof data === "string") {
    const told = JSON.parse(data);
    if (told.error) say(told.error);
    else update(told);
    return;
  }
  try {
    await take(data);
  } finally {
    send("shown");
  }
}

async function take(data) {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  let at = 4 + length;
  const picture = async (size) => {
    const blob = new Blob([new Uint8Array(data, at, size)], { type: "image/jpeg" });
    at += size;
    return createImageBitmap(blob);
  };
  const numbers = (count) => {
    const values = new Float32Array(data.slice(at, at + 4 * count));
    at += 4 * count;
    return values;
  };
  if (header.jpeg[0]) anchorPicture = await picture(header.jpeg[0]);
  const frame = await picture(header.jpeg[1]);
  const rows = numbers(5 * header.matches);
  const points = header.points.map((count) => numbers(2 * count));
  shown = { header, frame, rows, points };
  update(header);
  draw();
}

function update(told) {
  state = told;
  element("source").textContent = told.source;
  const few = shown && shown.header.status === "few matches" && told.state === "running";
  const damaged = told.damaged ? `, ${told.damaged} damaged frames left out` : "";
  say((few ? "too few matches: press n for a new anchor" : told.message || told.state) + damaged);
  element("match-threshold").value = told.match_threshold;
  element("match-value").textContent = told.match_threshold.toFixed(2);
  element("keypoint-threshold").value = Math.round(sliderOf(told.keypoint_threshold));
  element("keypoint-value").textContent = told.keypoint_threshold.toExponential(1);
  element("pause").setAttribute("aria-pressed", String(told.state === "paused"));
  element("toggle-points").setAttribute("aria-pressed", String(told.show_keypoints));
}

const sliderOf = (threshold) =>
  Math.max(0, STEPS_A_DECADE * Math.log10(Math.max(threshold, LEAST_KEYPOINT_THRESHOLD) / LEAST_KEYPOINT_THRESHOLD));
const thresholdOf = (slider) => Math.min(1, LEAST_KEYPOINT_THRESHOLD * 10 ** (slider / STEPS_A_DECADE));

function colour(score) {
  const place = Math.min(Math.max(score, 0), 1) * (SCORE_COLOURS.length - 1);
  const low = Math.min(Math.floor(place), SCORE_COLOURS.length - 2);
  const mix = SCORE_COLOURS[low].map((value, i) => Math.round(value + (place - low) * (SCORE_COLOURS[low + 1][i] - value)));
  return `rgb(${mix.join(" ")})`;
}

function draw() {
  if (!shown || !anchorPicture) return;
  const { header, frame, rows, points } = shown;
  const stacked = view.parentElement.clientWidth < 700;
  const [a, b] = [anchorPicture, frame];
  const offset = stacked ? [0, a.height + GAP] : [a.width + GAP, 0];
  const [width, height] = stacked
    ? [Math.max(a.width, b.width), a.height + GAP + b.height]
    : [a.width + GAP + b.width, Math.max(a.height, b.height)];
  if (view.width !== width || view.height !== height) [view.width, view.height] = [width, height];
  pen.clearRect(0, 0, width, height);
  pen.drawImage(a, 0, 0);
  pen.drawImage(b, ...offset);
  const scales = header.sizes.map(([w, h], i) => [[a, b][i].width / w, [a, b][i].height / h]);
  const place = (side, x, y) => [
    (x + 0.5) * scales[side][0] + (side ? offset[0] : 0), // the centre of the first pixel is (0, 0)
    (y + 0.5) * scales[side][1] + (side ? offset[1] : 0),
  ];
  points.forEach((values, side) => {
    pen.fillStyle = "rgb(255 255 255 / 70%)";
    for (let i = 0; i < values.length; i += 2) {
      const [x, y] = place(side, values[i], values[i + 1]);
      pen.fillRect(x - 1, y - 1, 2, 2);
    }
  });
  const kept = [];
  for (let i = 0; i < rows.length; i += 5) if (rows[i + 4] >= state.match_threshold) kept.push(i);
  const step = Math.max(1, Math.ceil(kept.length / MOST_LINES));
  pen.lineWidth = 1.5;
  for (let k = 0; k < kept.length; k += step) {
    const i = kept[k];
    const [x0, y0] = place(0, rows[i], rows[i + 1]);
    const [x1, y1] = place(1, rows[i + 2], rows[i + 3]);
    pen.strokeStyle = pen.fillStyle = colour(rows[i + 4]);
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
    for (const [x, y] of [[x0, y0], [x1, y1]]) {
      pen.beginPath();
      pen.arc(x, y, 2.2, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  element("empty").hidden = true;
  tell(header, kept.length);
}

function tell(header, count) {
  const time = header.time === null ? "" : `, ${header.time.toFixed(2)} s`;
  const total = Object.values(header.seconds).reduce((sum, value) => sum + value, 0);
  element("matches").textContent = `${count}`;
  element("keypoints").textContent = header.keypoints.join(" : ");
  element("frame").textContent = `${header.frame}${time}`;
  element("anchor").textContent = header.anchor < 0 ? "your image" : `${header.anchor}`;
  element("seconds").textContent = total.toFixed(2);
}

function setMatch(value) {
  state.match_threshold = Math.min(Math.max(value, 0), 1);
  send("match_threshold", state.match_threshold);
  element("match-value").textContent = state.match_threshold.toFixed(2);
  draw();
}

function setKeypoint(slider) {
  const value = thresholdOf(Math.min(Math.max(slider, 0), 60));
  state.keypoint_threshold = value;
  send("keypoint_threshold", value);
  element("keypoint-value").textContent = value.toExponential(1);
}

function toggle(name, command) {
  const pressed = element(name).getAttribute("aria-pressed") !== "true";
  element(name).setAttribute("aria-pressed", String(pressed));
  send(command, pressed);
}

function quit() {
  over = true;
  send("quit");
}

const KEYS = {
  n: () => send("anchor"),
  k: () => toggle("toggle-points", "keypoints"),
  " ": () => toggle("pause", "pause"),
  d: () => setMatch(state.match_threshold - 0.05),
  f: () => setMatch(state.match_threshold + 0.05),
  e: () => setKeypoint(sliderOf(state.keypoint_threshold) - 1),
  r: () => setKeypoint(sliderOf(state.keypoint_threshold) + 1),
  q: quit,
};

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement || (event.key === " " && event.target instanceof HTMLButtonElement);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
element("new-anchor").onclick = KEYS.n;
element("toggle-points").onclick = KEYS.k;
element("pause").onclick = KEYS[" "];
element("quit").onclick = quit;
element("match-threshold").onchange = (event) => setMatch(Number(event.target.value));
element("match-threshold").oninput = (event) => { state.match_threshold = Number(event.target.value); draw(); };
element("keypoint-threshold").onchange = (event) => setKeypoint(Number(event.target.value));
window.addEventListener("resize", draw);
connect();
