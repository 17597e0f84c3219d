// node demo.mjs FOLDER
// The report that the demo has written, in headless Chromium: it opens silently, asks for nothing, and its slider over
// training moves the curves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium, findChromium } from "./chromium.mjs";

const report = join(process.argv[2], "report.html");
const chromium = findChromium();
if (!chromium) {
    console.log("skipped: there is no Chromium (on Debian: apt-get install chromium)");
    process.exit(77);
}
const interactive = !readFileSync(report, "utf8").includes('class="why-static"');
const figure = "#gradient-norm-through-time";
const browser = new Chromium(chromium);
try {
    const page = await browser.newPage();
    await page.size(1280, 800);
    await page.open(report);
    if (interactive) {
        await page.until("document.documentElement.dataset.ready === 'true'");
        const lines = () => page.value(`[...document.querySelectorAll("${figure} .plot .mark-line path")]
            .filter((path) => !path.hasAttribute("stroke-dasharray")).map((path) => path.getAttribute("d"))`);
        const trained = await lines();
        assert.equal(trained.length, 3);  // a curve for each cell
        await page.value(`(() => { const input = document.querySelector("${figure} input[type=range]"); input.value = 0;
            input.dispatchEvent(new Event("input", { bubbles: true })); })()`);
        await page.until(`document.querySelector("${figure} output").textContent === "0"`);
        await page.until(`document.querySelector("${figure} .plot .mark-line path:not([stroke-dasharray])")
            .getAttribute("d") !== ${JSON.stringify(trained[0])}`);
        const untrained = await lines();
        assert.equal(untrained.length, 3);
        trained.forEach((line, i) => assert.notEqual(line, untrained[i]));
    } else {
        console.log("Ebb was built without Vega: only the still figures are tested");
        assert.ok(await page.value(`!!document.querySelector("${figure} svg")`));
    }
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(page.requests.filter((url) => !/^(file|data|blob):/.test(url)), []);
} finally {
    await browser.close();
}
