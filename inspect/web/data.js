// The packed numbers of a figure (page_data.cpp), as rows for Vega and as CSV.

ebb.data = (() => {
    // Stands for a cell that a table leaves empty: the largest float32.
    const absent = 3.4028234663852886e38;

    function floats(text) {
        const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        return new Float32Array(bytes.buffer);
    }

    // On a log scale the logarithms are packed. Absent cells are null.
    function unpack(text, scale) {
        const value = scale === "log" ? Math.exp : (number) => number;
        return Array.from(floats(text), (number) => (number === absent ? null : value(number)));
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
        let values = unpack(packed.values || packed, figure.scale.type);
        if (packed.runs) {
            // How many cells are not there, are, are not ... in turn.
            const there = values;
            let next = 0;
            values = packed.runs.flatMap((count, i) => (i % 2 === 0 ? Array(count).fill(NaN) : there.slice(next, (next += count))));
        }
        return (figure.unpacked[frame] = values);
    }

    // --- CSV, to six digits ---

    const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const number = (value) => {
        if (value === null) return "";
        if (!Number.isFinite(value)) return String(value).replace("Infinity", "inf").replace("NaN", "nan");
        return String(Number(value.toPrecision(6)));
    };
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
                number(figure.yAt[Math.floor(k / figure.xAt.length)]), number(value),
            ]));
            const wanted = figure.sparse ? rows.filter((row) => row.at(-1) !== "nan") : rows;
            return table([...(stepped ? [figure.stepLabel] : []), figure.x, figure.y, figure.value], wanted);
        },
        graph(figure) {
            const { words, nodes, edges } = figure;
            const header = ["item", "from", "to", "name", "operation", "shape", "time step", "norm of value", "norm of gradient"];
            const value = unpack(nodes.value, "log");
            const gradient = unpack(nodes.gradient, "log");
            const flow = unpack(edges.gradient, "log");
            return table(header, [
                ...nodes.name.map((name, k) => ["node", k, "", field(words[name]), field(words[nodes.operation[k]]),
                    field(words[nodes.shape[k]]), nodes.time[k] < 0 ? "" : nodes.time[k], number(value[k]), number(gradient[k])]),
                ...edges.from.map((from, k) => ["edge", from, edges.to[k], "", "", "", "", "", number(flow[k])]),
            ]);
        },
    };

    return { unpack, lineRows, mapValues, csv: (figure) => csv[figure.kind](figure) };
})();
