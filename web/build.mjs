// Bundles the page's scripts and styles, and three.js apart from them, since only the collection's view loads it.
// `node build.mjs [FOLDER] [--readable]`: by default into the package; --readable leaves names, lines and comments.
import { build } from "esbuild";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [folder] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const out = resolve(folder ?? join(here, "../src/cyano/page/static"));
const packages = join(here, "node_modules/three");
const { version } = JSON.parse(readFileSync(join(packages, "package.json"), "utf8"));
const minify = !process.argv.includes("--readable");
const usual = { absWorkingDir: here, bundle: true, format: "esm", target: "es2022", legalComments: "none", minify, write: false };

/** Whatever is imported from three.js is in its bundle. */
const apart = {
  name: "three",
  setup: ({ onResolve }) => onResolve({ filter: /^three(\/|$)/ }, () => ({ path: "../vendor/three.js", external: true })),
};
const scripts = build({
  ...usual,
  entryPoints: { page: "src/main.js", collection: "src/collection/tab.js", scene: "src/collection/scene.js", live: "src/live/tab.js" },
  outdir: join(out, "js"),
  splitting: true,
  chunkNames: "shared-[hash]",
  plugins: [apart],
});
const styles = build({ ...usual, entryPoints: ["page", "collection", "live"].map((name) => `src/css/${name}.css`), outdir: join(out, "css") });
const library = build({
  ...usual,
  minify: true,
  entryPoints: ["three.js"],
  outfile: join(out, "vendor/three.js"),
  banner: { js: `/* three.js ${version}, MIT licence: see notices.txt */` },
});
const made = (await Promise.all([scripts, styles, library])).flatMap(({ outputFiles }) => outputFiles);
const licence = readFileSync(join(packages, "LICENSE"), "utf8").trim();
const notices = `The page contains the following work of others.\n\nthree.js ${version} (https://threejs.org), in three.js of this folder\n\n${licence}\n`;
for (const name of ["js", "css", "vendor"]) {
  rmSync(join(out, name), { recursive: true, force: true });
  mkdirSync(join(out, name), { recursive: true });
}
for (const { path, contents } of made) writeFileSync(path, contents);
writeFileSync(join(out, "vendor/notices.txt"), notices);
