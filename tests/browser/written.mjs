// node written.mjs REPORT.html...
// Reports that programs have written, whatever figures they hold: each control of each figure changes what it should,
// nothing is cut off or stands on something else, the console stays silent, and no request leaves the page.

import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { Reports, boxOf, checkSilent, ink, linesOf, moveSlider, output, pause, scrollTo } from "./reports.mjs";

const paths = process.argv.slice(2);
const reports = new Reports(paths[0]);

const figuresOf = (page) => page.value(`[...document.querySelectorAll("section.figure")].map((section) => ({
    id: "#" + section.id, slider: !!section.querySelector(".slider"), brush: !!section.querySelector(".brush"),
    graph: !!section.querySelector(".plot.graph"), legend: section.querySelectorAll(".legend > button").length }))`);

const text = (page, selector) => page.value(`document.querySelector(${JSON.stringify(selector)}).textContent`);

const click = async (page, selector) => {
    await page.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
    await pause(120);
};

// What a figure shows when it has come into view, and drawn what it had missed meanwhile.
async function settled(page, figure) {
    let before, now;
    do {
        before = now;
        await pause(250);
        now = await ink(page, figure);
    } while (now !== before);
    return now;
}

// Until a figure shows something else than `before`.
async function changed(page, figure, before, what) {
    for (const end = Date.now() + 20000; Date.now() < end; ) {
        if ((await ink(page, figure)) !== before) return;
        await pause(30);
    }
    assert.fail(`${figure}: ${what} changes nothing`);
}

// Until it shows the same again.
async function restored(page, figure, before, what) {
    for (const end = Date.now() + 20000; Date.now() < end; ) {
        if ((await ink(page, figure)) === before) return;
        await pause(30);
    }
    assert.fail(`${figure}: ${what} does not bring back what was there`);
}

const testsOf = (path) => ({
    async "opens silently, and its contents lead to what is there"() {
        for (const dark of [false, true]) checkSilent(await reports.open({ path, dark }));
        const page = await reports.open({ path });
        const links = await page.value(`[...document.querySelectorAll("nav a, h2 a")].map((link) => link.getAttribute("href"))`);
        assert.ok(links.length > 5);
        for (const link of links) assert.ok(await page.value(`!!document.querySelector("${link}")`), link);
    },

    async "each slider moves its figure and all others over the same training"() {
        const page = await reports.open({ path });
        const stepped = (await figuresOf(page)).filter((figure) => figure.slider);
        assert.ok(stepped.length > 0);
        for (const { id, graph } of stepped) {
            await scrollTo(page, `${id} .plot`);
            // A graph is drawn with pixels that depend on what was drawn before: its SVG says what it shows.
            const graphSvg = async () => String(await reports.downloaded(page, `${id} [data-do=svg]`, `${id.slice(1)}.svg`));
            const last = await settled(page, id);
            const drawn = graph && (await graphSvg());
            const step = await output(page, id);
            await moveSlider(page, id, 0);
            await changed(page, id, last, "the slider");
            for (const other of stepped) assert.equal(await output(page, other.id), "0", other.id);
            if (graph) assert.notEqual(await graphSvg(), drawn, id);
            await moveSlider(page, id, 1e6);
            if (graph) assert.equal(await graphSvg(), drawn, id);
            else await restored(page, id, last, "the slider");
            assert.equal(await output(page, id), step);
        }
        checkSilent(page);
    },

    async "each brush cuts out a window, and gives the whole back"() {
        const page = await reports.open({ path });
        const brushed = (await figuresOf(page)).filter((figure) => figure.brush);
        assert.ok(brushed.length > 0);
        for (const { id, graph } of brushed) {
            await scrollTo(page, `${id} .brush`);
            await click(page, `${id} .brush-all`);
            const whole = await settled(page, id);
            const words = await text(page, `${id} .window-note`);
            const box = await boxOf(page, `${id} .brush-track`);
            await page.drag(box.left + 0.3 * box.width, box.top + 12, box.left + 0.6 * box.width, box.top + 12);
            await changed(page, id, whole, "the brush");
            // Away from the plot, where it would show values.
            await page.moveMouse(2, 2);
            assert.notEqual(await text(page, `${id} .window-note`), words);
            await click(page, `${id} .brush-all`);
            await restored(page, id, whole, "the brush");
            // A graph always says what it shows.
            assert.equal((await text(page, `${id} .window-note`)) === "", !graph);
        }
        checkSilent(page);
    },

    async "each entry of a legend switches lines off and on"() {
        const page = await reports.open({ path });
        for (const { id, legend } of await figuresOf(page)) {
            const all = (await linesOf(page, id, false)).length + (await linesOf(page, id, true)).length;
            for (let k = 1; k <= legend; ++k) {
                const entry = `${id} .legend > button:nth-child(${k})`;
                await click(page, entry);
                const some = (await linesOf(page, id, false)).length + (await linesOf(page, id, true)).length;
                assert.ok(some < all, `${id}, ${await text(page, entry)}`);
                await click(page, entry);
                assert.equal((await linesOf(page, id, false)).length + (await linesOf(page, id, true)).length, all);
            }
        }
        checkSilent(page);
    },

    async "each graph shows steps, operations and weights, and zooms"() {
        const page = await reports.open({ path });
        for (const { id } of (await figuresOf(page)).filter((figure) => figure.graph)) {
            await scrollTo(page, `${id} .plot`);
            for (const control of ["[data-level=steps]", "[data-level=operations]", "[data-weights]", "[data-weights]", "[aria-label='Zoom in']", "[aria-label='Fit the window']"]) {
                // The level that it begins with is none that a click leads to.
                if ((await page.value(`document.querySelector("${id} ${control}").getAttribute("aria-pressed")`)) === "true" && control.includes("level")) continue;
                const before = await ink(page, id);
                await click(page, `${id} ${control}`);
                await changed(page, id, before, control);
            }
        }
        checkSilent(page);
    },

    async "values stand under the pointer in each figure, and where the arrow keys lead"() {
        const page = await reports.open({ path });
        for (const { id } of await figuresOf(page)) {
            await scrollTo(page, `${id} .plot`);
            await page.value(`document.querySelector("${id} .plot").focus()`);
            await page.press("ArrowLeft", "ArrowLeft", 37);
            await page.until("!document.getElementById('ebb-tooltip').hidden", 5);
            assert.notEqual(await text(page, `${id} .spoken`), "", id);
            const box = await page.value(`(() => { const { left, top, right, bottom } = document.getElementById("ebb-tooltip").getBoundingClientRect();
                return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight; })()`);
            assert.ok(box, `${id}: its values stand beyond the screen`);
            await page.value("document.activeElement.blur()");
        }
        checkSilent(page);
    },

    async "each figure and table can be taken away"() {
        let page = await reports.open({ path });
        const buttons = await page.value(`[...document.querySelectorAll("[data-do=svg], [data-do=png], [data-do=csv]")]
            .map((button) => [button.closest("section").id, button.dataset.do])`);
        assert.ok(buttons.length > 5);
        for (const [k, [id, kind]] of buttons.entries()) {
            // Chromium lets a page have ten files without a question.
            if (k % 8 === 7) page = await reports.open({ path });
            const file = await reports.downloaded(page, `#${id} [data-do=${kind}]`, `${id}.${kind}`);
            if (kind === "png") assert.equal(file.subarray(1, 4).toString(), "PNG", id);
            else if (kind === "svg") assert.ok(String(file).startsWith("<svg ") && String(file).trimEnd().endsWith("</svg>"), id);
            else {
                const rows = String(file).trimEnd().split("\n");
                assert.ok(rows.length > 1 && rows[0].includes(","), id);
            }
        }
        checkSilent(page);
    },

    async "the theme button repaints every figure, and back"() {
        const page = await reports.open({ path });
        const figures = await figuresOf(page);
        const all = () => Promise.all(figures.map(({ id }) => ink(page, id)));
        const light = await all();
        await page.value("document.getElementById('ebb-theme').click()");
        await pause(1500);
        const dark = await all();
        dark.forEach((colours, k) => assert.notEqual(colours, light[k], figures[k].id));
        checkSilent(page);
    },

    async "nothing is cut off, and no words stand on others, on a phone or a laptop"() {
        for (const [width, height] of [[390, 844], [768, 1024], [1280, 800]]) {
            const page = await reports.open({ path, width, height });
            await pause(200);
            assert.ok((await page.value("document.documentElement.scrollWidth")) <= width);
            assert.deepEqual(await page.value(`[...document.querySelectorAll("main *, header *")]
                .filter((e) => !e.closest(".scroll, pre") && !e.closest("svg") && !e.closest(".brush") && e.getBoundingClientRect().right > ${width} + 1)
                .map((e) => e.outerHTML.slice(0, 80))`), []);
            // All words of a plot: those that are cut off at its edges, and those that overlap.
            const trouble = await page.value(`[...document.querySelectorAll("section.figure .plot svg")].flatMap((svg) => {
                const { left, right, top, bottom } = svg.getBoundingClientRect();
                const words = [...svg.querySelectorAll("text")].filter((one) => one.textContent.trim() && getComputedStyle(one).opacity !== "0")
                    .map((one) => ({ text: one.textContent, box: one.getBoundingClientRect() })).filter(({ box }) => box.width > 0);
                const id = svg.closest("section").id;
                const cut = words.filter(({ box }) => box.left < left - 2 || box.right > right + 2 || box.top < top - 2 || box.bottom > bottom + 2)
                    .map(({ text }) => id + ": cut off: " + text);
                const pairs = words.flatMap((a, i) => words.slice(i + 1).filter((b) => Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) > 1.5 &&
                    Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) > 4).map((b) => id + ": " + a.text + " on " + b.text));
                return [...cut, ...pairs]; })`);
            assert.deepEqual(trouble, [], `at ${width} x ${height}`);
        }
    },
});

const tests = {};
for (const path of paths)
    for (const [name, test] of Object.entries(testsOf(path))) tests[`${basename(dirname(path))}: ${name}`] = test;
await reports.run(tests);
