// What is said over the photographs where there are no matches: what happened and what to do about it.

import { Problem } from "../api.js";
import { $, el } from "../dom.js";

/** @param {string} title @param {string} text @param {string[]} hints @param {string} [again] @param {(() => void) | null} [act] */
function show(title, text, hints, again = "", act = null) {
  const card = $("verdict-card");
  const button = /** @type {HTMLButtonElement} */ ($("verdict-again"));
  /** @type {HTMLElement} */ (card.querySelector("h2")).textContent = title;
  /** @type {HTMLElement} */ (card.querySelector("p")).textContent = text;
  /** @type {HTMLElement} */ (card.querySelector("ul")).replaceChildren(...hints.map((hint) => el("li", { textContent: hint })));
  button.hidden = !act;
  button.textContent = again;
  button.onclick = () => {
    card.hidden = true;
    act?.();
  };
  $("verdict-close").onclick = () => (card.hidden = true);
  card.hidden = false;
}

export function hideVerdict() {
  $("verdict-card").hidden = true;
}

/** @param {Error} error @param {string} what @param {() => void} again */
export function showProblem(error, what, again) {
  const problem = error instanceof Problem ? error : new Problem(0, what, error.message);
  const hints = {
    413: ["Make the photograph smaller, or start the service with a larger limit."],
    429: ["Others are being served. Try again in some seconds."],
    503: ["A lower resolution takes less time and memory."],
  }[problem.status];
  show(problem.title, problem.message, hints ?? [], "Try again", again);
}

/** Nothing was found: say why that may be. @param {import("./matches.js").Matches} matches @param {() => void} options */
export function showNone(matches, options) {
  const plain = matches.keypoints.flatMap((count, k) => (count < 8 ? [k] : []));
  if (plain.length) {
    const who = plain.length === 2 ? "Both photographs have" : `The ${plain[0] ? "second" : "first"} photograph has`;
    const counts = matches.keypoints.join(" and ");
    show("No matches", `${who} hardly any texture: ${counts} keypoints.`, ["A sharper or brighter photograph", "A higher resolution, if the details are small"], "More options", options);
    return;
  }
  show("No matches", "Nothing in one photograph is seen in the other with any confidence. They may show different places, or the same from too far apart.", [
    "One of them is turned: let B be tried in all four directions",
    "One is blurred, or shows a surface from the side: let other views be tried",
    "The common part is small: a higher resolution and more keypoints",
  ], "More options", options);
}
