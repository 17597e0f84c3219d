// Numbers as people write them, and where an axis puts them; number_text.cpp and ticks.cpp do the same for what C++ draws.
"use strict";

const ebb = {};

ebb.numbers = (() => {
    const minus = "\u2212";
    const raised = "⁰¹²³⁴⁵⁶⁷⁸⁹";
    const lowered = "₀₁₂₃₄₅₆₇₈₉";
    const digits = (n, set) => [...String(Math.abs(n))].map((digit) => set[digit]).join("");
    const superscript = (n) => (n < 0 ? "⁻" : "") + digits(n, raised);
    const subscript = (n) => (n < 0 ? "₋" : "") + digits(n, lowered);
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

    // Ticks at 1, 2 or 5 times a power of ten, about `wanted` of them.
    function linearTicks(low, high, wanted) {
        const raw = (high - low) / wanted;
        const power = 10 ** Math.floor(Math.log10(raw));
        const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
        const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
        const ticks = [];
        for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
            const text = Math.abs(k * step).toFixed(decimals);
            ticks.push({ at: k * step, text: (k < 0 ? minus : "") + withCommas(text) });
        }
        return ticks;
    }

    // Ticks at powers of ten, at some of them when there are many, and at 1, 2, 5 times them when there are few.
    function logTicks(low, high, wanted) {
        const first = Math.ceil(Math.log10(low) - 1e-9);
        const last = Math.floor(Math.log10(high) + 1e-9);
        const stride = Math.max(1, Math.ceil((last - first + 1) / wanted));
        const factors = last - first < 2 ? [1, 2, 5] : [1];
        const plain = low >= 0.999e-3 && high <= 1.001e4; // one way of writing for the whole axis
        const ticks = [];
        for (let power = first - 1; power <= last; ++power)
            for (const factor of factors) {
                const at = Number(`${factor}e${power}`);
                if (power % stride !== 0 || at < low * (1 - 1e-9) || at > high * (1 + 1e-9)) continue;
                ticks.push({ at, text: plain ? formatNumber(at, 1) : `${factor === 1 ? "" : `${factor} × `}10${superscript(power)}` });
            }
        return ticks;
    }

    return { formatNumber, linearTicks, logTicks, subscript };
})();
