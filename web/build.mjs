// Bundles three.js for the page and writes its notice. `node build.mjs FOLDER`, by default into the package.
import { build } from "esbuild";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../src/cyano/page/static/vendor"));
const three = join(here, "node_modules/three");
const { version } = JSON.parse(readFileSync(join(three, "package.json"), "utf8"));

mkdirSync(out, { recursive: true });
await build({
  entryPoints: [join(here, "three.js")],
  outfile: join(out, "three.js"),
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  legalComments: "none",
  banner: { js: `/* three.js ${version}, MIT licence: see notices.txt */` },
});
const licence = readFileSync(join(three, "LICENSE"), "utf8").trim();
writeFileSync(
  join(out, "notices.txt"),
  `The page contains the following work of others.\n\nthree.js ${version} (https://threejs.org), in three.js of this folder\n\n${licence}\n`,
);
