// node report.mjs SAMPLE_FOLDER
// The report in headless Chromium, opened from a file as a reader does: every control changes what it should, the console
// stays silent, and no request leaves the page.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Reports, boxOf, checkSilent, ink, linesOf, moveSlider, output, pause, scrollTo, shown } from "./reports.mjs";

const samples = process.argv[2];
const source = readFileSync(join(samples, "report.html"), "utf8");
const reports = new Reports(join(samples, "report.html"));
const { browser, downloads } = reports;
const openReport = (options) => reports.open(options);
const downloaded = (page, selector, name) => reports.downloaded(page, selector, name);

const gradient = "#gradient-norm-through-time";
const [triangle, seeds] = ["#which-loss-reaches-which-step", "#gradient-norm-over-five-seeds"];
const [lstm, gru] = ["#the-lstm-unrolled", "#a-gru-of-500-steps"];
const points = (d) => [...d.matchAll(/[ML](-?[\d.e-]+),(-?[\d.e-]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);

const tests = {
    async "loads from a file, silently and without a request, light and dark"() {
        for (const dark of [false, true]) {
            const page = await openReport({ dark });
            checkSilent(page);
            assert.equal(await page.value("document.documentElement.dataset.theme"), dark ? "dark" : "light");
            assert.equal(await page.value("document.title"), "Where the gradient went");
        }
    },

    async "the slider changes the curves"() {
        const page = await openReport();
        const last = await linesOf(page, gradient, false);
        assert.equal(last.length, 3);
        assert.equal(await output(page, gradient), "1,000");
        await moveSlider(page, gradient, 5);
        await page.until(`document.querySelector("${gradient} output").textContent === "250"`);
        await pause(100);
        const middle = await linesOf(page, gradient, false);
        assert.equal(middle.length, 3);
        for (let i = 0; i < 3; ++i) assert.notEqual(middle[i], last[i]);
        checkSilent(page);
    },

    async "at the first stop the lines lie on those from before training"() {
        const page = await openReport();
        const dashed = (await linesOf(page, gradient, true)).map(points);
        await moveSlider(page, gradient, 0);
        await pause(200);
        const solid = (await linesOf(page, gradient, false)).map(points);
        assert.equal(dashed.length, 3);
        assert.deepEqual(solid.map((line) => line.length), [100, 100, 100]);
        solid.forEach((line, i) => line.forEach(([x, y], t) => {
            assert.ok(Math.abs(x - dashed[i][t][0]) < 0.01 && Math.abs(y - dashed[i][t][1]) < 0.01);
        }));
        // After training the gradient reaches further back: every line stands higher at the first time step.
        await moveSlider(page, gradient, 20);
        await pause(200);
        (await linesOf(page, gradient, false)).map(points).forEach((line, i) => assert.ok(line[0][1] < solid[i][0][1] - 20));
    },

    async "the slider is worked by keyboard, and figures over the same steps follow"() {
        const page = await openReport();
        const gates = "#lstm-mean-gate-activation";
        const before = await linesOf(page, gates, false);
        await page.value(`document.querySelector("${gradient} input").focus()`);
        await page.press("ArrowLeft", "ArrowLeft", 37);
        await page.until(`document.querySelector("${gradient} output").textContent === "950"`);
        assert.equal(await output(page, gates), "950");
        // What is not seen is drawn when it comes into view.
        await scrollTo(page, gates);
        await page.until(`document.querySelector("${gates} .plot .mark-line path").getAttribute("d") !== ${JSON.stringify(before[0])}`);
        const after = await linesOf(page, gates, false);
        after.forEach((line, i) => assert.notEqual(line, before[i]));
        await page.press("Home", "Home", 36);
        await page.until(`document.querySelector("${gates} output").textContent === "0"`);
        assert.equal(await page.value(`document.querySelector("${gradient} input").getAttribute("aria-valuetext")`), "0");
    },

    async "a step says what it does not draw"() {
        const page = await openReport();
        const note = () => page.value(`document.querySelector("${gradient} .note").textContent`);
        assert.equal(await note(), "");
        await moveSlider(page, gradient, 3);
        await pause(100);
        assert.equal(await note(), "Not drawn: tanh: 1 value is 0 (a log axis has no 0).");
        assert.equal(points((await linesOf(page, gradient, false))[0]).length, 99);
    },

    async "the brush cuts out a window, by keyboard and by pointer, and says what happens in it"() {
        const page = await openReport();
        const labels = () => page.value(`[...document.querySelectorAll("${gradient} .plot .role-axis-label text")].map((text) => text.textContent).sort()`);
        const note = () => page.value(`document.querySelector("${gradient} .window-note").textContent`);
        const all = await labels();
        assert.equal(await note(), "");
        await page.value(`document.querySelector("${gradient} .brush input").focus()`);
        await page.press("End", "End", 35);
        await page.until(`document.querySelector("${gradient} .window-note").textContent.includes("from 99 to 100.")`);
        for (let i = 0; i < 19; ++i) await page.press("ArrowLeft", "ArrowLeft", 37);
        await pause(250);
        assert.match(await note(), /^time step t, from 80 to 100\. On average each step of it changes: tanh × 1\.\d\d, LSTM × 1\.\d\d, GRU × 1\.\d\d\.$/);
        const some = await labels();
        assert.notDeepEqual(some, all);
        assert.ok(some.includes("90") && !some.includes("40"), String(some));
        // One way of writing for the whole axis.
        assert.deepEqual(await page.value("ebb.numbers.logTicks(1e-16, 0.02, 7).map((tick) => tick.text)"), ["10⁻¹⁵", "10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³"]);
        assert.deepEqual(await page.value("ebb.numbers.logTicks(0.01, 200, 7).map((tick) => tick.text)"), ["0.01", "0.1", "1", "10", "100"]);
        // Every line still ends at the right edge, and none stands outside of the plot.
        const inside = await page.value(`(() => { const plot = document.querySelector("${gradient} .plot .background").getBoundingClientRect();
            return [...document.querySelectorAll("${gradient} .plot .mark-line path")].map((path) => plot.right - path.getBoundingClientRect().right); })()`);
        for (const gap of inside) assert.ok(gap < 3, String(inside));
        assert.equal(await page.value(`document.querySelector("${gradient} .brush input").getAttribute("aria-valuetext")`), "80");

        // Drawn anew by the pointer: the left half.
        await page.value(`document.querySelector("${gradient} .brush").scrollIntoView({ block: "center", behavior: "instant" })`);
        const box = await boxOf(page, `${gradient} .brush-track`);
        await page.drag(box.left + 2, box.top + 10, box.left + box.width / 2, box.top + 10);
        await pause(150);
        assert.match(await note(), /^time step t, from 1 to (50|51)\./);
        // Moved by a quarter of the whole.
        await page.drag(box.left + box.width / 4, box.top + 10, box.left + box.width / 2, box.top + 10);
        await pause(150);
        assert.match(await note(), /^time step t, from 2[5-7] to 7[4-7]\./);
        await page.value(`document.querySelector("${gradient} .brush-all").click()`);
        await pause(150);
        assert.equal(await note(), "");
        assert.deepEqual(await labels(), all);
        checkSilent(page);
    },

    async "arrow keys walk through the values of every kind of figure, and they are read out"() {
        const page = await openReport();
        const spoken = (figure) => page.value(`document.querySelector("${figure} .spoken").textContent`);
        const walk = async (figure, ...keys) => {
            await page.value(`document.querySelector("${figure} .plot").focus()`);
            for (const key of keys) await page.press(key, key, { ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40 }[key]);
            await pause(80);
            assert.equal(await page.value("document.getElementById('ebb-tooltip').hidden"), false, figure);
            return spoken(figure);
        };
        assert.match(await walk(gradient, "ArrowLeft"), /^time step t 100: tanh 0\.0\d+, LSTM /);
        assert.match(await walk(gradient, "ArrowLeft"), /^time step t 99: /);
        assert.match(await walk(triangle, "ArrowRight", "ArrowDown", "ArrowLeft"), /^time step t 58, loss k 1: ‖∂Lₖ\/∂hₜ‖ NaN$/);
        assert.match(await walk(lstm, "ArrowRight"), /^readout, t = 11: .*norm of gradient 1/);
        assert.match(await walk(lstm, "ArrowDown"), /^lstm\.c, lstm\.h, t = 11: lstm\.h: norm of gradient 0\.\d+, .*nodes of the tape \d\d$/);
        assert.match(await walk(lstm, "ArrowLeft", "ArrowLeft"), /^lstm\.c, lstm\.h, t = 9: /);
        await page.value("document.activeElement.blur()");
        assert.equal(await page.value("document.getElementById('ebb-tooltip').hidden"), true);
        checkSilent(page);
    },

    async "a heat map has a slider over training, and values under the pointer"() {
        const page = await openReport();
        const image = () => page.value(`document.querySelector("${triangle} .plot image").getAttribute("href")`);
        const before = await image();
        assert.ok(before.startsWith("data:image/png"));
        await scrollTo(page, triangle);
        await moveSlider(page, triangle, 0);
        await page.until(`document.querySelector("${triangle} output").textContent === "0"`);
        await page.until(`document.querySelector("${triangle} .plot image").getAttribute("href") !== ${JSON.stringify(before)}`);
        await page.value(`document.querySelector("${triangle}").scrollIntoView({ behavior: "instant" })`);
        const plot = await boxOf(page, `${triangle} .plot .background`);
        // The last loss, at the foot of the picture, has come back to the first step by 59 factors of e^-0.4.
        await page.moveMouse(plot.left + 3, plot.top + plot.height - 3);
        await page.until("!document.getElementById('ebb-tooltip').hidden", 10);
        const text = await page.value("document.getElementById('ebb-tooltip').textContent");
        assert.equal(text, "time step t: 0loss k59‖∂Lₖ/∂hₜ‖5.63 × 10⁻¹³");
        // No loss has reached a later step: the other half is empty.
        await page.moveMouse(plot.left + plot.width - 3, plot.top + 3);
        await page.until("document.getElementById('ebb-tooltip').hidden", 10);
        assert.equal(await page.value(`document.querySelectorAll("#loss-surface .plot .mark-rule line").length > 50`), true);
        checkSilent(page);
    },

    async "seeds are bands behind their medians, and go with them"() {
        const page = await openReport();
        const count = () => page.value(`document.querySelectorAll("${seeds} .plot .mark-area path").length`);
        assert.equal(await count(), 3);
        await page.value(`[...document.querySelectorAll("${seeds} .legend button")].find((b) => b.textContent === "GRU").click()`);
        await pause(200);
        assert.equal(await count(), 2);
        assert.equal((await linesOf(page, seeds, false)).length, 2);
        checkSilent(page);
    },

    async "the slider recolours the unrolled graph, in its window, and all other figures go along"() {
        const page = await openReport();
        const note = () => page.value(`document.querySelector("${lstm} .window-note").textContent`);
        const values = async () => {
            await page.value(`document.querySelector("${lstm} .plot").focus()`);
            await page.press("ArrowDown", "ArrowDown", 40);
            return page.value(`document.querySelector("${lstm} .spoken").textContent`);
        };
        await page.value(`document.querySelector("${lstm} [data-level=operations]").click()`);
        await scrollTo(page, `${lstm} .plot`);
        await pause(150);
        const [trained, words, window] = [await ink(page, lstm), await values(), await note()];
        const strip = () => page.value(`document.querySelector("${lstm} .brush canvas").toDataURL()`);
        const stripBefore = await strip();
        await page.value("document.activeElement.blur()");
        await moveSlider(page, lstm, 0);
        await pause(200);
        assert.equal(await output(page, gradient), "0");
        assert.equal(await output(page, triangle), "0");
        assert.notEqual(await ink(page, lstm), trained);
        assert.notEqual(await strip(), stripBefore);
        assert.equal(await note(), window);
        assert.notEqual(await values(), words);
        // Moved by another figure: to the last recorded step that is not after the chosen one.
        await moveSlider(page, gradient, 19);
        assert.equal(await output(page, gradient), "950");
        assert.equal(await output(page, lstm), "500");
        await moveSlider(page, gradient, 20);
        assert.equal(await output(page, lstm), "1,000");
        checkSilent(page);
    },

    async "figures of half the width and maps have a brush too"() {
        const page = await openReport();
        const labels = (figure) => page.value(`[...document.querySelectorAll("${figure} .plot .role-axis-label text")].map((text) => text.textContent).sort()`);
        const note = (figure) => page.value(`document.querySelector("${figure} .window-note").textContent`);
        for (const figure of ["#lstm-mean-gate-activation", "#gradient-by-unit-lstm", triangle]) {
            await scrollTo(page, `${figure} .brush`);
            const whole = await labels(figure);
            const box = await boxOf(page, `${figure} .brush-track`);
            await page.drag(box.left + box.width / 2, box.top + 12, box.left + box.width - 2, box.top + 12);
            await pause(250);
            assert.match(await note(figure), /^time step t, from (29|30|50|51) to (59|99|100)\./, figure);
            assert.notDeepEqual(await labels(figure), whole, figure);
            // Arrow keys stay within the window.
            await page.value(`document.querySelector("${figure} .plot").focus()`);
            for (let k = 0; k < 80; ++k) await page.press("ArrowLeft", "ArrowLeft", 37);
            assert.match(await page.value(`document.querySelector("${figure} .spoken").textContent`), /^time step t (29|30|50|51)[:,]/, figure);
            await page.value("document.activeElement.blur()");
            await page.value(`document.querySelector("${figure} .brush-all").click()`);
            await pause(250);
            assert.deepEqual(await labels(figure), whole);
            assert.equal(await note(figure), "");
        }
        // The loss surface goes over no time.
        assert.ok(!(await shown(page, "#loss-surface .brush")));
        checkSilent(page);
    },

    async "the unrolled graph: steps, operations, weights, window, zoom"() {
        const page = await openReport();
        const note = (figure) => page.value(`document.querySelector("${figure} .window-note").textContent`);
        const click = async (figure, what) => {
            await page.value(`document.querySelector('${figure} ${what}').click()`);
            await pause(120);
        };
        assert.equal(await note(lstm), "Time steps 0 to 11 of 0 to 11, one node for each step.");
        const steps = await ink(page, lstm);
        await click(lstm, "[data-level=operations]");
        assert.equal(await note(lstm), "Time steps 4 to 11 of 0 to 11, one node for each operation.");
        assert.equal(await page.value(`document.querySelector('${lstm} [data-level=operations]').getAttribute("aria-pressed")`), "true");
        const operations = await ink(page, lstm);
        assert.notEqual(operations, steps);
        await click(lstm, "[data-weights]");
        assert.notEqual(await ink(page, lstm), operations);
        await click(lstm, "[data-weights]");
        assert.equal(await ink(page, lstm), operations);
        await click(lstm, "[aria-label=\"Zoom in\"]");
        assert.notEqual(await ink(page, lstm), operations);
        await click(lstm, "[aria-label=\"Fit the window\"]");
        assert.equal(await ink(page, lstm), operations);
        await click(lstm, ".brush-all");
        assert.equal(await note(lstm), "Time steps 0 to 11 of 0 to 11, one node for each operation.");
        await click(lstm, "[data-level=steps]");

        // Of 500 steps the last ones are shown first, all of them as bars, and zooming in leads to the operations.
        assert.equal(await note(gru), "Time steps 476 to 499 of 0 to 499, one node for each step.");
        await click(gru, ".brush-all");
        assert.equal(await note(gru), "Time steps 0 to 499 of 0 to 499, one node for each step.");
        for (let i = 0; i < 20 && (await note(gru)).includes("step."); ++i) await click(gru, "[aria-label=\"Zoom in\"]");
        assert.match(await note(gru), /^Time steps \d+ to \d+ of 0 to 499, one node for each operation\.$/);
        for (let i = 0; i < 20 && (await note(gru)).includes("operation."); ++i) await click(gru, "[aria-label=\"Zoom out\"]");
        assert.match(await note(gru), /one node for each step\.$/);
        checkSilent(page);
    },

    async "the graph by keyboard: beyond the window's edge it moves on, Enter goes into a step, Escape back"() {
        const page = await openReport();
        const note = () => page.value(`document.querySelector("${gru} .window-note").textContent`);
        await page.value(`document.querySelector("${gru} .plot").focus()`);
        const press = (key, code) => page.press(key, key, code);
        await press("ArrowLeft", 37);
        await press("ArrowDown", 40);
        for (let i = 0; i < 49; ++i) await press("ArrowLeft", 37);
        await pause(150);
        assert.match(await note(), /^Time steps 450 to 473 /);
        assert.match(await page.value(`document.querySelector("${gru} .spoken").textContent`), /^gru\.h, t = 450: /);
        await press("Enter", 13);
        await pause(150);
        assert.match(await note(), /^Time steps 450 to 457 of 0 to 499, one node for each operation\.$/);
        await press("Escape", 27);
        await pause(150);
        assert.match(await note(), /one node for each step\.$/);
        checkSilent(page);
    },

    async "values of the graph stand under the pointer"() {
        const page = await openReport();
        await page.value(`document.querySelector("${lstm}").scrollIntoView({ behavior: "instant" })`);
        const box = await boxOf(page, `${lstm} .plot`);
        let text = "";
        // The readout of the last step stands at the right edge; the row of states below it.
        for (let y = box.top + 20; y < box.top + box.height && !text.includes("lstm.h"); y += 10) {
            await page.moveMouse(box.left + box.width - 45, y);
            await pause(30);
            if (!(await page.value("document.getElementById('ebb-tooltip').hidden"))) text = await page.value("document.getElementById('ebb-tooltip').textContent");
        }
        assert.match(text, /lstm\.c, lstm\.h, t = 11lstm\.h: norm of gradient0\.\d+/);
        checkSilent(page);
    },

    async "play runs through the steps and stops"() {
        const page = await openReport();
        const play = `${gradient} [data-do=play]`;
        await page.value(`document.querySelector("${play}").click()`);
        assert.equal(await page.value(`document.querySelector("${play}").getAttribute("aria-label")`), "Pause");
        await page.until(`document.querySelector("${gradient} output").textContent === "100"`);
        await page.value(`document.querySelector("${play}").click()`);
        const stopped = await output(page, gradient);
        await pause(900);
        assert.equal(await output(page, gradient), stopped);
        assert.equal(await page.value(`document.querySelector("${play}").getAttribute("aria-label")`), "Play");
    },

    async "the legend switches lines off and on"() {
        const page = await openReport();
        const click = (text) => page.value(`[...document.querySelectorAll("${gradient} .legend button")]
            .find((button) => button.textContent === "${text}").click()`);
        await click("LSTM");
        await pause(150);
        assert.equal((await linesOf(page, gradient, false)).length, 2);
        assert.equal((await linesOf(page, gradient, true)).length, 2);
        await click("before training");
        await pause(150);
        assert.equal((await linesOf(page, gradient, true)).length, 0);
        await click("LSTM");
        await pause(150);
        assert.equal((await linesOf(page, gradient, false)).length, 3);
        checkSilent(page);
    },

    async "values stand under the pointer"() {
        const page = await openReport();
        await page.value(`document.querySelector("${gradient}").scrollIntoView({ behavior: "instant" })`);
        const box = await page.value(`(() => { const b = document.querySelector("${gradient} .plot").getBoundingClientRect();
            return [b.left, b.top, b.width, b.height]; })()`);
        await page.moveMouse(box[0] + box[2] / 2, box[1] + box[3] / 2);
        await page.moveMouse(box[0] + box[2] / 2 + 3, box[1] + box[3] / 2);
        await page.until("!document.getElementById('ebb-tooltip').hidden", 10);
        const text = await page.value("document.getElementById('ebb-tooltip').textContent");
        for (const word of ["time step t: ", "tanh", "LSTM", "GRU", "× 10⁻"]) assert.ok(text.includes(word), text);
        await page.moveMouse(5, 5);
        await page.until("document.getElementById('ebb-tooltip').hidden", 10);
    },

    async "the theme button turns the page and its figures dark"() {
        const page = await openReport();
        const look = () => page.value(`[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
            ...[...document.querySelectorAll("${gradient} .plot .mark-line path")].map((path) => path.getAttribute("stroke"))]`);
        const light = await look();
        await page.value("document.getElementById('ebb-theme').focus()");
        await page.press(" ", "Space", 32);
        await page.until("document.documentElement.dataset.theme === 'dark'");
        await pause(500);
        const dark = await look();
        assert.equal(dark.length, light.length);
        dark.forEach((colour, i) => assert.notEqual(colour, light[i]));
        await page.value("document.getElementById('ebb-theme').click()");
        await pause(500);
        assert.deepEqual(await look(), light);
        checkSilent(page);
    },

    async "downloads are whole: SVG, PNG and CSV"() {
        const page = await openReport();
        await moveSlider(page, gradient, 10);
        await pause(150);
        const svg = String(await downloaded(page, `${gradient} [data-do=svg]`, "gradient-norm-through-time.svg"));
        assert.match(svg, /^<svg /);
        for (const word of ["Gradient norm through time", "training step 500", "time step t", "before training", "LSTM", "#d55e00"])
            assert.ok(svg.toLowerCase().includes(word.toLowerCase()), `${word} is not in the SVG file`);
        assert.equal(await page.value(`new DOMParser().parseFromString(${JSON.stringify(svg)}, "image/svg+xml")
            .getElementsByTagName("parsererror").length`), 0);

        const png = await downloaded(page, `${gradient} [data-do=png]`, "gradient-norm-through-time.png");
        assert.equal(png.subarray(1, 4).toString(), "PNG");
        assert.ok(png.length > 20000);

        const csv = String(await downloaded(page, `${gradient} [data-do=csv]`, "gradient-norm-through-time.csv")).trim().split("\n");
        assert.equal(csv[0], "training step,time step t,tanh,LSTM,GRU,tanh before training,LSTM before training,GRU before training");
        assert.equal(csv.length, 1 + 21 * 100 + 100);
        assert.ok(csv[1].startsWith("0,1,"));

        const table = String(await downloaded(page, "#the-cells-side-by-side [data-do=csv]", "the-cells-side-by-side.csv"));
        assert.ok(table.startsWith("cell,parameters,loss (bits/char),"));
        checkSilent(page);
    },

    async "downloads of heat maps, bands and graphs"() {
        const page = await openReport();
        const map = String(await downloaded(page, "#gradient-by-unit-lstm [data-do=svg]", "gradient-by-unit-lstm.svg"));
        assert.ok(map.includes("Gradient by unit, LSTM"));
        for (const [figure, word] of [[triangle, "training step 1,000"], [seeds, "GRU"]]) {
            const other = String(await downloaded(page, `${figure} [data-do=svg]`, `${figure.slice(1)}.svg`));
            assert.ok(other.includes(word), `${word} is not in ${figure}`);
        }
        const cells = String(await downloaded(page, `${triangle} [data-do=csv]`, `${triangle.slice(1)}.csv`)).trim().split("\n");
        assert.equal(cells[0], "training step,time step t,loss k,‖∂Lₖ/∂hₜ‖");
        assert.equal(cells.length, 1 + (3 * 60 * 61) / 2);
        assert.equal(cells.at(-1), "1000,59,59,0.01");

        // The graph as it is seen: at the slider's stop, in its window.
        const drawn = async () => String(await downloaded(page, `${lstm} [data-do=svg]`, `${lstm.slice(1)}.svg`));
        const trained = await drawn();
        assert.ok(trained.startsWith("<svg "));
        for (const words of ["The LSTM unrolled", "training step 1,000. Time steps 0 to 11 of 0 to 11", "norm of gradient", ">h₁₁<", ">h₀<"]) assert.ok(trained.includes(words), words);
        assert.equal(await page.value(`new DOMParser().parseFromString(${JSON.stringify(trained)}, "image/svg+xml")
            .getElementsByTagName("parsererror").length`), 0);
        assert.ok(!trained.includes("NaN") && !trained.includes("undefined"));
        await moveSlider(page, lstm, 0);
        await page.value(`document.querySelector('${lstm} [data-level=operations]').click()`);
        const untrained = await drawn();
        assert.ok(untrained.includes("training step 0. Time steps 4 to 11") && untrained.includes(">t = 11<"));
        // The PNG is the same picture, with its title and the step that it shows, twice as large.
        const picture = await downloaded(page, `${lstm} [data-do=png]`, `${lstm.slice(1)}.png`);
        assert.equal(picture.subarray(1, 4).toString(), "PNG");
        const [, width, height] = untrained.match(/ width="(\d+)" height="(\d+)"/);
        assert.deepEqual([picture.readUInt32BE(16), picture.readUInt32BE(20)], [2 * width, 2 * height]);
        await moveSlider(page, lstm, 2);
        const graph = String(await downloaded(page, `${lstm} [data-do=csv]`, `${lstm.slice(1)}.csv`)).trim().split("\n");
        assert.equal(graph[0], "training step,item,from,to,name,operation,shape,time step,norm of value,norm of gradient");
        for (const step of [0, 500, 1000]) assert.ok(graph.some((row) => row.startsWith(`${step},edge,`)));
        assert.ok(graph.some((row) => /^1000,node,\d+,,lstm\.h,mul,"\[4, 8\]",11,[\d.]+,[\d.e-]+$/.test(row)));
        checkSilent(page);
    },

    async "a figure fills the screen and comes back"() {
        const page = await openReport();
        const width = () => page.value(`document.querySelector("${gradient} .plot svg").getBoundingClientRect().width`);
        const small = await width();
        await page.value(`document.querySelector("${gradient} [data-do=enlarge]").click()`);
        await page.until("!!document.fullscreenElement");
        await page.until(`document.querySelector("${gradient} .plot svg")?.getBoundingClientRect().width > ${small} * 1.02`);
        await page.value("document.exitFullscreen()");
        await page.until(`Math.abs(document.querySelector("${gradient} .plot svg")?.getBoundingClientRect().width - ${small}) < 2`);
        checkSilent(page);
    },

    async "a graph's box is as high as its network needs, and stays so while the window moves"() {
        const page = await openReport();
        const height = () => page.value(`document.querySelector("${gru} .plot").clientHeight`);
        const steps = await height();
        // Which part of the rows of pixels nodes stand in, from the highest to the lowest.
        const taken = await page.value(`(() => {
            const { width, height } = document.querySelector("${gru} .plot canvas[data-id=layer2-node]");
            const pixels = document.querySelector("${gru} .plot canvas[data-id=layer2-node]").getContext("2d").getImageData(0, 0, width, height).data;
            const rows = [...Array(height).keys()].filter((y) => pixels.subarray(4 * width * y, 4 * width * (y + 1)).some((one) => one > 0));
            return (rows.at(-1) - rows[0] + 1) / height; })()`);
        assert.ok(taken > 0.6, `${taken} of the box is used`);
        await page.value(`document.querySelector("${gru} .brush-all").click()`);
        assert.equal(await height(), steps);
        checkSilent(page);
    },

    async "nothing is cut off on a phone or a laptop"() {
        for (const [width, height] of [[390, 844], [768, 1024], [1280, 800]]) {
            const page = await openReport({ width, height });
            await pause(200);
            assert.ok((await page.value("document.documentElement.scrollWidth")) <= width);
            const outside = await page.value(`[...document.querySelectorAll("main *, header *")]
                .filter((e) => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > ${width} + 1)
                .map((e) => e.outerHTML.slice(0, 80))`);
            assert.deepEqual(outside, []);
            for (const figure of [gradient, "#loss", "#gradient-by-unit-lstm", triangle, seeds, lstm, gru]) {
                const wide = await page.value(`(() => { const plot = document.querySelector("${figure} .plot");
                    return plot.firstElementChild.getBoundingClientRect().width - plot.clientWidth; })()`);
                assert.ok(wide <= 1, `${figure} is ${wide} px too wide at ${width}`);
            }
        }
    },

    async "on paper the still figures stand, in light colours, without controls"() {
        const page = await openReport({ dark: true, media: "print" });
        assert.ok(await shown(page, `${gradient} .still svg`));
        for (const figure of [triangle, lstm, gru]) assert.ok(await shown(page, `${figure} .still svg`), figure);
        for (const selector of [".plot", ".slider", ".tools", ".legend", ".brush", ".window-note"]) assert.ok(!(await shown(page, `${gradient} ${selector}`)), selector);
        assert.equal(await page.value("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    },

    async "hostile names stay words"() {
        const page = await openReport({ path: join(samples, "hostile.html") });
        checkSilent(page);
        assert.equal(await page.value("window.broken"), undefined);
        assert.equal(await page.value("document.querySelectorAll('img').length"), 0);
        assert.ok((await page.value("document.querySelector('h1').textContent")).startsWith("</script><script>window.broken"));
        assert.equal(await page.value("document.querySelectorAll('.plot .mark-line path').length"), 6);
        assert.equal(await page.value("document.querySelectorAll('.plot.graph canvas').length"), 3);
    },

    async "every control has a name that is read out"() {
        const page = await openReport();
        const nameless = await page.value(`[...document.querySelectorAll("button, input, a, [tabindex]")]
            .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels.length)))
            .map((e) => e.outerHTML)`);
        assert.deepEqual(nameless, []);
    },

    async "the tab key reaches every control, in the order of reading, and shows where it is"() {
        const page = await openReport();
        const controls = await page.value(`[...document.querySelectorAll("button, input, a[href], summary, [tabindex='0']")]
            .filter((e) => e.getClientRects().length > 0).length`);
        const seen = [];
        for (let i = 0; i < controls + 10; ++i) {
            await page.press("Tab", "Tab", 9);
            const at = await page.value(`(() => { const e = document.activeElement; if (e === document.body) return null;
                e.dataset.seen = ${i}; const { outlineStyle, outlineWidth } = getComputedStyle(e);
                return [e.getBoundingClientRect().top + scrollY, outlineStyle !== "none" && outlineWidth !== "0px", e.outerHTML.slice(0, 90)]; })()`);
            if (at === null) break;
            seen.push(at);
        }
        assert.deepEqual(await page.value(`[...document.querySelectorAll("button, input, a[href], summary, [tabindex='0']")]
            .filter((e) => e.getClientRects().length > 0 && !e.dataset.seen).map((e) => e.outerHTML.slice(0, 90))`), []);
        for (const [, outlined, html] of seen) assert.ok(outlined, html);
    },
};

const withoutVega = {
    async "a build without Vega shows the still figures, and says why"() {
        // The same page with the two libraries taken out, as a build without npm leaves them out.
        const path = join(downloads, "static.html");
        writeFileSync(path, source.replace(/<script>(?!\n)[^]*?<\/script>\n/g, ""));
        const page = await openReport({ path, before: async () => {} });
        await page.until("document.documentElement.classList.contains('scripted')");
        checkSilent(page);
        assert.equal(await page.value("typeof vega"), "undefined");
        assert.ok(await shown(page, `${gradient} .still svg`));
        assert.ok(!(await shown(page, `${gradient} .slider`)));
        assert.ok(!(await shown(page, `${gradient} [data-do=png]`)));
        const ink = () => page.value(`getComputedStyle(document.querySelector("${gradient} .still .ebb-muted")).fill`);
        const light = await ink();
        await page.value("document.getElementById('ebb-theme').click()");
        assert.notEqual(await ink(), light);
        const svg = String(await downloaded(page, `${gradient} [data-do=svg]`, "gradient-norm-through-time.svg"));
        assert.match(svg, /^<svg /);
        const csv = String(await downloaded(page, `${gradient} [data-do=csv]`, "gradient-norm-through-time.csv"));
        assert.ok(csv.startsWith("training step,"));
        assert.ok(await shown(page, `${gru} .still svg`));
        assert.ok(!(await shown(page, `${gru} .brush`)));
    },

    async "without scripts the still figures stand, and no dead control"() {
        const page = await openReport({ before: (page) => page.send("Emulation.setScriptExecutionDisabled", { value: true }) });
        assert.ok(await shown(page, `${gradient} .still svg`));
        for (const selector of ["#ebb-theme", ".tools", ".slider"]) assert.ok(!(await shown(page, selector)), selector);
    },
};

await reports.run(tests, withoutVega);
