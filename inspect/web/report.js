// The report's page comes to life: figures are drawn, and their controls get their work. Without the libraries (see
// template.html) the still pictures remain, and what can be done with them is done.

(() => {
    const { root, isDark, save } = ebb.page;
    const { formatNumber } = ebb.numbers;
    const entries = JSON.parse(document.getElementById("ebb-data").textContent).map((entry) => ({ ...entry, section: document.getElementById(entry.id) }));
    const figures = entries.filter((entry) => entry.kind !== "table");
    const hasLibraries = typeof vega === "object" && typeof vegaLite === "object";
    const drawers = { lines: ebb.lines, map: ebb.maps, graph: ebb.graph };
    const hasSteps = (figure) => figure.steps.length > 1;

    // --- the theme ---

    const systemDark = matchMedia("(prefers-color-scheme: dark)");
    const themeButton = document.getElementById("ebb-theme");

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

    // --- drawing ---

    async function draw(figure) {
        const { section } = figure;
        const plot = section.querySelector(".plot");
        const fills = document.fullscreenElement === section;
        const scale = fills ? Math.min(2.2, Math.max(1.2, innerHeight / 620)) : 1;
        if (figure.view) figure.view.finalize();
        section.classList.add("live");
        figure.stale = false;
        plot.textContent = "";
        plot.style.height = "";
        const width = plot.clientWidth;
        figure.narrow = width < 480;
        const half = section.classList.contains("half");
        await drawers[figure.kind].draw(figure, plot, scale, (spec) => {
            if (fills && spec.autosize) spec.autosize.type = "fit";
            spec.height = fills ? Math.max(200, plot.clientHeight - 8) : half ? 300 : Math.round(Math.min(420, Math.max(290, width * 0.42)));
        });
    }

    function showNote(figure) {
        const note = figure.notes ? figure.notes[figure.frame] : "";
        figure.section.querySelector(".note").textContent = hasLibraries ? note : "";
    }

    // --- sliders: all over one training move together, each to its last stop that is not after the chosen step ---

    function showFrame(figure, frame) {
        figure.frame = frame;
        const text = formatNumber(figure.steps[frame]);
        const input = figure.section.querySelector(".slider input");
        input.value = frame;
        input.setAttribute("aria-valuetext", text);
        figure.section.querySelector(".slider output").textContent = text;
        showNote(figure);
        figure.stale = true;
        refresh(figure);
    }

    // What nobody sees is drawn when it comes into view: a page of many figures follows the slider at once.
    function refresh(figure) {
        if (!figure.stale || !figure.seen || !figure.view) return;
        figure.stale = false;
        drawers[figure.kind].showFrame(figure);
    }
    const watch = new IntersectionObserver((changes) => {
        for (const { target, isIntersecting } of changes) {
            const figure = figures.find((one) => one.section === target);
            figure.seen = isIntersecting;
            refresh(figure);
        }
    }, { rootMargin: "200px" });

    function moveTo(figure, frame) {
        const step = figure.steps[frame];
        for (const other of figures) {
            if (!hasSteps(other) || other.stepLabel !== figure.stepLabel) continue;
            const stop = other === figure ? frame : Math.max(0, other.steps.findLastIndex((one) => one <= step));
            if (stop !== other.frame) showFrame(other, stop);
        }
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

    // --- downloads ---

    async function saveSvg(figure) {
        const { paperView, svg } = drawers[figure.kind];
        if (hasLibraries && svg) return save(figure.id + ".svg", "image/svg+xml", svg(figure));
        if (!hasLibraries) return save(figure.id + ".svg", "image/svg+xml", figure.section.querySelector(".still").innerHTML);
        const view = paperView(figure);
        save(figure.id + ".svg", "image/svg+xml", await view.toSVG());
        view.finalize();
    }

    // Twice as large, as the pictures of Vega are.
    async function drawn(svg) {
        const image = new Image();
        image.src = "data:image/svg+xml," + encodeURIComponent(svg);
        await image.decode();
        const canvas = Object.assign(document.createElement("canvas"), { width: 2 * image.width, height: 2 * image.height });
        canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
        return canvas;
    }

    async function savePng(figure) {
        const { paperView, svg } = drawers[figure.kind];
        const view = svg ? undefined : paperView(figure);
        const canvas = await (svg ? drawn(svg(figure)) : view.toCanvas(2));
        canvas.toBlob((blob) => save(figure.id + ".png", "image/png", blob));
        if (view) view.finalize();
    }

    function act(entry, button) {
        switch (button.dataset.do) {
            case "svg":
                return saveSvg(entry);
            case "png":
                return savePng(entry);
            case "csv":
                return save(entry.id + ".csv", "text/csv", ebb.data.csv(entry));
            case "play":
                return togglePlay(entry, button);
            case "enlarge":
                return document.fullscreenElement ? document.exitFullscreen() : entry.section.requestFullscreen();
        }
    }

    // --- all together ---

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
        figure.frame = Math.max(0, (figure.steps.length || 1) - 1);
        figure.off = new Set();
        showNote(figure);
        watch.observe(figure.section);
        const input = figure.section.querySelector(".slider input");
        if (input) input.addEventListener("input", () => moveTo(figure, Number(input.value)));
    }
    const changeTheme = (dark) => {
        setTheme(dark);
        if (hasLibraries) drawAll();
    };
    themeButton.addEventListener("click", () => {
        changeTheme(!isDark());
        stored(isDark() ? "dark" : "light");
    });
    systemDark.addEventListener("change", () => {
        if (!stored()) changeTheme(systemDark.matches);
    });

    if (!hasLibraries) return;
    for (const figure of figures) {
        const plot = figure.section.querySelector(".plot");
        plot.tabIndex = 0;
        plot.addEventListener("keydown", (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            const words = drawers[figure.kind].key(figure, event);
            if (words === undefined) return;
            event.preventDefault();
            figure.section.querySelector(".spoken").textContent = words;
        });
        plot.addEventListener("blur", ebb.page.hideTooltip);
    }
    document.addEventListener("fullscreenchange", () => drawAll());
    let redraw;
    addEventListener("resize", () => {
        clearTimeout(redraw);
        redraw = setTimeout(() => {
            for (const figure of figures)
                if (figure.kind === "graph" || document.fullscreenElement === figure.section ||
                    figure.narrow !== figure.section.querySelector(".plot").clientWidth < 480) draw(figure);
        }, 120);
    });
    // What stands first is drawn first; the page stays quick to the touch in between.
    (async () => {
        for (const figure of figures) {
            await draw(figure);
            if (figure === figures[0]) performance.mark("ebb-first");
            await new Promise((resume) => setTimeout(resume));
        }
        performance.mark("ebb-all");
        root.dataset.ready = "true";
    })();
})();
