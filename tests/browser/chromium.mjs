// A small driver of headless Chromium: the DevTools protocol over a pipe, so that neither a port nor a package is needed.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

/// The path of Chromium, or undefined where there is none.
export function findChromium() {
    const folders = (process.env.PATH || "").split(delimiter);
    for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
        for (const folder of folders) if (folder && existsSync(join(folder, name))) return join(folder, name);
    return undefined;
}

export class Chromium {
    #process;
    #profile;
    #waiting = new Map();
    #listeners = [];
    #number = 0;
    #rest = "";
    #ended = null;

    constructor(path) {
        this.#profile = mkdtempSync(join(tmpdir(), "ebb-chromium-"));
        const switches = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            "--disable-features=Translate,MediaRouter", "--force-color-profile=srgb", "--remote-debugging-pipe",
            `--user-data-dir=${this.#profile}`, "about:blank",
        ];
        this.#process = spawn(path, switches, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
        this.#process.on("exit", (code) => this.#end(new Error(`Chromium ended with code ${code}`)));
        this.#process.on("error", (error) => this.#end(error));
        this.#process.stdio[3].on("error", (error) => this.#end(error));
        this.#process.stdio[4].setEncoding("utf8").on("data", (text) => this.#read(text));
    }

    #end(error) {
        this.#ended = error;
        for (const { reject } of this.#waiting.values()) reject(error);
        this.#waiting.clear();
    }

    #read(text) {
        const messages = (this.#rest + text).split("\0");
        this.#rest = messages.pop();
        for (const message of messages.map((one) => JSON.parse(one))) {
            const waiting = this.#waiting.get(message.id);
            if (waiting) {
                this.#waiting.delete(message.id);
                if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
                else waiting.resolve(message.result);
            } else {
                for (const listener of this.#listeners) listener(message);
            }
        }
    }

    send(method, params = {}, sessionId = undefined) {
        if (this.#ended) return Promise.reject(this.#ended);
        const id = ++this.#number;
        return new Promise((resolve, reject) => {
            this.#waiting.set(id, { resolve, reject, method });
            this.#process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
        });
    }

    listen(listener) {
        this.#listeners.push(listener);
    }

    async newPage() {
        const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
        const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
        const page = new Page(this, sessionId, targetId);
        for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(domain + ".enable");
        return page;
    }

    async close() {
        const gone = new Promise((resolve) => this.#process.once("exit", resolve));
        const patience = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
        if (!this.#ended) {
            this.send("Browser.close").catch(() => {});
            await gone;
        }
        clearTimeout(patience);
        rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
}

export class Page {
    complaints = []; // errors and warnings of the console, exceptions
    requests = []; // addresses asked for

    constructor(browser, sessionId, targetId) {
        this.browser = browser;
        this.targetId = targetId;
        this.sessionId = sessionId;
        browser.listen((message) => {
            if (message.sessionId !== sessionId) return;
            const { method, params } = message;
            if (method === "Runtime.exceptionThrown")
                this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
            if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type))
                this.complaints.push(params.args.map((a) => a.value ?? a.description).join(" "));
            if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level))
                this.complaints.push(params.entry.text);
            if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
        });
    }

    send(method, params) {
        return this.browser.send(method, params, this.sessionId);
    }

    close() {
        return this.browser.send("Target.closeTarget", { targetId: this.targetId });
    }

    async size(width, height, scale = 1) {
        await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: width < 600 });
    }

    /// What the reader's system is set to: { "prefers-color-scheme": "dark" }; media is "screen" or "print".
    async media(features, media = "screen") {
        await this.send("Emulation.setEmulatedMedia", {
            media,
            features: Object.entries(features).map(([name, value]) => ({ name, value })),
        });
    }

    async open(path) {
        await this.send("Page.navigate", { url: pathToFileURL(path).href });
        await this.until("document.readyState === 'complete'");
    }

    /// The value of an expression, awaited where it is a promise.
    async value(expression) {
        const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
            expression, awaitPromise: true, returnByValue: true, userGesture: true,
        });
        if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
        return result.value;
    }

    async until(expression, seconds = 30) {
        const end = Date.now() + seconds * 1000;
        while (!(await this.value(expression).catch(() => false))) {
            if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for: ${expression}`);
            await new Promise((resolve) => setTimeout(resolve, 30));
        }
    }

    async press(key, code = key, keyCode = 0) {
        const common = { key, code, windowsVirtualKeyCode: keyCode, nativeVirtualKeyCode: keyCode };
        await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...common });
        await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
    }

    async drag(x1, y1, x2, y2) {
        const send = (type, x, y) => this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", buttons: 1, clickCount: 1 });
        await send("mousePressed", x1, y1);
        for (let i = 1; i <= 5; ++i) await send("mouseMoved", x1 + (i * (x2 - x1)) / 5, y1 + (i * (y2 - y1)) / 5);
        await send("mouseReleased", x2, y2);
    }

    async moveMouse(x, y) {
        await this.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y });
    }

    /// A PNG of one element.
    async picture(selector) {
        const clip = await this.value(`(() => { const { left, top, width, height } = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect();
            return { x: left + scrollX - 12, y: top + scrollY, width: width + 24, height: height + 8, scale: 1 }; })()`);
        const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true, clip });
        return Buffer.from(data, "base64");
    }

    /// A PNG of the screen, or of the whole page.
    async screenshot(whole = false) {
        const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
        return Buffer.from(data, "base64");
    }
}
