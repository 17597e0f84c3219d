// What all figures share: the theme and its colours, values under the pointer, downloads, and a brush.

ebb.page = (() => {
    const { formatNumber } = ebb.numbers;
    const root = document.documentElement;

    // --- themes ---

    const isDark = () => root.dataset.theme === "dark";
    const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

    // Calls `draw` in the colours of paper.
    function onPaper(draw) {
        const theme = root.dataset.theme;
        root.dataset.theme = "light";
        try {
            return draw();
        } finally {
            root.dataset.theme = theme;
        }
    }

    // --- Vega ---

    function vegaConfig(scale) {
        const font = colour("sans");
        const text = { labelFont: font, titleFont: font, labelColor: colour("muted"), titleColor: colour("ink") };
        const sizes = { labelFontSize: Math.round(12 * scale), titleFontSize: Math.round(12 * scale), titleFontWeight: 500 };
        return {
            font,
            background: colour("paper"),
            padding: { left: 2, top: 4, right: 10, bottom: 2 },
            view: { stroke: null },
            axisX: { labelOverlap: "parity", labelSeparation: 6 },
            axis: { ...text, ...sizes, gridColor: colour("grid"), domainColor: colour("axis"), tickColor: colour("axis"), titlePadding: 10, labelPadding: 5 },
            legend: { ...text, ...sizes, labelLimit: 240, offset: 14 },
        };
    }

    // For paper: with the title and what stands under it, and of a size of its own.
    function paperSpec(spec, title, lines) {
        const subtitle = lines.filter((line) => line);
        Object.assign(spec, { width: 720, height: 360, autosize: { type: "pad" }, padding: 14 });
        spec.title = { text: title, anchor: "start", frame: "bounds", offset: 16, fontSize: 17, fontWeight: 600 };
        if (subtitle.length > 0) Object.assign(spec.title, { subtitle, subtitleColor: "#5b6472", subtitlePadding: 5 });
        return spec;
    }

    function vegaView(spec, config, options) {
        const compiled = vegaLite.compile(spec, { config }).spec;
        return new vega.View(vega.parse(compiled), { logLevel: vega.Warn, ...options });
    }

    // Where the scales of a figure count their pixels from.
    const plotBox = (figure) => figure.section.querySelector(".plot .background").getBoundingClientRect();

    // --- values under the pointer ---

    const tooltip = document.getElementById("ebb-tooltip");

    // rows: { name, value, colour, reference }; a value is a number or words.
    function showTooltip(caption, rows, x, y) {
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
            line.insertCell().textContent = typeof row.value === "number" ? formatNumber(row.value) : row.value;
        }
        tooltip.replaceChildren(table);
        tooltip.hidden = false;
        // In a full screen only what is inside it is seen.
        (document.fullscreenElement || document.body).append(tooltip);
        const box = tooltip.getBoundingClientRect();
        const left = x + 16 + box.width > innerWidth - 8 ? x - 16 - box.width : x + 16;
        tooltip.style.left = `${Math.max(8, left)}px`;
        tooltip.style.top = `${Math.max(8, Math.min(y + 14, innerHeight - box.height - 8))}px`;
    }

    const hideTooltip = () => (tooltip.hidden = true);

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

    // --- a brush: a window over places 0, ..., count - 1, by two thumbs, by drawing it, and by moving it ---

    // text(i) names a place; changed(from, to) is called at each change. The picture under it is the caller's.
    function makeBrush(place, picture, count, label, text, changed) {
        const brush = document.createElement("div");
        brush.className = "brush";
        brush.innerHTML = `<div class="brush-track"><div class="brush-window"></div></div>
            <input type="range" min="0" max="${count - 1}" step="1"><input type="range" min="0" max="${count - 1}" step="1">
            <button type="button" class="brush-all" hidden>Show all</button>`;
        const [track, first, last, all] = brush.children;
        track.prepend(picture);
        first.setAttribute("aria-label", `${label}, from`);
        last.setAttribute("aria-label", `${label}, to`);
        const range = { from: 0, to: count - 1 };

        function show() {
            first.value = range.from;
            last.value = range.to;
            first.setAttribute("aria-valuetext", text(range.from));
            last.setAttribute("aria-valuetext", text(range.to));
            // On the side where it hides none of the window.
            all.classList.toggle("left", range.from + range.to >= count);
            const share = (k) => (100 * k) / Math.max(1, count - 1);
            track.lastElementChild.style.left = `${share(range.from)}%`;
            track.lastElementChild.style.width = `${share(range.to) - share(range.from)}%`;
            all.hidden = range.from === 0 && range.to === count - 1;
        }
        function set(from, to) {
            const limit = (k) => Math.max(0, Math.min(count - 1, Math.round(k)));
            [range.from, range.to] = [limit(Math.min(from, to)), limit(Math.max(from, to))];
            if (range.from === range.to) range.to === count - 1 ? --range.from : ++range.to;
            show();
        }
        const change = (from, to) => {
            set(from, to);
            changed(range.from, range.to);
        };
        first.addEventListener("input", () => change(Math.min(Number(first.value), range.to - 1), range.to));
        last.addEventListener("input", () => change(range.from, Math.max(Number(last.value), range.from + 1)));
        all.addEventListener("click", () => change(0, count - 1));

        track.addEventListener("pointerdown", (event) => {
            const box = track.getBoundingClientRect();
            const at = (e) => ((e.clientX - box.left) / box.width) * (count - 1);
            const start = at(event);
            const { from, to } = range;
            const whole = from === 0 && to === count - 1;
            const moves = !whole && start >= from && start <= to;
            track.setPointerCapture(event.pointerId);
            const move = (e) => {
                if (!moves) return change(start, at(e));
                const by = Math.max(-from, Math.min(count - 1 - to, Math.round(at(e) - start)));
                change(from + by, to + by);
            };
            track.addEventListener("pointermove", move);
            const end = () => track.removeEventListener("pointermove", move);
            track.addEventListener("pointerup", end, { once: true });
            track.addEventListener("pointercancel", end, { once: true });
        });
        show();
        place.replaceChildren(brush);
        return { set, range };
    }

    // --- axes that follow a brush: their ends and ticks are signals of the view ---

    // The ticks that C++ has chosen for the whole.
    function ticksOf(axis) {
        const labels = JSON.parse(axis.labelExpr.slice(0, axis.labelExpr.lastIndexOf("[indexof(")));
        return labels.map((text, i) => ({ at: axis.values[i], text }));
    }
    const axisParams = (name) => [{ name: name + "Window", value: null }, { name: name + "Ticks", value: [] }, { name: name + "Labels", value: [] }];
    function letFollow(encoding, name) {
        encoding[name].scale.domainRaw = { expr: name + "Window" };
        encoding[name].axis.values = { expr: name + "Ticks" };
        encoding[name].axis.labelExpr = `${name}Labels[indexof(${name}Ticks, datum.value)]`;
    }
    function setAxis(view, name, ends, ticks) {
        view.signal(name + "Window", ends);
        return view.signal(name + "Ticks", ticks.map((tick) => tick.at)).signal(name + "Labels", ticks.map((tick) => tick.text));
    }

    return { root, isDark, colour, onPaper, vegaConfig, paperSpec, vegaView, plotBox, showTooltip, hideTooltip, save, makeBrush, ticksOf, axisParams, letFollow, setAxis };
})();
