// What the tests of reports share: reports that are opened as a reader opens them, what stands on them, and a run of tests.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chromium, findChromium } from "./chromium.mjs";

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Reports {
    #path;
    #open = [];

    /// The reports of a test of which `path` is the first. Ends the process, as skipped, where there is no Chromium.
    constructor(path) {
        const chromium = findChromium();
        if (!chromium) {
            console.log("skipped: there is no Chromium (on Debian: apt-get install chromium)");
            process.exit(77);
        }
        this.#path = path;
        this.interactive = !readFileSync(path, "utf8").includes('class="why-static"');
        this.browser = new Chromium(chromium);
        this.downloads = mkdtempSync(join(tmpdir(), "ebb-downloads-"));
    }

    async open({ path = this.#path, width = 1280, height = 800, dark = false, media, before } = {}) {
        const page = await this.browser.newPage();
        this.#open.push(page);
        await page.size(width, height);
        await page.media({ "prefers-color-scheme": dark ? "dark" : "light" }, media);
        if (before) await before(page);
        await page.open(path);
        if (this.interactive && !before) await page.until("document.documentElement.dataset.ready === 'true'");
        await this.browser.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: this.downloads });
        return page;
    }

    /// The file that a click downloads.
    async downloaded(page, selector, name) {
        const path = join(this.downloads, name);
        rmSync(path, { force: true });
        await page.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
        for (let i = 0; i < 300 && !existsSync(path); ++i) await pause(50);
        assert.ok(existsSync(path), `${name} was not downloaded`);
        // Chromium renames the file when it is whole.
        return readFileSync(path);
    }

    /// Runs the tests one after another, prints what became of each, and ends the process. A build without Vega has
    /// still figures only: then those in `withoutVega`.
    async run(tests, withoutVega = {}) {
        const wanted = this.interactive ? { ...tests, ...withoutVega } : withoutVega;
        if (!this.interactive) console.log("skipped, but for the still figures: Ebb was built without Vega");
        let failures = 0;
        try {
            for (const [name, test] of Object.entries(wanted)) {
                try {
                    await test();
                    console.log(`ok: ${name}`);
                } catch (error) {
                    ++failures;
                    console.log(`FAILED: ${name}\n${error.stack}`);
                }
                for (const page of this.#open.splice(0)) await page.close();
            }
        } finally {
            await this.browser.close();
            rmSync(this.downloads, { recursive: true, force: true });
        }
        console.log(`${Object.keys(wanted).length - failures} of ${Object.keys(wanted).length} passed`);
        // 77 is "skipped" to CTest: passing would hide that no slider has moved.
        process.exit(failures > 0 ? 1 : this.interactive ? 0 : 77);
    }
}

export function checkSilent(page) {
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(page.requests.filter((url) => !/^(file|data|blob):/.test(url)), []);
}

/// The `d` of each line of a figure, dashed ones apart.
export const linesOf = (page, figure, dashed) =>
    page.value(`[...document.querySelectorAll("${figure} .plot .mark-line path")]
        .filter((path) => path.hasAttribute("stroke-dasharray") === ${dashed})
        .map((path) => path.getAttribute("d"))`);

export const moveSlider = (page, figure, value) =>
    page.value(`(() => { const input = document.querySelector("${figure} .slider input"); input.value = ${value};
        input.dispatchEvent(new Event("input", { bubbles: true })); })()`);

export const boxOf = (page, selector) => page.value(`(() => { const { left, top, width, height } =
    document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return { left, top, width, height }; })()`);

/// What a figure shows, as one number: of a graph its canvases, of the others the marks of their SVG.
export const ink = (page, figure) => page.value(`(() => { const plot = document.querySelector("${figure} .plot");
    const canvases = [...plot.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()).join("");
    const marks = [...plot.querySelectorAll("path, image, line, text")]
        .map((mark) => [...mark.attributes].map((one) => one.name + one.value).sort().join() + mark.textContent).sort().join("");
    return (canvases || marks).split("").reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) | 0, 7); })()`);

export const shown = (page, selector) => page.value(`(() => { const e = document.querySelector(${JSON.stringify(selector)});
    return !!e && e.getClientRects().length > 0; })()`);

export const output = (page, figure) => page.value(`document.querySelector("${figure} output").textContent`);

export const scrollTo = (page, selector) =>
    page.value(`document.querySelector(${JSON.stringify(selector)}).scrollIntoView({ block: "center", behavior: "instant" })`);
