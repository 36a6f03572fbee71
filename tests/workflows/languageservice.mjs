// Prints what GitHub's language service, the one of its editor plug-in, says about the documents named, one line each.
// The first argument is the repository's folder, the others are paths inside it.

import { readFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { join } from "node:path";

const PACKAGES = "../../.cache/node/node_modules/";

// The packages import JSON as a bundler would; Node wants to be told that it is JSON.
const json = { importAttributes: { type: "json" } };
registerHooks({ load: (url, context, next) => next(url, url.endsWith(".json") ? { ...context, ...json } : context) });
const { registerLogger, validate } = await import(`${PACKAGES}@actions/languageservice/dist/index.js`);
const { TextDocument } = await import(`${PACKAGES}vscode-languageserver-textdocument/lib/esm/main.js`);

const [root, ...paths] = process.argv.slice(2);
let current = "";

function complain(line, message) {
  console.log(`${current}:${line}: ${message}`);
}

// It swallows its own errors and then finds nothing: what it logs is a finding too.
const log = (message) => complain(0, message);
registerLogger({ log, info: log, warn: log, error: log });

// So that calls of workflows and actions of the same repository are checked against what these declare.
const fileProvider = {
  getFileContent: async ({ path }) => ({ name: path, content: await readFile(join(root, path), "utf8") }),
};

for (current of paths) {
  const text = await readFile(join(root, current), "utf8");
  const found = await validate(TextDocument.create(`file:///${current}`, "yaml", 1, text), { fileProvider });
  found.forEach(({ range, message }) => complain(range.start.line + 1, message));
}
