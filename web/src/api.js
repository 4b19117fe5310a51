// The service's HTTP interface, in one place.

const ROOT = "api/v1";

/** An answer of the service that is no result: RFC 9457's problem document. */
export class Problem extends Error {
  /**
   * @param {number} status of HTTP; 0 where the service did not answer
   * @param {string} title
   * @param {string} detail
   */
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
  }
}

/**
 * Ask the service.
 * @param {string} method
 * @param {string} path below the interface's root
 * @param {{ json?: unknown, body?: Blob, accept?: string, signal?: AbortSignal }} [request]
 * @returns {Promise<Response>}
 */
async function call(method, path, { json, body, accept = "application/json", signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: accept };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  else if (body) headers["Content-Type"] = body.type || "application/octet-stream";
  let answer;
  try {
    answer = await fetch(`${ROOT}/${path}`, { method, headers, body: json === undefined ? body : JSON.stringify(json), signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The service does not answer", "It may have been stopped. Start it again; the page goes on where it was.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, told.title || `The service answered ${answer.status}`, typeof told.detail === "string" ? told.detail : "");
}

/** @param {string} method @param {string} path @param {object} [request] @returns {Promise<any>} */
const json = async (method, path, request) => (await call(method, path, request)).json();
/** @param {string} path @param {object} [request] */
const blob = async (path, request) => (await call("GET", path, request)).blob();
/** A picture of an address. @param {string} url @param {AbortSignal} [signal] */
export async function pictureOf(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Problem(answer.status, "The picture is not there", "Its preview could not be made.");
  return answer.blob();
}

/** @param {string} path @returns {Promise<ArrayBuffer>} */
const bytes = async (path) => (await call("GET", path, { accept: "application/octet-stream" })).arrayBuffer();

/** @typedef {{ id: string, width: number, height: number }} Uploaded */

export const health = () => json("GET", "health");
/** @param {Blob} body @param {AbortSignal} [signal] @returns {Promise<Uploaded>} */
export const putImage = (body, signal) => json("PUT", "images", { body, signal });
/** @param {string} id @param {number} side */
export const previewUrl = (id, side) => `${ROOT}/images/${id}/preview?side=${side}`;
/** @param {object} request @param {AbortSignal} [signal] */
export const match = (request, signal) => json("POST", "matches", { json: request, signal });
/** The same as a numpy archive. @param {string} id */
export const matchArchive = (id) => blob(`matches/${id}`, { accept: "application/octet-stream" });
/** @param {string} id */
export const allKeypoints = (id) => json("GET", `matches/${id}/keypoints`);
/** @param {string} id @param {object} request */
export const geometry = (id, request) => json("POST", `matches/${id}/geometry`, { json: request });
/** @param {string} id @param {number} keypoint */
export const alternatives = (id, keypoint) => json("GET", `matches/${id}/alternatives?keypoint=${keypoint}`);
/** @param {string} id @param {number} threshold in pixels */
export const registered = (id, threshold) => blob(`matches/${id}/registered.png?threshold_px=${threshold}`, { accept: "image/png" });

export const collections = () => json("GET", "collections");
/** @param {number} n */
const of = (n) => `collections/${n}`;
/** @param {number} n */
export const collection = (n) => json("GET", of(n));
/** @param {number} n */
export const points = (n) => bytes(`${of(n)}/points.bin`);
/** @param {number} n */
export const cameras = (n) => json("GET", `${of(n)}/cameras.json`);
/** @param {number} n */
export const pairs = (n) => json("GET", `${of(n)}/pairs.json`);
/** The matches that are stored of two images. @param {number} n @param {number} a @param {number} b */
export const storedMatches = (n, a, b) => json("GET", `${of(n)}/pairs/${a}/${b}`);
/** What is to be saved of a model. @param {number} n @param {"points.ply" | "model.zip"} file */
export const modelUrl = (n, file) => `${ROOT}/${of(n)}/${file}`;
/** @param {number} n @param {number} image @param {number} side */
export const collectionPreviewUrl = (n, image, side) => `${ROOT}/${of(n)}/images/${image}/preview?side=${side}`;
/** A point and the images that see it. @param {number} n @param {number} point */
export const track = (n, point) => json("GET", `${of(n)}/tracks?point=${point}`);
/** @param {number} n @param {number} image */
export const keypoints = (n, image) => bytes(`${of(n)}/images/${image}/keypoints.bin`);
/** @param {number} n @param {object} request @param {AbortSignal} [signal] */
export const localise = (n, request, signal) => json("POST", `${of(n)}/localise`, { json: request, signal });
/** The address of the live pictures. */
export const liveUrl = () => new URL(`${ROOT}/live`, document.baseURI.replace(/^http/, "ws")).href;
