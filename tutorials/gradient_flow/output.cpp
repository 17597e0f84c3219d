#include "gradient_flow/output.hpp"

#include <ebb/inspect/number_text.hpp>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "gradient_flow/figures.hpp"
#include "gradient_flow/options_json.hpp"
#include "gradient_flow/report_folder.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {
namespace {

using ebb::inspect::format_integer;

constexpr std::size_t shown_distances[] = {1, 10, 50, 100};

std::string whole(std::size_t number) {
    return format_integer(static_cast<double>(number));
}

std::string cell_titles(const std::vector<Cell>& cells) {
    std::vector<const char*> titles;
    for (const Cell cell : cells) titles.push_back(title_of(cell));
    return fmt::to_string(fmt::join(titles, ", "));
}

std::string init_text(const Options& options) {
    std::string text = fmt::format("recurrent matrices {}", name_of(options.init));
    if (options.gain) text += fmt::format(", times {}", *options.gain);
    if (options.spectral_radius) text += fmt::format(", scaled to spectral radius {}", *options.spectral_radius);
    if (options.input_scale != 1) text += fmt::format(", inputs times {}", options.input_scale);
    if (options.forget_bias) text += fmt::format(", forget bias {}", *options.forget_bias);
    return text;
}

/// "1.2e-27", "0.034", "12.3": what fits in seven columns.
std::string norm_text(double norm) {
    if (norm == 0) return "0";
    if (norm >= 0.001 && norm < 1000) return fmt::format("{:.3g}", norm);
    return fmt::format("{:.1e}", norm);
}

std::string steps_text(double steps) {
    return steps < 100 ? fmt::format("{:.1f}", steps) : fmt::format("{:.0f}", steps);
}

std::string half_life(const std::optional<Decay>& decay) {
    if (!decay) return "-";
    const std::string steps = steps_text(std::abs(decay->half_life()));
    return decay->falls() ? steps : "+" + steps;
}

std::string factor_text(const std::vector<double>& norms) {
    const std::optional<Decay> decay = fit_decay(norms);
    return decay ? fmt::format("{:.3f}", decay->factor) : std::string("-");
}

/// Why the measured factor is not the mean gate, in three columns and a word: the difference, the part of it that the
/// gates make by themselves, and the rest, which has gone through W_hh.
std::string difference_text(const Measurement& flow) {
    const std::optional<Decay> measured = fit_decay(flow.carried()), alone = fit_decay(flow.gates_alone);
    if (!measured || !alone) return fmt::format("{:>10}   {:>11}   {:>10}", "-", "-", "-");
    const double whole = measured->factor - flow.mean_gate, by_gates = alone->factor - flow.mean_gate,
                 by_matrix = measured->factor - alone->factor;
    const char* const why = std::abs(whole) < 0.01                     ? "yes, to 0.01"
                            : std::abs(by_gates) > std::abs(by_matrix) ? "no, more by the gates"
                                                                       : "no, more by W_hh";
    return fmt::format("{:>+10.3f}   {:>+11.3f}   {:>+10.3f}   {}", whole, by_gates, by_matrix, why);
}

/// Calls `row` for each cell before and after training.
template <class Row>
void each_row(const CellResult& result, Row row) {
    row(result.stops.front(), title_of(result.cell), "untrained");
    if (result.stops.size() > 1) row(result.stops.back(), "", "trained");
}

std::string summary_text(const Experiment& experiment) {
    std::string text = fmt::format(
        "Loss, in bits per character. Knowing nothing costs {:.2f}, knowing how often each\n"
        "character occurs {:.2f}.\n"
        "||dL/dh||, the norm of the gradient d steps before the last of {} characters,\n"
        "of the loss at that character alone. Measured in double, L the mean over {}\n"
        "held-out sequence{}.\n\n",
        uniform_bits(experiment.corpus.value()), frequency_bits(experiment.corpus.value()), experiment.options.length,
        experiment.measured_sequences, experiment.measured_sequences == 1 ? "" : "s");
    text += fmt::format("{:<26} {:^13} {:^32}{:>7}\n", "", "loss on text", "||dL/dh|| at distance", "half-");
    text += fmt::format("{:<4} {:>10}  {:<9} {:>7}{:>6}{:>8}{:>8}{:>8}{:>8}{:>7}\n", "cell", "parameters", "weights",
                        "trained", "other", "d = 1", "10", "50", "100", "life");
    for (const CellResult& result : experiment.cells)
        each_row(result, [&](const Stop& stop, const char* cell, const char* weights) {
            text +=
                fmt::format("{:<4} {:>10}  {:<9} {:>7.2f}{:>6.2f}", cell, *cell ? whole(result.parameter_count) : "",
                            weights, bits(stop.training_loss), bits(stop.test.loss));
            for (const std::size_t d : shown_distances)
                text += fmt::format("{:>8}", d < stop.flow.hidden.size() ? norm_text(stop.flow.hidden[d]) : "-");
            text += fmt::format("{:>7}\n", half_life(fit_decay(stop.flow.hidden)));
        });
    text += fmt::format(
        "\nHalf-life, in steps: ln 2 / rate of decay, by the straight line that fits\n"
        "ln ||dL/dh|| best over d = {}. \"+N\": it grows, and doubles in N steps.\n",
        fit_range(experiment));
    return text;
}

std::string decay_text(const Experiment& experiment) {
    std::string text = "The factor by which the gradient changes on a step back, beside what theory says\n";
    bool gated = false;
    for (const CellResult& result : experiment.cells) {
        if (result.cell != Cell::tanh) {
            gated = true;
            continue;
        }
        text += fmt::format("\n{:<4} {:<9} {:<9} {:>8}   {:>16}   {:>24}\n", "cell", "weights", "of", "measured",
                            "sigma_max(W_hh)", "spectral radius of W_hh");
        each_row(result, [&](const Stop& stop, const char* cell, const char* weights) {
            text +=
                fmt::format("{:<4} {:<9} {:<9} {:>8}   {:>16.3f}   {:>24.3f}\n", cell, weights, "||dL/dh||",
                            factor_text(stop.flow.hidden), stop.flow.largest_singular_value, stop.flow.spectral_radius);
        });
        text +=
            "  No step can exceed sigma_max (Pascanu et al. 2013): below 1 the gradient must\n"
            "  vanish; above 1 it may grow, and need not.\n";
    }
    if (!gated) return text;
    text += fmt::format("\n{:<4} {:<9} {:<9} {:>8}   {:>11}   {:>9}   {:>17}\n", "cell", "weights", "of", "measured",
                        "gates alone", "mean gate", "exp(mean ln gate)");
    for (const CellResult& result : experiment.cells)
        if (result.cell != Cell::tanh)
            each_row(result, [&](const Stop& stop, const char* cell, const char* weights) {
                text +=
                    fmt::format("{:<4} {:<9} {:<9} {:>8}   {:>11}   {:>9.3f}   {:>17.3f}\n", cell, weights,
                                result.cell == Cell::lstm ? "||dL/dc||" : "||dL/dh||", factor_text(stop.flow.carried()),
                                factor_text(stop.flow.gates_alone), stop.flow.mean_gate, stop.flow.geometric_gate);
            });
    text += fmt::format("\nIs the factor the mean gate?\n{:<4} {:<9} {:>10}   {:>11}   {:>10}   {}\n", "cell",
                        "weights", "difference", "gates alone", "by W_hh", "do they agree?");
    for (const CellResult& result : experiment.cells)
        if (result.cell != Cell::tanh)
            each_row(result, [&](const Stop& stop, const char* cell, const char* weights) {
                text += fmt::format("{:<4} {:<9} {}\n", cell, weights, difference_text(stop.flow));
            });
    text +=
        "  On the state's direct way each step multiplies the gradient by a gate: the\n"
        "  forget gate of an LSTM, the update gate of a GRU. \"Gates alone\" follows that\n"
        "  way unit by unit; the units whose gates are most open outlast the mean. The\n"
        "  rest of what is measured has gone through W_hh, which may add to it or cancel\n"
        "  some.\n";
    return text;
}

/// The cells in the order that was measured.
std::string order_text(const Experiment& experiment) {
    if (experiment.cells.size() < 2) return "";
    std::vector<std::pair<double, std::string>> reach, loss;
    for (const CellResult& result : experiment.cells) {
        const Stop& last = result.stops.back();
        if (const std::optional<Decay> decay = fit_decay(last.flow.hidden))
            reach.emplace_back(-decay->factor, fmt::format("{} ({} {})", title_of(result.cell),
                                                           decay->falls() ? "half-life" : "doubles in",
                                                           steps_text(std::abs(decay->half_life()))));
        loss.emplace_back(bits(last.test.loss),
                          fmt::format("{} ({:.2f})", title_of(result.cell), bits(last.test.loss)));
    }
    const auto in_order = [](std::vector<std::pair<double, std::string>>& list) {
        std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        std::vector<std::string> names;
        for (const auto& entry : list) names.push_back(entry.second);
        return fmt::to_string(fmt::join(names, ", "));
    };
    const char* const when = experiment.cells.front().stops.size() > 1 ? "After" : "Before";
    std::string text = fmt::format("{} training", when);
    if (!reach.empty()) text += fmt::format(", the gradient reaches farthest in\n  {},\nand", in_order(reach));
    text += fmt::format(" the loss on text that was not trained on is lowest in\n  {}.\n", in_order(loss));
    text +=
        "This is one run with one seed: initialisation, sizes, text and seed can all\n"
        "change the order. Repeat before you conclude.\n";
    return text;
}

}  // namespace

std::string describe(const Options& options, const Corpus& corpus) {
    return fmt::format(
        "Text      {}\n"
        "          {} characters, {} different ones; the last tenth is not trained on\n"
        "Cells     {}, each with {} hidden units; a character is {} numbers\n"
        "          {}; seed {}\n"
        "Training  {} steps of Adam, each on {} sequences of {} characters\n"
        "          learning rate {}, {}, in {}\n",
        corpus.name, whole(corpus.text.size()), corpus.alphabet.size(), cell_titles(options.cells),
        whole(options.hidden), whole(options.embedding), init_text(options), options.seed, whole(options.steps),
        whole(options.batch), whole(options.length), options.learning_rate,
        options.clip > 0 ? fmt::format("gradients clipped to norm {}", options.clip) : "no clipping",
        name_of(options.precision));
}

std::string results_text(const Experiment& experiment, const ebb::inspect::TerminalOptions& terminal) {
    // Without the stops before the last, for which the axis would have to reach as well.
    ebb::inspect::LineFigure figure = gradient_figure(experiment);
    figure.frames.erase(figure.frames.begin(), figure.frames.end() - 1);
    return fmt::format("{}\n{}\n{}\n{}", summary_text(experiment), decay_text(experiment),
                       ebb::inspect::to_terminal(figure, terminal), order_text(experiment));
}

std::string save_results(const Experiment& experiment) {
    const Options& options = experiment.options;
    return save_report(make_report(experiment), options.out, "options.json",
                       {{"program", "gradient_flow"},
                        {"version", EBB_VERSION},
                        {"command", experiment.command},
                        {"options", as_json(options)},
                        {"text", as_json(experiment.corpus.value())}});
}

}  // namespace lab
