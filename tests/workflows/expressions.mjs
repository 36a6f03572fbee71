// Answers each line of standard input, a request in JSON, with one line: the value that GitHub's own evaluator gives.

import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// By path: Node looks for packages beside this file, and they are in a folder that git ignores.
import { Evaluator, Lexer, Parser, data } from "../../.cache/node/node_modules/@actions/expressions/dist/index.js";
import { truthy } from "../../.cache/node/node_modules/@actions/expressions/dist/result.js";
import { ensureStatusFunction } from "../../.cache/node/node_modules/@actions/workflow-parser/dist/model/converter/if-condition.js";

const OPEN = "${{";

// The runner's rule: the hash of the hashes of all files that match, in the order of their paths. Unlike the runner's, a
// pattern must spell out the dot that a name begins with.
function hashFiles(folder, patterns) {
  const wanted = patterns.filter((pattern) => !pattern.startsWith("!"));
  const exclude = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  const found = globSync(wanted, { cwd: folder, exclude }).sort().map((name) => join(folder, name));
  const files = found.filter((path) => statSync(path).isFile());
  const all = createHash("sha256");
  for (const path of files) {
    all.update(createHash("sha256").update(readFileSync(path)).digest());
  }
  return files.length ? all.digest("hex") : "";
}

function extension(name, maxArgs, call) {
  return { name, minArgs: Math.min(maxArgs, 1), maxArgs, call };
}

// Status functions exist in conditions only, hashFiles only where a runner has files: elsewhere they are unknown to GitHub.
function extensions({ status, files }) {
  const answers = Object.entries(status ?? {});
  const functions = answers.map(([name, answer]) => extension(name, 0, () => new data.BooleanData(answer)));
  const hash = (...patterns) => new data.StringData(hashFiles(files, patterns.map((one) => one.coerceString())));
  return files === null ? functions : [...functions, extension("hashFiles", 255, hash)];
}

function evaluate(expression, request) {
  const functions = extensions(request);
  const contexts = JSON.parse(JSON.stringify(request.contexts), data.reviver);
  const names = Object.keys(request.contexts);
  const tree = new Parser(new Lexer(expression).lex().tokens, names, functions).parse();
  if (tree === undefined) {
    throw new Error("An expression was expected");
  }
  return new Evaluator(tree, contexts, new Map(functions.map((one) => [one.name.toLowerCase(), one]))).evaluate();
}

// Where the expression ends that starts at `start`: braces inside quotes do not count.
function closing(text, start) {
  let quoted = false;
  for (let at = start + OPEN.length; at < text.length; at++) {
    quoted = text[at] === "'" ? !quoted : quoted;
    if (!quoted && text.startsWith("}}", at)) {
      return at + 2;
    }
  }
  throw new Error("The expression is not closed");
}

// A scalar's parts in their order: literal text, and the insides of expressions.
function split(text) {
  const parts = [];
  for (let at = 0; at < text.length; ) {
    const start = text.indexOf(OPEN, at);
    const literal = text.slice(at, start < 0 ? text.length : start);
    if (literal) {
      parts.push({ literal });
    }
    at = start < 0 ? text.length : closing(text, start);
    if (start >= 0) {
      parts.push({ expression: text.slice(start + OPEN.length, at - 2) });
    }
  }
  return parts;
}

function interpolate(text, request) {
  const parts = split(text);
  if (parts.length === 1 && parts[0].expression !== undefined) {
    return evaluate(parts[0].expression, request);
  }
  return new data.StringData(
    parts.map((part) => part.literal ?? evaluate(part.expression, request).coerceString()).join(""),
  );
}

// The expression of an `if:`. Text around `${{ }}` makes any condition true: nobody means that.
function bare(text) {
  const parts = split(text.trim());
  if (!parts.some((part) => part.expression !== undefined)) {
    return text.trim() || "success()";
  }
  if (parts.length > 1) {
    throw new Error("Text around an expression makes a condition always true");
  }
  return parts[0].expression.trim();
}

function condition(text, request) {
  const known = [...Object.keys(request.contexts), ...extensions(request).map((one) => `${one.name}(0,MAX)`)];
  const whole = ensureStatusFunction(bare(text), { allowedContext: known });
  return new data.BooleanData(truthy(evaluate(whole, request)));
}

const operations = { evaluate, interpolate, condition };

function answer(line) {
  const request = JSON.parse(line);
  try {
    return { value: operations[request.operation](request.text, request) };
  } catch (error) {
    return { error: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(line), data.replacer)}\n`);
}
