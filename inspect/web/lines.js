// Lines over a common x axis, drawn by Vega: a legend that switches them, a slider over training, a brush over x.

ebb.lines = (() => {
    const { formatNumber, linearTicks, logTicks } = ebb.numbers;
    const { colour, isDark, showTooltip, hideTooltip, vegaConfig, vegaView, ticksOf, axisParams, letFollow, setAxis } = ebb.page;

    const isLine = (series) => series.bandOf === undefined;
    const shade = (series) => series[isDark() ? "dark" : "light"];
    const hasSteps = (figure) => figure.steps.length > 0;
    const rowsNow = (figure) => ebb.data.lineRows(figure, figure.frame);

    // --- the legend: each entry switches its lines off and on ---

    const referenceLines = Symbol("all lines like another one");

    function isHidden(figure, series) {
        const of = isLine(series) ? series : figure.series.find((other) => other.name === series.bandOf);
        return figure.off.has(of.like || of.name) || (of.like !== "" && figure.off.has(referenceLines));
    }
    const hiddenColumns = (figure) => figure.series.flatMap((series, i) => (isHidden(figure, series) ? ["s" + i] : []));

    function legendEntry(figure, key, text, series) {
        const button = document.createElement("button");
        button.type = "button";
        button.title = `Show or hide: ${text}`;
        button.setAttribute("aria-pressed", String(!figure.off.has(key)));
        const swatch = document.createElement("i");
        swatch.style.borderTopColor = series ? shade(series) : colour("muted");
        if (!series || series.reference) swatch.className = "reference";
        button.append(swatch, text);
        button.addEventListener("click", () => {
            if (!figure.off.delete(key)) figure.off.add(key);
            button.setAttribute("aria-pressed", String(!figure.off.has(key)));
            figure.view.signal("hidden", hiddenColumns(figure)).runAsync();
            showWindow(figure);
        });
        return button;
    }

    function showLegend(figure) {
        const named = figure.series.filter((series) => isLine(series) && !series.like);
        const entries = named.map((series) => legendEntry(figure, series.name, series.name, series));
        if (figure.series.some((series) => series.like)) entries.push(legendEntry(figure, referenceLines, figure.referenceLabel));
        figure.section.querySelector(".legend").replaceChildren(...(entries.length > 1 ? entries : []));
    }

    // --- the window that the brush cuts out ---

    const placesOf = (figure) => [...new Set(figure.xLists.flat())].sort((a, b) => a - b);
    const isWhole = (figure) => !figure.window || (figure.window.from === 0 && figure.window.to === figure.places.length - 1);

    function inWindow(figure, x) {
        return isWhole(figure) || (x >= figure.places[figure.window.from] && x <= figure.places[figure.window.to]);
    }

    function visibleValues(figure) {
        const columns = figure.series.flatMap((series, i) => (isHidden(figure, series) ? [] : ["s" + i]));
        const drawable = (y) => Number.isFinite(y) && (figure.yScale !== "log" || y > 0);
        return rowsNow(figure).filter((row) => inWindow(figure, row.x)).flatMap((row) => columns.map((column) => row[column])
            .filter((y) => y !== null && drawable(y)));
    }

    // The ends and ticks of both axes: those that C++ gave, or what fits the window.
    function axes(figure) {
        if (isWhole(figure)) return { x: null, y: null, ...figure.wholeTicks };
        const x = [figure.places[figure.window.from], figure.places[figure.window.to]];
        const values = visibleValues(figure);
        const y = values.length > 0 ? [Math.min(...values), Math.max(...values)] : null;
        if (y && figure.yScale === "log") [y[0], y[1]] = [y[0] / 1.3, y[1] * 1.3];
        if (y && figure.yScale !== "log") {
            const margin = 0.06 * (y[1] - y[0]) || 0.5;
            [y[0], y[1]] = [y[0] - margin, y[1] + margin];
        }
        const xTicks = (figure.xScale === "log" ? logTicks : linearTicks)(x[0], x[1], 8);
        const yTicks = y ? (figure.yScale === "log" ? logTicks : linearTicks)(y[0], y[1], 7) : figure.wholeTicks.yTicks;
        return { x, y, xTicks, yTicks };
    }

    function setAxes(figure, view) {
        const { x, y, xTicks, yTicks } = axes(figure);
        setAxis(view, "x", x, xTicks);
        return setAxis(view, "y", y, yTicks);
    }

    // "× 0.79": the factor per step of a line through the logarithms of the norms.
    function factorText(rows, column) {
        const points = rows.map((row) => [row.x, Math.log(row[column])]).filter(([, y]) => Number.isFinite(y));
        if (points.length < 3) return undefined;
        const mean = (list) => list.reduce((sum, one) => sum + one, 0) / list.length;
        const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
        const slope = mean(points.map(([x, y]) => (x - mx) * (y - my))) / mean(points.map(([x]) => (x - mx) ** 2));
        return `× ${formatNumber(Math.exp(slope))}`;
    }

    function windowText(figure) {
        if (isWhole(figure)) return "";
        const [from, to] = [figure.places[figure.window.from], figure.places[figure.window.to]].map((x) => formatNumber(x));
        const text = `${figure.x}, from ${from} to ${to}.`;
        if (figure.yScale !== "log") return text;
        const rows = rowsNow(figure).filter((row) => inWindow(figure, row.x));
        const factors = figure.series.flatMap((series, i) => {
            if (series.reference || !isLine(series) || isHidden(figure, series)) return [];
            const factor = factorText(rows, "s" + i);
            return factor ? [`${series.name} ${factor}`] : [];
        });
        return factors.length > 0 ? `${text} On average each step of it changes: ${factors.join(", ")}.` : text;
    }

    function showWindow(figure) {
        figure.section.querySelector(".window-note").textContent = windowText(figure);
        if (figure.view && figure.window) setAxes(figure, figure.view).runAsync();
    }

    // A small picture of the lines, to draw the window on.
    function sparkline(figure) {
        const low = [], rows = rowsNow(figure);
        const y = (value) => (figure.yScale === "log" ? Math.log(value) : value);
        const columns = figure.series.map((series, i) => ({ series, key: "s" + i })).filter(({ series }) => isLine(series) && !series.reference);
        for (const row of rows) for (const { key } of columns) if (row[key] !== null && Number.isFinite(y(row[key]))) low.push(y(row[key]));
        const [bottom, top] = [Math.min(...low), Math.max(...low)];
        const place = new Map(figure.places.map((x, k) => [x, (1000 * k) / Math.max(1, figure.places.length - 1)]));
        const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        svg.setAttribute("viewBox", "0 0 1000 100");
        svg.setAttribute("preserveAspectRatio", "none");
        svg.setAttribute("aria-hidden", "true");
        for (const { series, key } of columns) {
            let path = "", gap = true;
            for (const row of rows) {
                if (row[key] === null) continue;
                const at = y(row[key]);
                if (Number.isFinite(at)) path += `${gap ? "M" : "L"}${place.get(row.x).toFixed(1)} ${(95 - (90 * (at - bottom)) / (top - bottom || 1)).toFixed(1)}`;
                gap = !Number.isFinite(at);
            }
            const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
            line.setAttribute("d", path);
            line.setAttribute("stroke", shade(series));
            svg.append(line);
        }
        return svg;
    }

    function showBrush(figure) {
        const place = figure.section.querySelector(".brush-place");
        if (figure.places.length < 16 || figure.reversed) return;
        const window = figure.window;
        const brush = ebb.page.makeBrush(place, sparkline(figure), figure.places.length, `Window over ${figure.x}`,
            (k) => formatNumber(figure.places[k]), () => showWindow(figure));
        if (window) brush.set(window.from, window.to);
        figure.window = brush.range;
    }

    // --- the figure ---

    // The specification as the page wants it: the heading has the title, slider and legend are ours, and the axes follow
    // the brush.
    function screenSpec(figure) {
        const spec = structuredClone(figure.spec);
        delete spec.title;
        delete spec.config;
        spec.params.push(...axisParams("x"), ...axisParams("y"));
        for (const { mark, encoding } of spec.layer) {
            if (encoding.color) encoding.color.legend = null;
            if (encoding.strokeDash) encoding.strokeDash.legend = null;
            mark.clip = true;
            for (const axis of ["x", "y"]) if (encoding[axis] && encoding[axis].axis) letFollow(encoding, axis);
        }
        return spec;
    }

    function config(figure, scale) {
        const named = figure.series.filter((series) => isLine(series) && !series.like);
        return { ...vegaConfig(scale), range: { category: named.map(shade) } };
    }

    function makeView(figure, spec, config, options) {
        const view = vegaView(spec, config, options);
        view.data("points", rowsNow(figure)).signal("hidden", hiddenColumns(figure));
        return setAxes(figure, view);
    }

    function draw(figure, plot, scale, fit) {
        if (!figure.places) {
            figure.places = placesOf(figure);
            const { x, y } = figure.spec.layer.find((layer) => layer.encoding.y && layer.encoding.y.axis).encoding;
            figure.wholeTicks = { xTicks: ticksOf(x.axis), yTicks: ticksOf(y.axis) };
        }
        const spec = screenSpec(figure);
        for (const { mark } of spec.layer) if (mark.strokeWidth > 1) mark.strokeWidth *= scale;
        fit(spec);
        showLegend(figure);
        showBrush(figure);
        figure.view = makeView(figure, spec, config(figure, scale), { renderer: "svg", hover: true });
        figure.view.tooltip((_, event, item, value) => {
            const datum = value && item && (item.datum.datum || item.datum);
            if (!datum || !showValues(figure, datum.x, event.clientX, event.clientY)) hideTooltip();
        });
        return figure.view.initialize(plot).runAsync();
    }

    function showFrame(figure) {
        const view = figure.view.data("points", rowsNow(figure));
        figure.section.querySelector(".window-note").textContent = windowText(figure);
        return setAxes(figure, view).runAsync();
    }

    // All values at one x; false where there are none.
    function valuesAt(figure, x) {
        const rows = rowsNow(figure).filter((row) => row.x === x);
        return figure.series.flatMap((series, i) => {
            const value = rows.map((row) => row["s" + i]).find((y) => y !== null && y !== undefined);
            if (value === undefined || isHidden(figure, series)) return [];
            return [{ name: series.name, value, colour: shade(series), reference: series.reference || !isLine(series) }];
        });
    }
    function showValues(figure, x, clientX, clientY) {
        const rows = valuesAt(figure, x);
        if (rows.length > 0) showTooltip(`${figure.x}: ${formatNumber(x)}`, rows, clientX, clientY);
        return rows.length > 0;
    }

    // Arrow keys walk from x to x; the values there stand beside the line and are read out.
    function key(figure, event) {
        const steps = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
        if (!(event.key in steps)) return undefined;
        const places = figure.places.filter((x) => inWindow(figure, x));
        const direction = figure.reversed ? -1 : 1;
        const before = figure.cursor === undefined ? (steps[event.key] * direction > 0 ? -1 : places.length) : places.indexOf(figure.cursor);
        const k = Math.max(0, Math.min(places.length - 1, before + direction * steps[event.key]));
        figure.cursor = places[k];
        figure.view.data("hover_store", [{ unit: "", fields: [{ type: "E", field: "x" }], values: [figure.cursor] }]).runAsync();
        const { left, top } = ebb.page.plotBox(figure);
        if (!showValues(figure, figure.cursor, left + figure.view.scale("x")(figure.cursor), top + 20)) hideTooltip();
        return `${figure.x} ${formatNumber(figure.cursor)}: ` +
            valuesAt(figure, figure.cursor).map((row) => `${row.name} ${formatNumber(row.value)}`).join(", ");
    }

    // The figure as for paper: light, with its title, at the slider's step and in the brush's window.
    function paperView(figure) {
        return ebb.page.onPaper(() => {
            const spec = screenSpec(figure);
            const original = structuredClone(figure.spec);
            // Nobody points at paper.
            spec.layer.forEach((layer, i) => {
                for (const channel of ["color", "strokeDash"])
                    if (layer.encoding[channel]) layer.encoding[channel].legend = original.layer[i].encoding[channel].legend;
            });
            spec.layer = spec.layer.filter((layer) => ["line", "area"].includes(layer.mark.type));
            const step = hasSteps(figure) ? `${figure.stepLabel} ${formatNumber(figure.steps[figure.frame])}` : "";
            ebb.page.paperSpec(spec, figure.title, [step, figure.notes[figure.frame]]);
            const looks = config(figure, 1);
            looks.title = { color: colour("ink"), font: colour("sans"), subtitleFont: colour("sans") };
            Object.assign(looks.legend, { labelColor: colour("ink"), offset: 20, rowPadding: 6, symbolSize: 260 });
            // It is not read aloud either.
            looks.aria = false;
            return makeView(figure, spec, looks, { renderer: "none" });
        });
    }

    return { draw, showFrame, key, paperView };
})();
