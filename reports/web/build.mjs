// Bundles each file of src/pages into one script or style of that name: `node build.mjs [FOLDER]`.
import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const pages = readdirSync(join(here, "src/pages")).filter((name) => /\.(tsx?|css)$/.test(name));
const outdir = process.argv[2] ?? join(here, "../assets");
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: pages.sort().map((name) => `src/pages/${name}`),
  outdir,
  metafile: true,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "inline",
  logLevel: "warning",
});

// The licences of what went in: they ask to be passed on with it.
const inputs = Object.keys(metafile.inputs).map((path) => /^node_modules\/([^@][^/]*|@[^/]*\/[^/]*)/.exec(path));
const packages = [...new Set(inputs.flatMap((found) => (found ? [found[1]] : [])))].sort();
const licences = packages.map((name) => {
  const folder = join(here, "node_modules", name);
  const file = readdirSync(folder).find((found) => /^licen[cs]e/i.test(found));
  return `${name}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
});
writeFileSync(join(outdir, "licences.txt"), licences.join("\n\n"));
