// The types of what three.js exports; for the type checker alone.
export * from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
