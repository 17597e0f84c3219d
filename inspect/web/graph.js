// The network unrolled through time, drawn by Cytoscape.js in the places that C++ has found: time to the right, depth
// upwards. From afar each step of a cell is one node; from near, each operation. Only what the window shows is drawn, so
// that 500 steps are as quick as 5.

ebb.graph = (() => {
    const { formatNumber, subscript } = ebb.numbers;
    const { colour, showTooltip, hideTooltip } = ebb.page;

    const [inBelow, inStep] = [0, 1]; // GraphPlace
    const [ofState, ofParameter] = [1, 2];
    const mostNodes = 350; // operations at once
    const [around, leastHeight, rowHeight] = [18, 120, 56]; // pixels
    const mostRound = (figure) => (figure.narrow ? 24 : 48); // steps as round nodes; of more each is a bar

    // --- what C++ has packed ---

    // The norms at a stop of the slider.
    function setNumbers(figure) {
        const { value, gradient, edges, stepEdges } = ebb.data.graphNumbers(figure, figure.frame);
        Object.assign(figure.nodes, { norm: gradient, size: value });
        figure.edges.norm = edges;
        figure.stepEdges.norm = stepEdges;
    }

    function prepare(figure) {
        const { nodes, stepNodes: steps } = figure;
        figure.times = [...new Set(steps.time.filter((t) => t >= 0))].sort((a, b) => a - b);
        figure.perStep = nodes.time.filter((t) => t >= 0).length / Math.max(1, figure.times.length);
        figure.weights = false;
        figure.fits = {};
        const last = figure.times.length - 1;
        figure.from = Math.max(0, last + 1 - (figure.narrow ? 8 : 24)); // as many as have names that can be read
        figure.to = last;
        // A short network is shown in all detail at once.
        figure.level = nodes.name.length <= 60 || figure.times.length < 2 ? "operations" : "steps";
    }

    const label = (figure, k) => figure.words[figure.nodes.name[k]] || figure.words[figure.nodes.operation[k]];

    // "h₁₇" for a state called "lstm.h".
    function shortLabel(figure, k) {
        const name = label(figure, k).split(".").pop();
        return figure.nodes.kind[k] === ofState ? name + subscript(figure.nodes.time[k]) : name;
    }

    const inWindow = (figure, t) => t >= figure.times[figure.from] && t <= figure.times[figure.to];

    // --- colours and widths ---

    function look(figure, norm) {
        const at = norm === null ? undefined : ebb.maps.position(figure.scale, norm);
        if (at === undefined) return { fill: colour("missing"), ink: colour("ink"), at: 0, none: true };
        return { fill: `rgb(${ebb.maps.scaleColour(figure.scale, at)})`, ink: at < 0.55 ? "#ffffff" : "#10131a", at };
    }

    function edgeData(figure, id, source, target, norm, scale = 1) {
        const { at, none } = look(figure, norm);
        return { data: { id, source, target, norm, width: scale * (none ? 1 : 1 + 9 * at), faint: none ? 1 : 0 } };
    }

    // --- what is drawn: elements for Cytoscape ---

    function stepElements(figure) {
        const { stepNodes: steps, stepEdges, nodes } = figure;
        const shown = steps.time.map((t) => t < 0 || inWindow(figure, t));
        const inside = steps.x.filter((_, k) => shown[k] && steps.time[k] >= 0);
        const middle = (Math.min(...inside) + Math.max(...inside)) / 2;
        const elements = [];
        // Bars are as high as the picture has room for.
        const bars = figure.to - figure.from + 1 > mostRound(figure);
        const { width, height } = figure.cy.container().getBoundingClientRect();
        const rows = figure.lanes.length + 1;
        const stretch = bars ? ((figure.to - figure.from + 1) * height) / (width * rows) : 1;
        steps.time.forEach((t, k) => {
            if (!shown[k]) return;
            const state = steps.states[k][0];
            const { fill, ink } = look(figure, nodes.norm[state]);
            const named = figure.words[nodes.name[state]];
            const text = nodes.kind[state] === ofState ? shortLabel(figure, state) : named || (t < 0 ? label(figure, state) : "out");
            const size = t < 0 ? { width: 64 * stretch, height: 64 * stretch } : bars ? { width: 112, height: 74 * stretch } : { width: 64, height: 64 };
            const classes = `step ${bars && t >= 0 ? "bar" : ""} ${t < 0 ? "gathers" : ""}`;
            elements.push({ classes, data: { id: "s" + k, label: text, fill, ink, index: k, ...size, font: 26 * (t < 0 ? stretch : 1) }, position: { x: t < 0 ? middle : steps.x[k], y: -steps.y[k] * stretch } });
        });
        stepEdges.from.forEach((from, k) => {
            const to = stepEdges.to[k];
            if (shown[from] && shown[to]) elements.push(edgeData(figure, "e" + k, "s" + from, "s" + to, stepEdges.norm[k], Math.max(1, stretch / 12)));
        });
        return elements;
    }

    function operationElements(figure) {
        const { nodes, edges } = figure;
        const shown = nodes.place.map((place, k) => {
            if (place === inStep) return nodes.time[k] < 0 || inWindow(figure, nodes.time[k]);
            return place === inBelow ? figure.weights || nodes.kind[k] !== ofParameter : true;
        });
        const inside = nodes.x.filter((_, k) => shown[k] && nodes.place[k] === inStep);
        const whole = nodes.x.filter((_, k) => nodes.place[k] === inStep);
        // What belongs to no step stands over the middle of the window.
        const middle = (list) => (Math.min(...list) + Math.max(...list)) / 2;
        const shift = inside.length > 0 ? middle(inside) - middle(whole) : 0;
        const elements = [];
        for (let i = figure.from; i <= figure.to && figure.times.length > 0; ++i) elements.push({ classes: "frame", data: { id: "t" + figure.times[i], label: `t = ${figure.times[i]}` } });
        nodes.name.forEach((_, k) => {
            if (!shown[k]) return;
            const { fill, ink } = look(figure, nodes.norm[k]);
            const framed = nodes.place[k] === inStep && nodes.time[k] >= 0;
            const classes = ["operation", ...(nodes.kind[k] === ofState ? ["state"] : []), ...(nodes.kind[k] === ofParameter ? ["parameter"] : [])];
            elements.push({
                classes: classes.join(" "),
                data: { id: "n" + k, label: label(figure, k), fill, ink, index: k, ...(framed ? { parent: "t" + nodes.time[k] } : {}) },
                position: { x: nodes.x[k] + (nodes.place[k] === inStep ? 0 : shift), y: -nodes.y[k] },
            });
        });
        edges.from.forEach((from, k) => {
            const to = edges.to[k];
            if (shown[from] && shown[to]) elements.push(edgeData(figure, "e" + k, "n" + from, "n" + to, edges.norm[k]));
        });
        return elements;
    }

    const style = () => [
        { selector: "node", style: { "background-color": "data(fill)", label: "data(label)", color: "data(ink)", "text-valign": "center", "font-family": colour("sans"), "min-zoomed-font-size": 5 } },
        { selector: ".step", style: { width: "data(width)", height: "data(height)", "font-size": "data(font)", "text-max-width": 60, "text-wrap": "ellipsis" } },
        { selector: ".bar", style: { shape: "rectangle", label: "" } },
        { selector: ".gathers", style: { "text-max-width": 1e6 } },
        { selector: ".operation", style: { shape: "round-rectangle", width: 104, height: 38, "font-size": 15, "text-max-width": 100, "text-wrap": "ellipsis" } },
        { selector: ".state", style: { "border-width": 3, "border-color": colour("ink"), "font-weight": "bold" } },
        { selector: ".parameter", style: { shape: "rectangle", "border-width": 2, "border-style": "dashed", "border-color": colour("muted") } },
        { selector: ".frame", style: { shape: "round-rectangle", "background-color": colour("wash"), "border-width": 1, "border-color": colour("grid"), color: colour("muted"), "text-valign": "bottom", "text-margin-y": 6, "font-size": 22, padding: 16, events: "no" } },
        { selector: "edge", style: { width: "data(width)", "line-color": colour("axis"), "target-arrow-color": colour("axis"), "target-arrow-shape": "triangle", "arrow-scale": 0.9, "curve-style": "bezier", opacity: 0.8 } },
        { selector: "edge[faint = 1]", style: { "line-style": "dotted", opacity: 0.5 } },
        { selector: ".hover", style: { "line-color": colour("accent"), "target-arrow-color": colour("accent"), "underlay-color": colour("accent"), "underlay-opacity": 0.25, "underlay-padding": 8 } },
        { selector: ".cursor", style: { "border-width": 6, "border-color": colour("accent"), "border-style": "solid" } },
    ];

    // --- values under the pointer and at the cursor ---

    function valueRows(figure, k) {
        const { nodes, words } = figure;
        const rows = [];
        if (words[nodes.name[k]]) rows.push({ name: "operation", value: words[nodes.operation[k]] });
        rows.push({ name: "shape", value: words[nodes.shape[k]] }, { name: "norm of value", value: nodes.size[k] });
        rows.push({ name: "norm of gradient", value: nodes.norm[k] === null ? "none" : nodes.norm[k] });
        return rows;
    }

    function describe(figure, element) {
        if (element.isEdge()) {
            const norm = element.data("norm");
            const ends = [element.source(), element.target()].map((node) => node.data("label"));
            return { caption: `${ends[0]} → ${ends[1]}`, rows: [{ name: "gradient that flows back", value: norm === null ? "none" : norm }] };
        }
        const k = element.data("index");
        const { nodes, stepNodes: steps } = figure;
        if (element.hasClass("operation")) {
            const when = nodes.time[k] >= 0 && nodes.place[k] === inStep ? `, t = ${nodes.time[k]}` : "";
            return { caption: label(figure, k) + when, rows: valueRows(figure, k) };
        }
        const when = steps.time[k] < 0 ? "what gathers the steps" : `${figure.lanes[steps.lane[k]]}, t = ${steps.time[k]}`;
        const states = steps.states[k].filter((state, i, all) => nodes.kind[state] === ofState || i === all.length - 1);
        const rows = states.flatMap((state) => [
            { name: `${label(figure, state)}: norm of gradient`, value: nodes.norm[state] === null ? "none" : nodes.norm[state] },
            { name: `${label(figure, state)}: norm of value`, value: nodes.size[state] },
        ]);
        return { caption: when, rows: [...rows, { name: "nodes of the tape", value: steps.count[k] }] };
    }

    function showValues(figure, element, x, y) {
        const { caption, rows } = describe(figure, element);
        showTooltip(caption, rows, x, y);
        return `${caption}: ${rows.map((row) => `${row.name} ${typeof row.value === "number" ? formatNumber(row.value) : row.value}`).join(", ")}`;
    }

    // --- the controls ---

    function button(text, title, action) {
        const made = document.createElement("button");
        made.type = "button";
        made.textContent = text;
        made.title = title;
        made.setAttribute("aria-label", title);
        made.addEventListener("click", action);
        return made;
    }

    function group(label, ...buttons) {
        const made = document.createElement("div");
        made.setAttribute("role", "group");
        made.setAttribute("aria-label", label);
        made.append(...buttons);
        return made;
    }

    // What the colours and the widths mean.
    function legend(figure) {
        const { scale } = figure;
        const made = document.createElement("div");
        made.className = "graph-scale";
        const bar = document.createElement("div");
        bar.style.background = `linear-gradient(to right, ${scale.colours.join(", ")})`;
        for (const [at, text] of scale.ticks) {
            const tick = document.createElement("span");
            tick.textContent = text;
            tick.style.left = `${100 * ebb.maps.position(scale, at)}%`;
            bar.append(tick);
        }
        const words = document.createElement("p");
        words.textContent = "Colour: norm of the gradient at a node. Thickness of an edge: the gradient that flows back along it, on the same log scale; dotted where none does.";
        made.append(bar, words);
        return made;
    }

    function controls(figure) {
        const level = (name, text, title) => {
            const made = button(text, title, () => setLevel(figure, name));
            made.dataset.level = name;
            return made;
        };
        const weights = button("Weights", "Show the weights and what each step adds to their gradients", () => {
            figure.weights = figure.level === "steps" || !figure.weights;
            figure.level === "steps" ? setLevel(figure, "operations") : show(figure);
        });
        weights.dataset.weights = "";
        const zoom = (factor) => () => zoomBy(figure, factor);
        const bar = document.createElement("div");
        bar.className = "graph-bar";
        const levels = [level("steps", "Steps", "One node for each step"), level("operations", "Operations", "One node for each operation")];
        bar.append(
            group("Detail", ...(figure.times.length > 1 ? levels : []), weights),
            group("Zoom", button("−", "Zoom out", zoom(1 / 1.5)), button("+", "Zoom in", zoom(1.5)), button("Fit", "Fit the window", () => figure.cy.fit(undefined, around))));
        return bar;
    }

    function showState(figure) {
        for (const made of figure.section.querySelectorAll("[data-level]")) made.setAttribute("aria-pressed", String(made.dataset.level === figure.level));
        figure.section.querySelector("[data-weights]").setAttribute("aria-pressed", String(figure.weights && figure.level === "operations"));
        const [first, last] = [figure.times[figure.from], figure.times[figure.to]];
        const what = figure.level === "steps" ? "one node for each step" : "one node for each operation";
        figure.section.querySelector(".window-note").textContent = figure.times.length > 1
            ? `Time steps ${formatNumber(first)} to ${formatNumber(last)} of ${formatNumber(figure.times[0])} to ${formatNumber(figure.times.at(-1))}, ${what}.` : "";
    }

    // All steps as a strip, a row for each cell, to draw the window on.
    function strip(figure) {
        const { stepNodes: steps, nodes } = figure;
        // The readout of one step alone needs no row.
        const inTime = steps.lane.filter((_, k) => steps.time[k] >= 0);
        const lanes = [...new Set(inTime)].filter((lane) => inTime.indexOf(lane) !== inTime.lastIndexOf(lane)).sort((a, b) => b - a);
        const canvas = figure.strip || document.createElement("canvas");
        figure.strip = Object.assign(canvas, { width: figure.times.length, height: lanes.length });
        canvas.setAttribute("aria-hidden", "true");
        const context = canvas.getContext("2d");
        const place = new Map(figure.times.map((t, i) => [t, i]));
        steps.time.forEach((t, k) => {
            if (t < 0 || !lanes.includes(steps.lane[k])) return;
            context.fillStyle = look(figure, nodes.norm[steps.states[k][0]]).fill;
            context.fillRect(place.get(t), lanes.indexOf(steps.lane[k]), 1, 1);
        });
        return canvas;
    }

    // --- level and window ---

    const mostSteps = (figure) => Math.max(1, Math.floor(mostNodes / Math.max(1, figure.perStep)));

    function setLevel(figure, level) {
        figure.level = level;
        if (level === "operations") {
            // As many steps as can be told apart, about the cursor or at the end of the window.
            const wanted = Math.min(figure.to - figure.from + 1, mostSteps(figure), figure.narrow ? 3 : 8);
            const cursor = figure.cursorTime === undefined ? figure.to : figure.times.indexOf(figure.cursorTime);
            figure.to = Math.min(figure.to, Math.max(figure.from + wanted - 1, cursor + Math.floor(wanted / 2)));
            figure.from = figure.to - wanted + 1;
        }
        show(figure);
    }

    function setWindow(figure, from, to) {
        figure.from = from;
        figure.to = to;
        if (figure.level === "operations" && to - from + 1 > mostSteps(figure)) figure.level = "steps";
        show(figure);
    }

    function zoomBy(figure, factor, at) {
        const { cy } = figure;
        const zoom = cy.zoom() * factor;
        if (figure.times.length > 1 && figure.level === "steps" && 64 * zoom > 130) {
            // So near that there is more to see: the steps that are still in view, by operations.
            const { x1, x2 } = cy.extent();
            const seen = cy.nodes(".step").filter((node) => node.position("x") > x1 && node.position("x") < x2 && figure.stepNodes.time[node.data("index")] >= 0);
            const times = seen.map((node) => figure.times.indexOf(figure.stepNodes.time[node.data("index")]));
            if (times.length > 0) [figure.from, figure.to] = [Math.min(...times), Math.max(...times)];
            return setLevel(figure, "operations");
        }
        if (figure.times.length > 1 && figure.level === "operations" && 104 * zoom < 22) return setLevel(figure, "steps");
        cy.zoom({ level: zoom, renderedPosition: at || { x: cy.width() / 2, y: cy.height() / 2 } });
    }

    // The box is as high as the network needs when it fills the width. At one level of detail it stays so while the
    // window moves: what lies below would jump.
    function fitHeight(figure) {
        const { cy, level } = figure;
        const width = cy.width();
        const known = figure.fits[level];
        if (!known || known.width !== width) {
            const box = cy.elements().boundingBox();
            const bars = cy.nodes(".bar").nonempty(); // which fill any height
            const needed = bars ? rowHeight * (figure.lanes.length + 1) : (box.h * (width - 2 * around)) / box.w;
            const most = Math.max(figure.mostHeight, Math.min(640, 0.8 * innerHeight));
            figure.fits[level] = { width, height: Math.round(Math.max(leastHeight, Math.min(most, needed + 2 * around))) };
        }
        cy.container().style.height = `${figure.fits[level].height}px`;
        cy.resize();
    }

    const elementsNow = (figure) => (figure.level === "steps" ? stepElements : operationElements)(figure);

    // Another stop of the slider: other colours and widths in the same places.
    function showFrame(figure) {
        setNumbers(figure);
        hideTooltip();
        const { cy, cursor } = figure;
        const [zoom, pan] = [cy.zoom(), { ...cy.pan() }];
        cy.batch(() => {
            cy.elements().remove();
            cy.add(elementsNow(figure));
        });
        cy.viewport({ zoom, pan });
        if (cursor) figure.cursor = cy.getElementById(cursor.id()).addClass("cursor");
        if (figure.brush) strip(figure);
    }

    function show(figure) {
        const { cy } = figure;
        hideTooltip();
        figure.cursor = undefined;
        const fill = () => cy.batch(() => {
            cy.elements().remove();
            cy.add(elementsNow(figure));
        });
        fill();
        if (!figure.fillsScreen) {
            fitHeight(figure);
            if (cy.nodes(".bar").nonempty()) fill(); // bars are as high as the box
        }
        cy.fit(undefined, around);
        if (figure.brush) figure.brush.set(figure.from, figure.to);
        showState(figure);
    }

    // --- arrow keys: from node to node ---

    function nextNode(figure, dx, dy) {
        const { cy, cursor } = figure;
        const nodes = cy.nodes("[index]");
        if (!cursor) {
            const last = nodes.filter((node) => figure.level === "steps" ? figure.stepNodes.time[node.data("index")] === figure.times[figure.to] : node.hasClass("state"));
            return (last.nonempty() ? last : nodes).last();
        }
        const here = cursor.position();
        let best, nearest = Infinity;
        nodes.forEach((node) => {
            const { x, y } = node.position();
            const along = dx * (x - here.x) + dy * (y - here.y);
            const across = Math.abs(dy * (x - here.x)) + Math.abs(dx * (y - here.y));
            const distance = along + 3 * across;
            if (along > 1 && across <= 4 * along && distance < nearest) [best, nearest] = [node, distance];
        });
        return best;
    }

    function moveCursor(figure, node) {
        figure.cy.nodes(".cursor").removeClass("cursor");
        figure.cursor = node.addClass("cursor");
        const k = node.data("index");
        figure.cursorTime = figure.level === "steps" ? figure.stepNodes.time[k] : figure.nodes.time[k];
        if (figure.cursorTime < 0) figure.cursorTime = undefined;
        const { x1, y1, x2, y2 } = figure.cy.extent();
        const { x, y } = node.position();
        if (x < x1 || x > x2 || y < y1 || y > y2) figure.cy.center(node);
        const box = figure.section.querySelector(".plot").getBoundingClientRect();
        const at = node.renderedPosition();
        return showValues(figure, node, box.left + at.x + node.renderedWidth() / 2, box.top + at.y);
    }

    function key(figure, event) {
        const directions = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        if (event.key in directions) {
            const [dx, dy] = directions[event.key];
            const next = nextNode(figure, dx, dy);
            if (next) return moveCursor(figure, next);
            // Beyond the window's edge it moves on.
            const by = dx > 0 ? Math.min(1, figure.times.length - 1 - figure.to) : dx < 0 ? -Math.min(1, figure.from) : 0;
            if (by === 0) return "";
            const { id } = figure.cursor.data();
            setWindow(figure, figure.from + by, figure.to + by);
            const again = figure.cy.getElementById(id);
            figure.cursor = again.nonempty() ? again : undefined;
            return moveCursor(figure, nextNode(figure, dx, dy) || figure.cursor || nextNode(figure, 0, 0));
        }
        const actions = {
            "+": () => zoomBy(figure, 1.5), "-": () => zoomBy(figure, 1 / 1.5), 0: () => figure.cy.fit(undefined, around),
            Enter: () => figure.level === "steps" && setLevel(figure, "operations"),
            Escape: () => (figure.level === "operations" && figure.times.length > 1 ? setLevel(figure, "steps") : hideTooltip()),
        };
        if (!(event.key in actions)) return undefined;
        actions[event.key]();
        return "";
    }

    // --- the figure ---

    function listen(figure, plot) {
        const { cy } = figure;
        cy.on("mouseover", "node[index], edge", (event) => {
            event.target.addClass("hover");
            showValues(figure, event.target, event.originalEvent.clientX, event.originalEvent.clientY);
        });
        cy.on("tap", "node[index]", (event) => moveCursor(figure, event.target));
        cy.on("mouseout", "node, edge", (event) => {
            event.target.removeClass("hover");
            hideTooltip();
        });
        cy.on("dbltap", ".step", (event) => {
            moveCursor(figure, event.target);
            setLevel(figure, "operations");
        });
        if (figure.listens) return;
        figure.listens = true;
        // A page that is scrolled over the graph goes on scrolling.
        plot.addEventListener("wheel", (event) => {
            if (!event.ctrlKey && !event.metaKey && !document.fullscreenElement) return;
            event.preventDefault();
            const box = plot.getBoundingClientRect();
            zoomBy(figure, event.deltaY < 0 ? 1.15 : 1 / 1.15, { x: event.clientX - box.left, y: event.clientY - box.top });
        }, { passive: false });
    }

    function draw(figure, plot, scale, fit) {
        if (!figure.times) prepare(figure);
        setNumbers(figure);
        const size = {};
        fit(size);
        plot.style.height = `${size.height}px`;
        figure.mostHeight = size.height;
        figure.fillsScreen = document.fullscreenElement === figure.section;
        plot.classList.add("graph");
        figure.section.querySelector(".legend").replaceChildren(controls(figure), legend(figure));
        figure.cy = cytoscape({ container: plot, style: style(), layout: { name: "preset" }, userZoomingEnabled: false, boxSelectionEnabled: false, autoungrabify: true, minZoom: 0.005, maxZoom: 4 });
        figure.view = { finalize: () => figure.cy.destroy() };
        listen(figure, plot);
        if (figure.times.length > 1) {
            const place = figure.section.querySelector(".brush-place");
            figure.brush = ebb.page.makeBrush(place, strip(figure), figure.times.length, "Window over time steps",
                (i) => `t = ${figure.times[i]}`, (from, to) => setWindow(figure, from, to));
        }
        show(figure);
    }

    // --- for paper: what is seen, at the slider's stop and in its window ---

    const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
    const tag = (name, attributes, content = "") =>
        `<${name}${Object.entries(attributes).map(([key, value]) => ` ${key}="${typeof value === "number" ? Number(value.toFixed(2)) : escaped(value)}"`).join("")}>${content}</${name}>`;

    // Where a line from a node's middle to another one's ends: at the other one's border.
    function borderPoint(from, to) {
        const [dx, dy] = [from.x - to.x, from.y - to.y];
        const share = to.round ? to.width / 2 / Math.hypot(dx, dy) : Math.min(to.width / 2 / Math.abs(dx), to.height / 2 / Math.abs(dy));
        return { x: to.x + share * dx, y: to.y + share * dy };
    }

    function edgeSvg({ data }, boxes) {
        const [from, to] = [boxes.get(data.source), boxes.get(data.target)];
        const tip = borderPoint(from, to);
        const size = 4 + 2 * data.width;
        const angle = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
        const stroke = { stroke: colour("axis"), "stroke-width": data.width, opacity: data.faint ? 0.5 : 0.8, ...(data.faint ? { "stroke-dasharray": "2 3" } : {}) };
        return tag("line", { x1: from.x, y1: from.y, x2: tip.x, y2: tip.y, ...stroke }) +
            tag("path", { d: `M0 0L${-size} ${size / 2}V${-size / 2}z`, fill: colour("axis"), transform: `translate(${tip.x.toFixed(2)} ${tip.y.toFixed(2)}) rotate(${angle.toFixed(1)})` });
    }

    function nodeSvg({ x, y, width, height, round, bar, classes, data }) {
        const border = /state|parameter/.test(classes) ? { stroke: colour("ink"), "stroke-width": 2, ...(/parameter/.test(classes) ? { "stroke-dasharray": "4 3" } : {}) } : {};
        const shape = round ? tag("circle", { cx: x, cy: y, r: width / 2, fill: data.fill, ...border })
            : tag("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: bar ? 0 : 6, fill: data.fill, ...border });
        const size = Math.min(data.font || 15, (1.6 * width) / Math.max(1, data.label.length));
        return shape + (bar ? "" : tag("text", { x, y: y + 0.35 * size, "font-size": size, "text-anchor": "middle", fill: data.ink }, escaped(data.label)));
    }

    function svg(figure) {
        return ebb.page.onPaper(() => {
            const elements = elementsNow(figure);
            const boxes = new Map(elements.filter(({ position }) => position).map(({ classes, data, position }) => {
                const bar = classes.includes("bar");
                return [data.id, { ...position, width: data.width || 104, height: data.height || 38, bar, round: classes.startsWith("step") && !bar, classes, data }];
            }));
            const around = (list, padding) => ({
                left: Math.min(...list.map(({ x, width }) => x - width / 2)) - padding, right: Math.max(...list.map(({ x, width }) => x + width / 2)) + padding,
                top: Math.min(...list.map(({ y, height }) => y - height / 2)) - padding, bottom: Math.max(...list.map(({ y, height }) => y + height / 2)) + padding,
            });
            const all = around([...boxes.values()], 44);
            const frames = elements.filter(({ classes }) => classes === "frame").map(({ data }) => {
                const { left, right, top, bottom } = around([...boxes.values()].filter((box) => box.data.parent === data.id), 16);
                return tag("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: 8, fill: colour("wash"), stroke: colour("grid") }) +
                    tag("text", { x: (left + right) / 2, y: bottom + 24, "font-size": 20, "text-anchor": "middle", fill: colour("muted") }, escaped(data.label));
            });
            const scale = Math.min(1, 1000 / (all.right - all.left));
            const [width, head] = [Math.ceil(Math.max(520, scale * (all.right - all.left)) + 32), 96];
            const height = Math.ceil(head + scale * (all.bottom - all.top) + 16);
            const graph = frames.join("") + elements.filter(({ data }) => data.source).map((edge) => edgeSvg(edge, boxes)).join("") + [...boxes.values()].map(nodeSvg).join("");
            const step = figure.steps.length > 0 ? `${figure.stepLabel} ${formatNumber(figure.steps[figure.frame])}. ` : "";
            const words = (y, size, fill, text, more = {}) => tag("text", { x: 16, y, "font-size": size, fill, ...more }, escaped(text));
            const stops = figure.scale.colours.map((stop, k, { length }) => tag("stop", { offset: k / (length - 1), "stop-color": stop })).join("");
            const bar = tag("linearGradient", { id: "scale" }, stops) + tag("rect", { x: 30, y: 62, width: 260, height: 8, fill: "url(#scale)" }) +
                words(70, 12, colour("ink"), "norm of gradient", { x: 306 }) + figure.scale.ticks.map(([at, text]) =>
                words(84, 11, colour("muted"), text, { x: 30 + 260 * ebb.maps.position(figure.scale, at), "text-anchor": "middle" })).join("");
            return tag("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}`, "font-family": colour("sans") },
                tag("rect", { width, height, fill: colour("paper") }) + words(26, 17, colour("ink"), figure.title, { "font-weight": "600" }) +
                words(46, 12, colour("muted"), step + figure.section.querySelector(".window-note").textContent) + bar +
                tag("g", { transform: `translate(${(16 - scale * all.left).toFixed(2)} ${(head - scale * all.top).toFixed(2)}) scale(${scale.toFixed(4)})` }, graph));
        });
    }

    return { draw, showFrame, key, svg };
})();
