// Heat maps: the cells are one picture, the axes around it are Vega's. A map of 500 x 500 cells is as quick as a small one.

ebb.maps = (() => {
    const { formatNumber, linearTicks } = ebb.numbers;
    const { colour, plotBox, showTooltip, hideTooltip, vegaConfig, vegaView, ticksOf, axisParams, letFollow, setAxis } = ebb.page;

    const gap = (at) => (at.length > 1 ? at[1] - at[0] : 1);
    const valuesNow = (figure) => ebb.data.mapValues(figure, figure.frame);

    // Where values lie on the scale, from 0 to 1; nothing for what it cannot show.
    function positions(scale) {
        const isLog = scale.type === "log";
        const at = isLog ? Math.log : (number) => number;
        const [low, span] = [at(scale.low), at(scale.high) - at(scale.low)];
        return (value) => {
            if (!Number.isFinite(value) || (isLog && value <= 0)) return undefined;
            return Math.max(0, Math.min(1, (at(value) - low) / span));
        };
    }
    const position = (scale, value) => positions(scale)(value);

    const channels = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

    // The scale's colours between the stops that C++ gives.
    function scaleColour(scale, position) {
        const at = position * (scale.colours.length - 1);
        const left = Math.min(Math.floor(at), scale.colours.length - 2);
        const [a, b] = [channels(scale.colours[left]), channels(scale.colours[left + 1])];
        return a.map((channel, i) => Math.round(channel + (at - left) * (b[i] - channel)));
    }

    // Each cell one pixel, rows upwards; drawn once for each stop of the slider.
    function picture(figure) {
        if (figure.canvas && figure.canvasFrame === figure.frame) return figure.canvas;
        const values = valuesNow(figure);
        const [columns, rows] = [figure.xAt.length, figure.yAt.length];
        const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
        const context = canvas.getContext("2d");
        const image = context.createImageData(columns, rows);
        const pixels = new Uint32Array(image.data.buffer);
        const palette = Uint32Array.from({ length: 257 }, (_, i) => {
            const [red, green, blue] = scaleColour(figure.scale, i / 256);
            return (255 << 24) | (blue << 16) | (green << 8) | red;
        });
        const { x, y } = figure.spec.encoding;
        const place = positions(figure.scale);
        for (let row = 0; row < rows; ++row)
            for (let column = 0; column < columns; ++column) {
                const at = place(values[row * columns + column]);
                if (at === undefined) continue;
                const left = x.scale.reverse ? columns - 1 - column : column;
                const top = y.scale.reverse ? row : rows - 1 - row;
                pixels[top * columns + left] = palette[Math.round(256 * at)];
            }
        context.putImageData(image, 0, 0);
        figure.canvasFrame = figure.frame;
        return (figure.canvas = canvas);
    }

    // --- the window that the brush cuts out of the columns ---

    const isWhole = (figure) => !figure.window || (figure.window.from === 0 && figure.window.to === figure.xAt.length - 1);
    const columnsShown = (figure) => figure.window || { from: 0, to: figure.xAt.length - 1 };
    const windowEnds = (figure) => [figure.xAt[figure.window.from], figure.xAt[figure.window.to]];

    function setWindow(figure, view) {
        if (isWhole(figure)) return setAxis(view, "x", null, figure.wholeTicks);
        const [from, to] = windowEnds(figure);
        const whole = figure.xAt.every(Number.isInteger);
        const ticks = linearTicks(from, to, 8).filter((tick) => !whole || Number.isInteger(tick.at));
        return setAxis(view, "x", [from - gap(figure.xAt) / 2, to + gap(figure.xAt) / 2], ticks);
    }

    function showWindow(figure) {
        const words = isWhole(figure) ? "" : `${figure.x}, from ${windowEnds(figure).map((x) => formatNumber(x)).join(" to ")}.`;
        figure.section.querySelector(".window-note").textContent = words;
        setWindow(figure, figure.view).runAsync();
    }

    function showStrip(figure) {
        const strip = picture(figure);
        strip.setAttribute("aria-hidden", "true");
        if (figure.strip) figure.strip.replaceWith(strip);
        return (figure.strip = strip);
    }

    // Over what is no time a reader looks at the whole.
    function showBrush(figure) {
        if (figure.xAt.length < 16 || figure.contours > 0 || figure.spec.encoding.x.scale.reverse) return;
        const { window, section } = figure;
        const brush = ebb.page.makeBrush(section.querySelector(".brush-place"), showStrip(figure), figure.xAt.length,
            `Window over ${figure.x}`, (k) => formatNumber(figure.xAt[k]), () => showWindow(figure));
        if (window) brush.set(window.from, window.to);
        figure.window = brush.range;
    }

    // Where a value is crossed between neighbouring cells: one or two pieces of line for each square of four centres.
    function contourSegments(figure) {
        const values = valuesNow(figure);
        const [columns, rows] = [figure.xAt.length, figure.yAt.length];
        const at = figure.scale.type === "log" ? Math.log : (number) => number;
        const [low, high] = [at(figure.scale.low), at(figure.scale.high)];
        const segments = [];
        for (let k = 1; k <= figure.contours; ++k) {
            const level = low + (k / (figure.contours + 1)) * (high - low);
            for (let r = 0; r + 1 < rows; ++r)
                for (let c = 0; c + 1 < columns; ++c) {
                    const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]];
                    const heights = corners.map(([i, j]) => at(values[j * columns + i]));
                    if (!heights.every(Number.isFinite)) continue;
                    const crossings = [];
                    for (let i = 0; i < 4; ++i) {
                        const j = (i + 1) % 4;
                        if (heights[i] < level === heights[j] < level) continue;
                        const share = (level - heights[i]) / (heights[j] - heights[i]);
                        crossings.push([corners[i][0] + share * (corners[j][0] - corners[i][0]), corners[i][1] + share * (corners[j][1] - corners[i][1])]);
                    }
                    for (let i = 0; i + 1 < crossings.length; i += 2)
                        segments.push({
                            left: figure.xAt[0] + crossings[i][0] * gap(figure.xAt), right: figure.xAt[0] + crossings[i + 1][0] * gap(figure.xAt),
                            bottom: figure.yAt[0] + crossings[i][1] * gap(figure.yAt), top: figure.yAt[0] + crossings[i + 1][1] * gap(figure.yAt),
                        });
                }
        }
        return segments;
    }

    function screenSpec(figure) {
        const { encoding, ...spec } = structuredClone(figure.spec);
        for (const name of ["title", "config", "transform", "mark", "data"]) delete spec[name];
        const { x, x2, y, y2, fill } = encoding;
        figure.wholeTicks = figure.wholeTicks || ticksOf(x.axis);
        const ends = (at) => [at[0] - gap(at) / 2, at.at(-1) + gap(at) / 2];
        const [[left, right], [bottom, top]] = [ends(figure.xAt), ends(figure.yAt)];
        const places = { x, x2, y, y2 };
        spec.params = axisParams("x");
        letFollow(places, "x");
        spec.layer = [
            // Nothing to see but the legend of its colours.
            { data: { values: [{ left, right, bottom, top, value: figure.scale.low }] }, mark: { type: "rect", opacity: 0, tooltip: null }, encoding: { ...places, fill } },
            { data: { name: "picture" }, mark: { type: "image", aspect: false, smooth: false, clip: true, tooltip: null }, encoding: { ...places, url: { field: "url", type: "nominal" } } },
        ];
        fill.legend.gradientOpacity = 1;
        figure.frameEnds = { left, right, bottom, top };
        if (figure.contours > 0)
            spec.layer.push({ data: { name: "contours" }, mark: { type: "rule", color: "#ffffff", opacity: 0.75, strokeWidth: 1, tooltip: null }, encoding: places });
        return spec;
    }

    function fill(figure, view) {
        view.data("picture", [{ ...figure.frameEnds, url: picture(figure).toDataURL() }]);
        if (figure.contours > 0) view.data("contours", contourSegments(figure));
        return setWindow(figure, view);
    }

    function config(scale) {
        const looks = vegaConfig(scale);
        return { ...looks, view: { stroke: null, fill: colour("missing") } };
    }

    function draw(figure, plot, scale, fit) {
        const spec = screenSpec(figure);
        const looks = config(scale);
        if (figure.sparse) looks.view.fill = null;
        if (figure.narrow) {
            spec.layer[0].encoding.fill.legend.orient = "top";
            looks.legend.gradientLength = Math.max(120, plot.clientWidth - 80);
            looks.legend.offset = 34;
        }
        fit(spec);
        showBrush(figure);
        figure.view = fill(figure, vegaView(spec, looks, { renderer: "svg" }));
        figure.cursor = undefined;
        if (!figure.listens) {
            figure.listens = true;
            plot.addEventListener("pointermove", (event) => point(figure, plot, event));
            plot.addEventListener("pointerleave", () => point(figure, plot));
        }
        return figure.view.initialize(plot).runAsync();
    }

    function showFrame(figure) {
        if (figure.strip) showStrip(figure);
        return fill(figure, figure.view).runAsync();
    }

    // --- the cell under the pointer, or where the arrow keys have gone ---

    function markCell(figure, plot, cell) {
        plot.querySelector(".cell-mark")?.remove();
        if (!cell) return hideTooltip();
        const [box, outer] = [plotBox(figure), plot.getBoundingClientRect()];
        const [x, y] = ["x", "y"].map((name) => figure.view.scale(name));
        const edges = (scale, at, half) => [scale(at - half), scale(at + half)].sort((a, b) => a - b);
        const [left, right] = edges(x, figure.xAt[cell[0]], gap(figure.xAt) / 2);
        const [top, bottom] = edges(y, figure.yAt[cell[1]], gap(figure.yAt) / 2);
        const mark = document.createElement("div");
        mark.className = "cell-mark";
        Object.assign(mark.style, {
            left: `${box.left - outer.left + left}px`, top: `${box.top - outer.top + top}px`,
            width: `${right - left}px`, height: `${bottom - top}px`,
        });
        plot.append(mark);
        const at = mark.getBoundingClientRect();
        const value = valuesNow(figure)[cell[1] * figure.xAt.length + cell[0]];
        const rows = [{ name: figure.y, value: figure.yAt[cell[1]] }, { name: figure.value, value: Number.isNaN(value) ? "–" : value }];
        showTooltip(`${figure.x}: ${formatNumber(figure.xAt[cell[0]])}`, rows, at.right, at.top);
        return `${figure.x} ${formatNumber(figure.xAt[cell[0]])}, ${figure.y} ${formatNumber(figure.yAt[cell[1]])}: ${figure.value} ${formatNumber(value)}`;
    }

    function point(figure, plot, event) {
        if (!event) return markCell(figure, plot);
        const box = plotBox(figure);
        const place = (name, at, pixel) => Math.round((figure.view.scale(name).invert(pixel) - at[0]) / gap(at));
        const cell = [place("x", figure.xAt, event.clientX - box.left), place("y", figure.yAt, event.clientY - box.top)];
        const { from, to } = columnsShown(figure);
        const inside = cell[0] >= from && cell[1] >= 0 && cell[0] <= to && cell[1] < figure.yAt.length;
        const empty = inside && figure.sparse && Number.isNaN(valuesNow(figure)[cell[1] * figure.xAt.length + cell[0]]);
        markCell(figure, plot, inside && !empty ? cell : undefined);
    }

    function key(figure, event) {
        const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
        if (!(event.key in steps)) return undefined;
        const plot = figure.section.querySelector(".plot");
        const limit = (k, last, first = 0) => Math.max(first, Math.min(last, k));
        const { from, to } = columnsShown(figure);
        const flip = [figure.spec.encoding.x.scale.reverse ? -1 : 1, figure.spec.encoding.y.scale.reverse ? -1 : 1];
        const before = figure.cursor || [to, 0];
        const by = figure.cursor ? steps[event.key] : [0, 0];
        figure.cursor = [limit(before[0] + flip[0] * by[0], to, from), limit(before[1] + flip[1] * by[1], figure.yAt.length - 1)];
        return markCell(figure, plot, figure.cursor);
    }

    function paperView(figure) {
        return ebb.page.onPaper(() => {
            const looks = config(1);
            looks.title = { color: colour("ink"), font: colour("sans"), subtitleFont: colour("sans") };
            looks.aria = false;
            const step = figure.steps.length > 0 ? `${figure.stepLabel} ${formatNumber(figure.steps[figure.frame])}` : "";
            const spec = ebb.page.paperSpec(screenSpec(figure), figure.title, [step, figure.notes[figure.frame]]);
            return fill(figure, vegaView(spec, looks, { renderer: "none" }));
        });
    }

    return { draw, showFrame, key, paperView, position, scaleColour };
})();
