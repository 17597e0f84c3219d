// node opening_time.mjs REPORT.html
// How long a report takes to open in headless Chromium: until what stands on the first screen can be used, and until all
// figures are drawn. It prints, and judges nothing: a time says as much of the machine as of the page.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { Chromium, findChromium } from "./chromium.mjs";

const chromium = findChromium();
if (!chromium) {
    console.log("skipped: there is no Chromium (on Debian: apt-get install chromium)");
    process.exit(77);
}
const path = resolve(process.argv[2]);
const browser = new Chromium(chromium);
try {
    console.log(`size          ${(statSync(path).size / 1e6).toFixed(2)} MB`);
    for (let run = 0; run < 3; ++run) {
        const page = await browser.newPage();
        await page.size(1280, 800);
        await page.open(path);
        await page.until("document.documentElement.dataset.ready === 'true'", 120);
        const [first, all] = await page.value("['ebb-first', 'ebb-all'].map((name) => performance.getEntriesByName(name)[0].startTime)");
        console.log(`first figure  ${(first / 1000).toFixed(2)} s    all figures  ${(all / 1000).toFixed(2)} s`);
        await page.close();
    }
} finally {
    await browser.close();
}
