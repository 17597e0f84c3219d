// The packed numbers of a figure (page_data.cpp), as rows for Vega and as CSV.

ebb.data = (() => {
    // Stands for a cell that a table leaves empty: the largest float32.
    const absent = 3.4028234663852886e38;

    const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;

    // Where there are many frames: a place between the smallest number and the largest, or one that is none.
    const places = 65532;
    const noPlace = [-Infinity, Infinity, NaN];

    // On a log scale the logarithms are packed. Absent cells are null.
    function unpack(packed, scale) {
        const value = scale === "log" ? Math.exp : (number) => number;
        if (packed.places === undefined) return Array.from(new Float32Array(bytes(packed)), (number) => (number === absent ? null : value(number)));
        const number = (place) => (place < places ? packed.low + place * packed.step : noPlace[place - places]);
        return Array.from(new Uint16Array(bytes(packed.places)), (place) => (place === 65535 ? null : value(number(place))));
    }

    // --- lines ---

    function blockRows(figure, block) {
        if (block.rows) return block.rows;
        const values = unpack(block.values, figure.yScale);
        const width = block.columns.length;
        block.rows = figure.xLists[block.x].map((x, k) => {
            const row = { x };
            figure.series.forEach((_, i) => (row["s" + i] = null));
            block.columns.forEach((column, i) => (row["s" + column] = values[k * width + i]));
            return row;
        });
        return block.rows;
    }

    // What the figure shows at one stop of its slider.
    function lineRows(figure, frame) {
        const step = figure.steps[frame];
        return figure.blocks.filter((block) => block.step === null || block.step === step).flatMap((block) => blockRows(figure, block));
    }

    // --- heat maps ---

    function mapValues(figure, frame) {
        figure.unpacked = figure.unpacked || [];
        if (figure.unpacked[frame]) return figure.unpacked[frame];
        const packed = figure.frames[frame];
        let values = unpack(packed.runs ? packed.values : packed, figure.scale.type);
        if (packed.runs) {
            // How many cells are not there, are, are not ... in turn.
            const there = values;
            let next = 0;
            values = packed.runs.flatMap((count, i) => (i % 2 === 0 ? Array(count).fill(NaN) : there.slice(next, (next += count))));
        }
        return (figure.unpacked[frame] = values);
    }

    // --- graphs ---

    function graphNumbers(figure, frame) {
        figure.unpacked = figure.unpacked || [];
        const parts = ["value", "gradient", "edges", "stepEdges"];
        const unpackFrame = () => Object.fromEntries(parts.map((part) => [part, unpack(figure.frames[frame][part], "log")]));
        return figure.unpacked[frame] || (figure.unpacked[frame] = unpackFrame());
    }

    // --- CSV, to six digits; to four where numbers are packed as places ---

    const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const number = (value, digits = 6) => {
        if (value === null) return "";
        if (!Number.isFinite(value)) return String(value).replace("Infinity", "inf").replace("NaN", "nan");
        return String(Number(value.toPrecision(digits)));
    };
    const digitsOf = (figure) => (figure.steps.length > 1 ? 4 : 6);
    const table = (header, rows) => [header.map(field), ...rows].map((row) => row.join(",") + "\n").join("");

    const csv = {
        table: (figure) => figure.csv,
        lines(figure) {
            const stepped = figure.steps.length > 0;
            const header = [...(stepped ? [figure.stepLabel] : []), figure.x, ...figure.series.map((series) => series.name)];
            return table(header, figure.blocks.flatMap((block) => blockRows(figure, block).map((row) => [
                ...(stepped ? [block.step === null ? "" : block.step] : []), number(row.x),
                ...figure.series.map((_, i) => number(row["s" + i])),
            ])));
        },
        map(figure) {
            const stepped = figure.steps.length > 0;
            const rows = figure.frames.flatMap((_, frame) => mapValues(figure, frame).map((value, k) => [
                ...(stepped ? [figure.steps[frame]] : []), number(figure.xAt[k % figure.xAt.length]),
                number(figure.yAt[Math.floor(k / figure.xAt.length)]), number(value, digitsOf(figure)),
            ]));
            const wanted = figure.sparse ? rows.filter((row) => row.at(-1) !== "nan") : rows;
            return table([...(stepped ? [figure.stepLabel] : []), figure.x, figure.y, figure.value], wanted);
        },
        graph(figure) {
            const { words, nodes, edges } = figure;
            const stepped = figure.steps.length > 0;
            const digits = digitsOf(figure);
            const header = ["item", "from", "to", "name", "operation", "shape", "time step", "norm of value", "norm of gradient"];
            const rows = figure.frames.flatMap((_, frame) => {
                const numbers = graphNumbers(figure, frame);
                const step = stepped ? [figure.steps[frame]] : [];
                return [
                    ...nodes.name.map((name, k) => [...step, "node", k, "", field(words[name]), field(words[nodes.operation[k]]),
                        field(words[nodes.shape[k]]), nodes.time[k] < 0 ? "" : nodes.time[k], number(numbers.value[k], digits), number(numbers.gradient[k], digits)]),
                    ...edges.from.map((from, k) => [...step, "edge", from, edges.to[k], "", "", "", "", "", number(numbers.edges[k], digits)]),
                ];
            });
            return table([...(stepped ? [figure.stepLabel] : []), ...header], rows);
        },
    };

    return { lineRows, mapValues, graphNumbers, csv: (figure) => csv[figure.kind](figure) };
})();
