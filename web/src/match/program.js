// The same as a command and as Python; loaded once there is something to tell.

/** @typedef {{ names: string[], resize: number | null, maxKeypoints: number | null, rotations: boolean, views: boolean, masks: boolean[], geometry: string, threshold: number, focal: (number | null)[], sizes: { width: number, height: number }[] }} Settings */

/** A word for a shell. @param {string} word */
export function quoted(word) {
  const safe = word.startsWith("-") ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", `'\\''`)}'`;
}

/** `fx,fy,cx,cy` of a focal length and a size. @param {number} focal @param {{ width: number, height: number }} size */
const intrinsics = (focal, size) => [focal, focal, (size.width - 1) / 2, (size.height - 1) / 2];

/** @param {Settings} settings */
export function asCommand(settings) {
  const words = ["cyano match", ...settings.names.map(quoted)];
  if (settings.resize) words.push(`--resize ${settings.resize}`);
  if (settings.maxKeypoints) words.push(`--max-keypoints ${settings.maxKeypoints}`);
  if (settings.rotations) words.push("--rotations auto");
  if (settings.views) words.push("--views auto");
  settings.masks.forEach((painted, k) => painted && words.push(`--mask${k} mask${k}.png`));
  if (settings.geometry !== "none") words.push(`--${settings.geometry} --threshold ${settings.threshold}`);
  if (settings.geometry === "pose") settings.focal.forEach((focal, k) => focal && words.push(`--intrinsics${k} ${intrinsics(focal, settings.sizes[k]).join(",")}`));
  return words.join(" ");
}

/** A string of Python. @param {string} text */
const literal = (text) => JSON.stringify(text);

/** @param {Settings} settings */
export function asPython({ names, resize, maxKeypoints, rotations, views, masks, geometry, threshold, focal, sizes }) {
  const options = [];
  if (resize) options.push(`resize=cyano.ResizeRule.longest(${resize}, allow_upscale=True)`);
  if (maxKeypoints) options.push(`max_keypoints=${maxKeypoints}`);
  if (rotations) options.push('rotations="auto"');
  if (views) options.push('views="auto"');
  const chosen = options.length ? `options=cyano.MatcherOptions(${options.join(", ")})` : "";
  const painted = masks.map((mask, k) => (mask ? `mask${k}="mask${k}.png"` : "")).filter(Boolean);
  const files = names.map((name) => JSON.stringify(name));
  const call = painted.length
    ? `cyano.Matcher.from_pretrained(${chosen}).match(${[...files, ...painted].join(", ")})`
    : `cyano.match(${[...files, chosen].filter(Boolean).join(", ")})`;
  return ["import cyano", "", `result = ${call}`, ...geometryLines(geometry, threshold, focal, sizes)].join("\n");
}

/** @param {string} geometry @param {number} threshold @param {(number | null)[]} focal @param {{ width: number, height: number }[]} sizes */
function geometryLines(geometry, threshold, focal, sizes) {
  if (geometry === "none") return ["print(result.keypoints0, result.keypoints1, result.scores)"];
  const cameras = focal.map((f, k) => (f ? `cyano.Camera(${intrinsics(f, sizes[k]).join(", ")})` : "None"));
  const inputs = geometry === "pose" && focal.some(Boolean) ? [...cameras, "robust"] : [geometry === "pose" ? "options=robust" : "robust"];
  const method = geometry === "pose" ? "relative_pose" : geometry;
  return [
    `robust = cyano.RobustOptions(threshold_px=${threshold})`,
    `result, (model,) = result.verified(lambda pair: pair.${method}(${inputs.join(", ")}))`,
    "print(model.status, model.num_inliers, model.matrix)",
  ];
}
