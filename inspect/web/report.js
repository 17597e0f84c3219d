// The report's page comes to life: figures drawn by Vega, sliders over training, themes, downloads.
// Without Vega (see template.html) the still pictures remain, and what can be done with them is done.

(() => {
    "use strict";

    const data = JSON.parse(document.getElementById("ebb-data").textContent);
    const root = document.documentElement;
    const hasVega = typeof vega === "object" && typeof vegaLite === "object";
    const minus = "\u2212";

    // --- numbers as people write them; number_text.cpp does the same for what C++ writes ---

    const raised = "⁰¹²³⁴⁵⁶⁷⁸⁹";
    const superscript = (n) => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((digit) => raised[digit]).join("");
    const withCommas = (text) => text.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));

    function formatNumber(value, digits = 3) {
        if (Number.isNaN(value)) return "NaN";
        const sign = value < 0 ? minus : "";
        const size = Math.abs(value);
        if (size === Infinity) return sign + "∞";
        if (size === 0) return "0";
        if (Number.isInteger(size) && size < 1e15) return sign + withCommas(size.toFixed(0));
        const [mantissa, power] = size.toExponential(digits - 1).split("e");
        const exponent = Number(power);
        if (exponent < -3 || exponent >= 6) return `${sign}${mantissa} × 10${superscript(exponent)}`;
        return sign + withCommas(size.toFixed(Math.max(0, digits - 1 - exponent)));
    }

    // --- themes ---

    const systemDark = matchMedia("(prefers-color-scheme: dark)");
    const themeButton = document.getElementById("ebb-theme");
    const isDark = () => root.dataset.theme === "dark";

    // A page opened from a file may have no storage.
    function stored(theme) {
        try {
            if (theme !== undefined) localStorage.setItem("ebb-theme", theme);
            return localStorage.getItem("ebb-theme");
        } catch {
            return null;
        }
    }

    function setTheme(dark) {
        root.dataset.theme = dark ? "dark" : "light";
        themeButton.setAttribute("aria-pressed", String(dark));
        themeButton.textContent = dark ? "Light" : "Dark";
        themeButton.setAttribute("aria-label", dark ? "Light theme" : "Dark theme");
    }

    const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

    function screenConfig(figure, scale) {
        const font = colour("sans");
        const text = { labelFont: font, titleFont: font, labelColor: colour("muted"), titleColor: colour("ink") };
        const size = Math.round(12 * scale);
        return {
            font,
            background: colour("paper"),
            padding: { left: 2, top: 4, right: 10, bottom: 2 },
            view: { stroke: null, fill: figure.kind === "map" ? colour("missing") : null },
            axis: {
                ...text,
                gridColor: colour("grid"),
                domainColor: colour("axis"),
                tickColor: colour("axis"),
                labelFontSize: size,
                titleFontSize: size,
                titleFontWeight: 500,
                titlePadding: 10,
                labelPadding: 5,
            },
            legend: {
                ...text,
                labelFontSize: size,
                titleFontSize: size,
                titleFontWeight: 500,
                labelLimit: 240,
                offset: 14,
            },
            range: { category: legendColours(figure, isDark() ? "dark" : "light") },
        };
    }

    const legendColours = (figure, shade) => (figure.series || []).filter((s) => !s.like).map((s) => s[shade]);

    // --- figures ---

    // The specification as the page wants it: the heading has the title, slider and legend are ours.
    function screenSpec(figure) {
        const spec = structuredClone(figure.spec);
        delete spec.title;
        delete spec.config;
        for (const param of spec.params || []) delete param.bind;
        for (const { encoding } of spec.layer || []) {
            if (encoding.color) encoding.color.legend = null;
            if (encoding.strokeDash) encoding.strokeDash.legend = null;
        }
        return spec;
    }

    function vegaView(spec, config, options) {
        const compiled = vegaLite.compile(spec, { config }).spec;
        return new vega.View(vega.parse(compiled), { logLevel: vega.Warn, ...options });
    }

    const currentStep = (figure) => figure.steps[figure.frame];
    const hasSteps = (figure) => figure.steps !== undefined && figure.steps.length > 0;

    function draw(figure) {
        const section = figure.section;
        const plot = section.querySelector(".plot");
        const fills = document.fullscreenElement === section;
        const scale = fills ? Math.min(2.2, Math.max(1.2, innerHeight / 620)) : 1;
        const spec = screenSpec(figure);
        const config = screenConfig(figure, scale);
        section.classList.add("live");
        const width = plot.clientWidth;
        figure.narrow = width < 480;
        if (figure.narrow && figure.kind === "map") {
            spec.encoding.fill.legend.orient = "top";
            config.legend.gradientLength = Math.max(120, width - 40);
            config.legend.offset = 34;
        }
        if (fills) {
            for (const layer of spec.layer || []) if (layer.mark.strokeWidth > 1) layer.mark.strokeWidth *= scale;
            spec.autosize.type = "fit";
            plot.textContent = "";
            spec.height = Math.max(200, plot.clientHeight - 8);
        } else {
            spec.height = section.classList.contains("half") ? 300 : Math.round(Math.min(420, Math.max(290, width * 0.42)));
        }
        if (figure.view) figure.view.finalize();
        plot.textContent = "";
        // Many cells are quick on a canvas and slow as elements; lines are sharp as elements.
        const cells = figure.kind === "map" && figure.spec.data.values.length > 60000;
        const view = vegaView(spec, config, { renderer: cells ? "canvas" : "svg", hover: true });
        if (hasSteps(figure)) view.signal("step", currentStep(figure));
        if (figure.kind === "lines") view.signal("hidden", hiddenColumns(figure));
        showLegend(figure);
        view.tooltip((_, event, item, value) => showTooltip(figure, event, value ? item : null)).initialize(plot);
        figure.view = view;
        return view.runAsync();
    }

    function showNote(figure) {
        const note = figure.notes ? figure.notes[hasSteps(figure) ? figure.frame : 0] : "";
        figure.section.querySelector(".note").textContent = hasVega ? note : "";
    }

    // --- sliders: those over the same steps move together ---

    function showFrame(figure, frame) {
        figure.frame = frame;
        const input = figure.section.querySelector(".slider input");
        if (input) {
            const text = formatNumber(currentStep(figure));
            input.value = frame;
            input.setAttribute("aria-valuetext", text);
            figure.section.querySelector(".slider output").textContent = text;
        }
        showNote(figure);
        if (figure.view) return figure.view.signal("step", currentStep(figure)).runAsync();
        return Promise.resolve();
    }

    const sameSteps = (a, b) => hasSteps(b) && a.steps.length === b.steps.length && a.steps.every((s, i) => s === b.steps[i]);

    function moveTo(figure, frame) {
        return Promise.all(figures.filter((other) => sameSteps(figure, other)).map((other) => showFrame(other, frame)));
    }

    function togglePlay(figure, button) {
        const stop = () => {
            clearInterval(figure.timer);
            figure.timer = undefined;
            button.setAttribute("aria-pressed", "false");
            button.setAttribute("aria-label", "Play");
        };
        if (figure.timer !== undefined) return stop();
        button.setAttribute("aria-pressed", "true");
        button.setAttribute("aria-label", "Pause");
        const last = figure.steps.length - 1;
        const pause = Math.max(60, Math.min(350, 7000 / figure.steps.length));
        moveTo(figure, figure.frame === last ? 0 : figure.frame);
        figure.timer = setInterval(() => {
            if (figure.frame < last) moveTo(figure, figure.frame + 1);
            if (figure.frame >= last) stop();
        }, pause);
    }

    // --- the legend: each entry switches its lines off and on ---

    const referenceLines = Symbol("all lines like another one");

    function hiddenColumns(figure) {
        const off = (series) => figure.off.has(series.like || series.name) || (series.like && figure.off.has(referenceLines));
        return figure.series.flatMap((series, i) => (off(series) ? ["s" + i] : []));
    }

    function legendEntry(figure, key, text, series) {
        const button = document.createElement("button");
        button.type = "button";
        button.title = `Show or hide: ${text}`;
        button.setAttribute("aria-pressed", String(!figure.off.has(key)));
        const swatch = document.createElement("i");
        swatch.style.borderTopColor = series ? series[isDark() ? "dark" : "light"] : colour("muted");
        if (!series || series.reference) swatch.className = "reference";
        button.append(swatch, text);
        button.addEventListener("click", () => {
            if (!figure.off.delete(key)) figure.off.add(key);
            button.setAttribute("aria-pressed", String(!figure.off.has(key)));
            figure.view.signal("hidden", hiddenColumns(figure)).runAsync();
        });
        return button;
    }

    function showLegend(figure) {
        if (figure.kind !== "lines") return;
        const named = figure.series.filter((series) => !series.like);
        const entries = named.map((series) => legendEntry(figure, series.name, series.name, series));
        if (named.length < figure.series.length) entries.push(legendEntry(figure, referenceLines, figure.referenceLabel));
        figure.section.querySelector(".legend").replaceChildren(...(entries.length > 1 ? entries : []));
    }

    // --- values under the pointer ---

    const tooltip = document.getElementById("ebb-tooltip");

    function tooltipTable(caption, rows) {
        const table = document.createElement("table");
        table.createCaption().textContent = caption;
        for (const row of rows) {
            const line = table.insertRow();
            if (row.colour) {
                const swatch = document.createElement("i");
                swatch.style.borderTopColor = row.colour;
                if (row.reference) swatch.className = "reference";
                line.insertCell().append(swatch);
            }
            line.insertCell().textContent = row.name;
            line.insertCell().textContent = formatNumber(row.value);
        }
        return table;
    }

    function showTooltip(figure, event, item) {
        const datum = item && item.datum && (item.datum.datum || item.datum);
        let rows = [];
        if (datum && figure.kind === "lines") {
            rows = figure.series.map((series, i) => ({
                name: series.name,
                value: datum["s" + i],
                reference: series.reference,
                colour: series[isDark() ? "dark" : "light"],
                hidden: hiddenColumns(figure).includes("s" + i),
            }));
        } else if (datum && figure.kind === "map") {
            rows = [{ name: figure.y, value: datum.y }, { name: figure.value, value: datum.value }];
        }
        rows = rows.filter((row) => typeof row.value === "number" && !row.hidden);
        tooltip.hidden = rows.length === 0;
        if (tooltip.hidden) return;
        tooltip.replaceChildren(tooltipTable(`${figure.x}: ${formatNumber(datum.x)}`, rows));
        // In a full screen only what is inside it is seen.
        (document.fullscreenElement || document.body).append(tooltip);
        const box = tooltip.getBoundingClientRect();
        const right = event.clientX + 16 + box.width > innerWidth - 8;
        tooltip.style.left = `${Math.max(8, right ? event.clientX - 16 - box.width : event.clientX + 16)}px`;
        tooltip.style.top = `${Math.max(8, Math.min(event.clientY + 14, innerHeight - box.height - 8))}px`;
    }

    // --- downloads ---

    function save(name, type, content) {
        const link = document.createElement("a");
        const url = URL.createObjectURL(new Blob([content], { type }));
        link.href = url;
        link.download = name;
        document.body.append(link);
        link.click();
        link.remove();
        setTimeout(() => URL.revokeObjectURL(url), 10000);
    }

    // The figure as for paper: light, with its title, at the slider's step.
    function paperView(figure) {
        const spec = structuredClone(figure.spec);
        for (const param of spec.params || []) delete param.bind;
        spec.width = 720;
        spec.height = 360;
        spec.autosize = { type: "pad" };
        spec.padding = 14;
        const note = figure.notes[hasSteps(figure) ? figure.frame : 0];
        const lines = [];
        if (hasSteps(figure)) lines.push(`${figure.stepLabel} ${formatNumber(currentStep(figure))}`);
        if (note) lines.push(note);
        spec.title = { text: figure.title, anchor: "start", frame: "bounds", offset: 16, fontSize: 17, fontWeight: 600 };
        if (lines.length > 0) Object.assign(spec.title, { subtitle: lines, subtitleColor: "#5b6472", subtitlePadding: 5 });
        const theme = root.dataset.theme;
        root.dataset.theme = "light";
        const config = { ...screenConfig(figure, 1), title: { color: "#1d2129", font: colour("sans"), subtitleFont: colour("sans") } };
        root.dataset.theme = theme;
        Object.assign(config.legend, { labelColor: config.legend.titleColor, offset: 20, rowPadding: 6, symbolSize: 260 });
        // Nobody points at paper, and it is not read aloud cell by cell.
        if (spec.layer) spec.layer = spec.layer.filter((layer) => layer.mark.type === "line");
        config.aria = false;
        delete spec.config;
        const view = vegaView(spec, config, { renderer: "none" });
        if (hasSteps(figure)) view.signal("step", currentStep(figure));
        if (figure.kind === "lines") view.signal("hidden", hiddenColumns(figure));
        return view;
    }

    async function saveSvg(figure) {
        if (!hasVega) return save(figure.id + ".svg", "image/svg+xml", figure.section.querySelector(".still").innerHTML);
        const view = paperView(figure);
        save(figure.id + ".svg", "image/svg+xml", await view.toSVG());
        view.finalize();
    }

    async function savePng(figure) {
        const view = paperView(figure);
        const canvas = await view.toCanvas(2);
        canvas.toBlob((blob) => save(figure.id + ".png", "image/png", blob));
        view.finalize();
    }

    function saveCsv(figure) {
        if (figure.kind === "table") return save(figure.id + ".csv", "text/csv", figure.csv);
        const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
        const rows = figure.spec.data.values;
        save(figure.id + ".csv", "text/csv", figure.header.map(quoted).join(",") + rows.slice(rows.indexOf("\n")));
    }

    // --- all together ---

    const entries = data.map((entry) => ({ ...entry, section: document.getElementById(entry.id) }));
    const figures = entries.filter((entry) => entry.kind !== "table");

    function act(entry, button) {
        switch (button.dataset.do) {
            case "svg":
                return saveSvg(entry);
            case "png":
                return savePng(entry);
            case "csv":
                return saveCsv(entry);
            case "play":
                return togglePlay(entry, button);
            case "enlarge":
                return document.fullscreenElement ? document.exitFullscreen() : entry.section.requestFullscreen();
        }
    }

    root.classList.add("scripted");
    setTheme(stored() ? stored() === "dark" : systemDark.matches);
    const drawAll = () => Promise.all(figures.map(draw));

    for (const entry of entries) {
        entry.section.addEventListener("click", (event) => {
            const button = event.target.closest("button[data-do]");
            if (button) act(entry, button);
        });
    }
    for (const figure of figures) {
        figure.frame = hasSteps(figure) ? figure.steps.length - 1 : 0;
        figure.off = new Set();
        showNote(figure);
        const input = figure.section.querySelector(".slider input");
        if (input) input.addEventListener("input", () => moveTo(figure, Number(input.value)));
    }
    const changeTheme = (dark) => {
        setTheme(dark);
        if (hasVega) drawAll();
    };
    themeButton.addEventListener("click", () => {
        changeTheme(!isDark());
        stored(isDark() ? "dark" : "light");
    });
    systemDark.addEventListener("change", () => {
        if (!stored()) changeTheme(systemDark.matches);
    });

    if (!hasVega) return;
    document.addEventListener("fullscreenchange", () => drawAll());
    let redraw;
    addEventListener("resize", () => {
        clearTimeout(redraw);
        redraw = setTimeout(() => {
            for (const figure of figures)
                if (document.fullscreenElement === figure.section ||
                    figure.narrow !== figure.section.querySelector(".plot").clientWidth < 480) draw(figure);
        }, 120);
    });
    // What stands first is drawn first; the page stays quick to the touch in between.
    (async () => {
        for (const figure of figures) {
            await draw(figure);
            await new Promise((resume) => setTimeout(resume));
        }
        root.dataset.ready = "true";
    })();
})();
