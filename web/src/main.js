// The frame of the page: tabs, theme, the state of the service.

import * as api from "./api.js";
import { $, el } from "./dom.js";
import { startMatch } from "./match/tab.js";

const TABS = ["match", "collection", "live"];
/** What is loaded when it is first looked at. @type {Record<string, () => Promise<void>>} */
const STARTS = {
  collection: async () => {
    await styled("collection");
    (await import("./collection/tab.js")).startCollection();
  },
  live: async () => {
    await styled("live");
    (await import("./live/tab.js")).startLive();
  },
};
const started = new Set(["match"]);

/** Load the styles of a tab. @param {string} name */
const styled = (name) => new Promise((done) => document.head.append(el("link", { rel: "stylesheet", href: `static/css/${name}.css`, onload: done, onerror: done })));

/** Show a tab, and start it if it is the first time. @param {string} name @param {boolean} [focus] */
function show(name, focus = false) {
  for (const each of TABS) {
    const tab = $(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === name));
    tab.tabIndex = each === name ? 0 : -1;
    $(each).hidden = each !== name;
  }
  if (focus) $(`tab-${name}`).focus();
  if (location.hash.slice(1) !== name) history.replaceState(null, "", `#${name}`);
  if (!started.has(name)) {
    started.add(name);
    STARTS[name]();
  }
  dispatchEvent(new Event("resize"));
  dispatchEvent(new Event("tab"));
}

function startTabs() {
  for (const name of TABS) {
    const tab = $(`tab-${name}`);
    tab.addEventListener("click", () => show(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[/** @type {"ArrowRight"} */ (event.key)];
      const next = event.key === "Home" ? 0 : event.key === "End" ? 2 : step && (TABS.indexOf(name) + step + 3) % 3;
      if (next === undefined) return;
      event.preventDefault();
      show(TABS[next], true);
    });
  }
  const asked = () => show(TABS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "match");
  addEventListener("hashchange", asked);
  asked();
}

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = localStorage.getItem("theme");
  const dress = () => {
    const theme = chosen ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    $("theme").setAttribute("aria-label", `Switch to the ${theme === "dark" ? "light" : "dark"} theme`);
    dispatchEvent(new Event("theme"));
  };
  system.addEventListener("change", dress);
  $("theme").addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", chosen);
    dress();
  });
  dress();
}

/** Ask how the service is, and again after a while; not while nobody looks. */
async function watchHealth() {
  const chip = $("health");
  const text = /** @type {HTMLElement} */ (chip.querySelector(".chip-text"));
  const tell = (/** @type {string} */ tone, /** @type {string} */ words) => {
    chip.dataset.tone = tone;
    if (text.textContent !== words) text.textContent = words;
  };
  if (!document.hidden) {
    try {
      const state = await api.health();
      const idle = `${state.weights} · ${state.device}`;
      tell(state.queue > 1 ? "warn" : "good", state.queue > 1 ? `${state.queue} jobs` : state.queue ? "working" : idle);
      $("foot-version").textContent = `Cyano ${state.version}`;
    } catch (error) {
      tell("bad", error instanceof api.Problem && error.status === 401 ? "token needed" : "no service");
    }
  }
  setTimeout(watchHealth, chip.dataset.tone === "bad" ? 3000 : 15_000);
}

startTheme();
startMatch();
startTabs();
watchHealth();
