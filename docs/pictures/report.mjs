// node docs/pictures/report.mjs SAMPLE_FOLDER
// The pictures of docs/report.md, from the sample report of the tests (build/release/tests/browser/sample_report FOLDER).

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium, findChromium } from "../../tests/browser/chromium.mjs";

const samples = process.argv[2];
const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const browser = new Chromium(findChromium());

async function openReport({ width = 1000, dark = false } = {}) {
    const page = await browser.newPage();
    await page.size(width, 800);
    await page.media({ "prefers-color-scheme": dark ? "dark" : "light" });
    await page.open(join(samples, "report.html"));
    await page.until("document.documentElement.dataset.ready === 'true'");
    return page;
}

async function take(page, name, selector, ...actions) {
    for (const action of actions) await page.value(`(() => { const section = document.querySelector("${selector}"); ${action} })()`);
    await new Promise((resume) => setTimeout(resume, 400));
    writeFileSync(join(here, `report-${name}.png`), await page.picture(selector));
    console.log(`report-${name}.png`);
}

try {
    const page = await openReport();
    const slide = (inputs, i, value) => `const input = section.querySelectorAll("${inputs}")[${i}]; input.value = ${value}; input.dispatchEvent(new Event("input"));`;
    await take(page, "overview", "header");
    await take(page, "gradient", "#gradient-norm-through-time", slide(".brush input", 0, 49));
    await take(page, "seeds", "#gradient-norm-over-five-seeds");
    await take(page, "triangle", "#which-loss-reaches-which-step");
    await take(page, "units", "#gradient-by-unit-lstm");
    await take(page, "surface", "#loss-surface");
    await take(page, "graph-steps", "#the-lstm-unrolled");
    await take(page, "graph-operations", "#the-lstm-unrolled", slide(".brush input", 0, 8), 'section.querySelector("[data-level=operations]").click();');
    const dark = await openReport({ dark: true });
    await take(dark, "graph-long", "#a-gru-of-500-steps", 'section.querySelector(".brush-all").click();');
} finally {
    await browser.close();
}
