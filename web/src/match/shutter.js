// A photograph from the device's camera.

import { $ } from "../dom.js";

const WHY = {
  NotAllowedError: "The browser may not use the camera. Allow it in the address bar, then try again.",
  NotFoundError: "There is no camera on this device.",
  NotReadableError: "Another program uses the camera. Close it, then try again.",
};

/**
 * Show the camera and wait for a photograph.
 * @returns {Promise<Blob | null>} a JPEG, or null where none was taken
 */
export async function takePhotograph() {
  const dialog = $("shutter");
  const video = /** @type {HTMLVideoElement} */ ($("shutter-video"));
  const take = /** @type {HTMLButtonElement} */ ($("shutter-take"));
  const text = $("shutter-text");
  text.textContent = "Waiting for the camera";
  take.disabled = true;
  delete video.dataset.on;
  /** @type {any} */ (dialog).showModal();
  /** @type {MediaStream | null} */
  let stream = null;
  const taken = new Promise((resolve) => {
    take.onclick = () => resolve(frameOf(video));
    $("shutter-close").onclick = () => resolve(null);
    dialog.onclose = () => resolve(null);
  });
  try {
    if (!navigator.mediaDevices) throw Object.assign(new Error(), { name: "insecure" });
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, facingMode: "environment" }, audio: false });
    video.srcObject = stream;
    await video.play();
    video.dataset.on = "";
    text.textContent = "";
    take.disabled = false;
    take.focus();
  } catch (error) {
    const name = /** @type {Error} */ (error).name;
    text.textContent = WHY[/** @type {keyof typeof WHY} */ (name)] ?? "Browsers give the camera to pages of this machine or over HTTPS only.";
  }
  const photograph = await taken;
  stream?.getTracks().forEach((track) => track.stop());
  dialog.onclose = null;
  /** @type {any} */ (dialog).close();
  return photograph;
}

/** @param {HTMLVideoElement} video @returns {Promise<Blob | null>} */
function frameOf(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
}
