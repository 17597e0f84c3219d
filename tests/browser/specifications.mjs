// node specifications.mjs SAMPLE_FOLDER WEB_FOLDER
// Every specification that C++ writes is valid by Vega-Lite's own schema.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [samples, web] = process.argv.slice(2);
const modules = join(web, "node_modules");
if (!existsSync(join(modules, "ajv")) || !existsSync(join(modules, "vega-lite"))) {
    console.log("skipped: npm has not fetched ajv and vega-lite");
    process.exit(77);
}
const require = createRequire(join(modules, "anchor.js"));
const Ajv = require("ajv");
const schema = JSON.parse(readFileSync(join(modules, "vega-lite/build/vega-lite-schema.json")));
const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);

// The validator itself must be able to say no.
assert.equal(validate({ mark: "line", data: { values: [] }, encoding: { x: { field: "a", type: "wrong" } } }), false);

const names = readdirSync(samples).filter((name) => name.endsWith(".vl.json"));
assert.ok(names.length >= 5, `only ${names.length} specifications in ${samples}`);
for (const name of names) {
    const spec = JSON.parse(readFileSync(join(samples, name)));
    assert.ok(validate(spec), `${name}: ${JSON.stringify(validate.errors?.slice(0, 5), null, 1)}`);
    console.log(`valid: ${name}`);
}
