#pragma once
/// Figures with the shapes of true ones, for a look at the report and for its test in a browser: three cells over 100
/// time steps, at 21 moments of training.

#include <ebb/inspect/figure.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ebb::inspect::sample {

/// Noise that is the same on every machine: uniform in [-1, 1).
class Noise {
  public:
    explicit Noise(std::uint64_t seed) : state_(seed * 2654435761U + 12345) {}
    double operator()() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<double>(state_ >> 11U) / 4503599627370496.0 - 1.0;
    }

  private:
    std::uint64_t state_;
};

inline constexpr std::size_t steps = 100;  // T
inline constexpr std::size_t frames = 21;

struct CellModel {
    std::string name;
    double decay_before;  // of the gradient per time step, as a natural logarithm
    double decay_after;
    double level;
    double loss_floor;
};
inline std::vector<CellModel> cells() {
    return {{"tanh", -0.62, -0.23, 0.9, 2.31}, {"LSTM", -0.66, -0.082, 0.5, 1.72}, {"GRU", -0.55, -0.105, 0.6, 1.81}};
}

inline std::vector<double> times() {
    std::vector<double> t(steps);
    for (std::size_t i = 0; i < steps; ++i) t[i] = static_cast<double>(i + 1);
    return t;
}

inline std::vector<double> gradient_norms(const CellModel& cell, double progress, std::uint64_t seed) {
    Noise noise(seed);
    std::vector<double> norms(steps);
    const double decay = cell.decay_before + (cell.decay_after - cell.decay_before) * (1 - std::exp(-4 * progress));
    double wander = 0;
    for (std::size_t back = 0; back < steps; ++back) {
        wander = 0.96 * wander + 0.16 * noise();
        norms[steps - 1 - back] =
            0.011 * cell.level * (1 + 0.7 * progress) * std::exp(decay * static_cast<double>(back) + wander);
    }
    return norms;
}

inline LineFigure gradient_figure() {
    LineFigure figure;
    figure.title = "Gradient norm through time";
    figure.caption =
        "How much of the loss's gradient reaches the hidden state at each time step. The loss is at the right; a "
        "straight "
        "line downwards to the left is a gradient that falls by the same factor at every step back.";
    figure.x = {.label = "time step t"};
    figure.y = {.label = "‖∂L/∂hₜ‖", .unit = {}, .scale = Scale::log};
    for (std::size_t f = 0; f < frames; ++f) {
        Frame frame{static_cast<std::int64_t>(f * 50), {}};
        const double progress = static_cast<double>(f) / static_cast<double>(frames - 1);
        for (const CellModel& cell : cells())
            frame.series.push_back({cell.name, times(), gradient_norms(cell, progress, 7 + f)});
        figure.frames.push_back(frame);
    }
    for (const CellModel& cell : cells())
        figure.series.push_back(
            {cell.name + " before training", times(), gradient_norms(cell, 0, 7), LineStyle::reference, cell.name});
    return figure;
}

inline LineFigure loss_figure() {
    LineFigure figure;
    figure.title = "Loss";
    figure.caption = "Cross entropy of the next character, one value for each training step.";
    figure.x = {.label = "training step"};
    figure.y = {.label = "loss", .unit = "bits per character"};
    std::uint64_t seed = 3;
    for (const CellModel& cell : cells()) {
        Noise noise(++seed);
        Series series{cell.name, {}, {}};
        for (int step = 0; step <= 1000; step += 5) {
            const double way = 1 - std::exp(-step / 160.0) * 0.75 - std::exp(-step / 900.0) * 0.25;
            series.x.push_back(step);
            series.y.push_back(6.1 + (cell.loss_floor - 6.1) * way + 0.09 * noise() * (0.4 + way));
        }
        figure.series.push_back(series);
    }
    return figure;
}

inline LineFigure gate_figure(const std::string& cell, const std::vector<std::string>& gates) {
    LineFigure figure;
    figure.title = cell + ": mean gate activation";
    figure.caption = "The mean over units and batch of each gate, at each time step: 1 is open, 0 is closed.";
    figure.x = {.label = "time step t"};
    figure.y = {.label = "mean activation", .unit = {}, .scale = Scale::linear, .min = 0.0, .max = 1.0};
    for (std::size_t f = 0; f < frames; ++f) {
        const double progress = static_cast<double>(f) / static_cast<double>(frames - 1);
        Frame frame{static_cast<std::int64_t>(f * 50), {}};
        for (std::size_t gate = 0; gate < gates.size(); ++gate) {
            Noise noise(gate * 31 + 5);
            const double target = 0.38 + 0.22 * static_cast<double>(gate);
            Series series{gates[gate], times(), {}};
            double wander = 0;
            for (std::size_t t = 0; t < steps; ++t) {
                wander = 0.7 * wander + 0.05 * noise();
                series.y.push_back(0.5 + (target - 0.5) * progress + wander * (0.3 + progress));
            }
            frame.series.push_back(series);
        }
        figure.frames.push_back(frame);
    }
    return figure;
}

inline HeatMap unit_map() {
    HeatMap map;
    map.title = "Gradient by unit, LSTM";
    map.caption = "The mean of |∂L/∂hₜ| over the batch, for each hidden unit and time step.";
    map.x = {.label = "time step t"};
    map.y = {.label = "unit"};
    map.value = {.label = "|∂L/∂hₜ|", .unit = {}, .scale = Scale::log};
    map.x_at = times();
    for (std::size_t unit = 0; unit < 32; ++unit) map.y_at.push_back(static_cast<double>(unit));
    for (std::size_t unit = 0; unit < 32; ++unit) {
        Noise noise(unit + 99);
        const double decay = -0.04 - 0.06 * (1 + noise());
        for (std::size_t t = 0; t < steps; ++t)
            map.values.push_back(0.004 * std::exp(decay * static_cast<double>(steps - 1 - t) + 0.8 * noise()));
    }
    return map;
}

/// Five seeds a cell, as medians with their range.
inline LineFigure seed_figure() {
    LineFigure figure;
    figure.title = "Gradient norm over five seeds";
    figure.caption = "The median, and the range from the smallest to the largest of five runs.";
    figure.x = {.label = "time step t"};
    figure.y = {.label = "‖∂L/∂hₜ‖", .unit = {}, .scale = Scale::log};
    for (const CellModel& cell : cells()) {
        std::vector<std::vector<double>> runs;
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            CellModel other = cell;
            other.decay_after *= 1 + 0.06 * (static_cast<double>(seed) - 2);
            runs.push_back(gradient_norms(other, 1, 70 + seed));
        }
        figure.series.push_back(median_and_range(cell.name, times(), runs));
    }
    return figure;
}

/// ||dL_k/dh_t|| for k >= t, at three moments of training.
inline HeatMap triangle_map() {
    HeatMap map;
    map.title = "Which loss reaches which step";
    map.caption = "Row k is the loss at step k, column t the state that its gradient has come back to.";
    map.x = {.label = "time step t"};
    map.y = {.label = "loss k", .reversed = true};
    map.value = {.label = "‖∂Lₖ/∂hₜ‖", .unit = {}, .scale = Scale::log};
    map.sparse = true;
    constexpr std::size_t size = 60;
    for (std::size_t t = 0; t < size; ++t) map.x_at.push_back(static_cast<double>(t));
    map.y_at = map.x_at;
    for (std::int64_t f = 0; f < 3; ++f) {
        MapFrame frame{f * 500, {}};
        for (std::size_t k = 0; k < size; ++k)
            for (std::size_t t = 0; t < size; ++t)
                frame.values.push_back(
                    t > k ? std::nan("")
                          : 0.01 * std::exp((-0.4 + 0.12 * static_cast<double>(f)) * static_cast<double>(k - t)));
        map.frames.push_back(frame);
    }
    return map;
}

/// A valley with a cliff.
inline HeatMap surface_map() {
    HeatMap map;
    map.title = "Loss surface";
    map.caption = "The loss along two directions from the trained weights.";
    map.x = {.label = "along the first direction"};
    map.y = {.label = "along the second direction"};
    map.value = {.label = "loss"};
    map.contours = 7;
    for (int i = 0; i <= 40; ++i) map.x_at.push_back(-1 + 0.05 * i);
    map.y_at = map.x_at;
    for (const double y : map.y_at)
        for (const double x : map.x_at)
            map.values.push_back(0.3 + 0.4 * x * x + 0.2 * y * y + 1.2 / (1 + std::exp(-25 * (x + 0.4 * y - 0.35))));
    return map;
}

inline Table result_table() {
    Table table;
    table.title = "The cells side by side";
    table.caption = "Norms of the gradient at distances from the last time step, after training.";
    table.columns = {{"cell"},    {"parameters"}, {"loss", "bits/char"}, {"‖∂L/∂hₜ‖ 1 step back"},
                     {"10 back"}, {"50 back"},    {"99 back"},           {"half-life", "steps"}};
    double parameters = 10817;
    for (const CellModel& cell : cells()) {
        const std::vector<double> norms = gradient_norms(cell, 1, 7 + frames - 1);
        table.rows.push_back({cell.name, parameters, cell.loss_floor, norms[98], norms[89], norms[49], norms[0],
                              std::log(2.0) / -cell.decay_after});
        parameters += 12608;
    }
    return table;
}

}  // namespace ebb::inspect::sample
