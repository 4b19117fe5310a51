// Small helpers around the document. Text from people only ever becomes text nodes.

/**
 * The element of an id.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`there is no element #${id}`);
  return /** @type {any} */ (found);
}

/**
 * A new element.
 * @param {string} tag of it
 * @param {Record<string, unknown>} [properties] `class`, `data-...`, `aria-...`, `on...` functions, or properties
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = String(value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), /** @type {any} */ (value));
    else if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, String(value));
    else /** @type {any} */ (made)[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => /** @type {any} */ (child)));
  return made;
}

/**
 * An icon of the page's sprite.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

const probe = el("span", { hidden: true });

/** A colour of the style sheet, such as `--accent`, in the theme at hand. @param {string} name */
export function token(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Say something to screen readers. @param {string} text */
export function announce(text) {
  $("announce").textContent = text;
}

/** Show a short message for a while. @param {string} text */
export function toast(text) {
  const shown = el("div", { class: "toast", textContent: text });
  $("toasts").append(shown);
  setTimeout(() => shown.remove(), 4000);
}

/**
 * Let the browser save something.
 * @param {Blob} content
 * @param {string} name of the file
 */
export function save(content, name) {
  const url = URL.createObjectURL(content);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

/** Copy to the clipboard, also where the page is not served securely. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not allow copying: select the text and copy it by hand");
  }
}

/**
 * A canvas with one pixel for each of the screen, and a context in CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @returns {{ context: CanvasRenderingContext2D, width: number, height: number }}
 */
export function sized(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, 3);
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}

/**
 * Call a function once, a while after the last of many calls.
 * @param {() => void} act
 * @param {number} wait in milliseconds
 */
export function later(act, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
}

/** @param {number} count @param {string} word @param {string} [many] */
export function plural(count, word, many = `${word}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? word : many}`;
}
