// Bundles each file of src/pages into one script or style of that name: `node build.mjs [FOLDER]`.
import { build } from "esbuild";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const pages = readdirSync(join(here, "src/pages")).filter((name) => /\.(tsx?|css)$/.test(name));
await build({
  absWorkingDir: here,
  entryPoints: pages.sort().map((name) => `src/pages/${name}`),
  outdir: process.argv[2] ?? join(here, "../assets"),
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "inline",
  logLevel: "warning",
});
