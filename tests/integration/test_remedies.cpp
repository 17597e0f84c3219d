/// What `inspect` sees of cells with remedies around and inside of them: what it sees of a plain cell.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/jacobians.hpp>
#include <ebb/layers/cell_wrappers.hpp>
#include <ebb/layers/clockwork.hpp>
#include <ebb/layers/drop_connect.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/regularized_cells.hpp>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

constexpr std::size_t steps = 5, batch = 2, inputs = 3, hidden = 4;

/// A cell in a loop: the flow has each of its states under "h" once, with the gradient that the state itself has.
template <class Cell>
void check_loop(const Cell& cell, std::size_t gates, bool drop_connect = false) {
    manual_seed(3);
    Tape<double> tape;
    std::optional<DropConnect<double>> dropped;
    if (drop_connect) dropped.emplace(cell, 0.3);
    typename detail::StateOf<Cell>::type state;
    std::vector<Variable<double>> states;
    for (std::size_t t = 0; t < steps; ++t) {
        state = cell(tape.constant(randn<double>({batch, inputs})), state);
        states.push_back(detail::parts_of<double>(state)[0]);
    }
    tape.backward(sum(square(states.back())));
    const auto flow = inspect::gradient_flow(tape);
    REQUIRE(flow["h"].grad_norm.size() == steps);
    for (std::size_t t = 0; t < steps; ++t) {
        CHECK(flow["h"].time_step[t] == static_cast<std::int32_t>(t));
        double squares = 0;
        for (const double d : states[t].grad()) squares += d * d;
        CHECK(flow["h"].grad_norm[t] == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
        CHECK(squares > 0);
    }
    constexpr std::size_t parts = detail::part_count<decltype(state), double>();
    CHECK(flow.states().size() == parts);
    CHECK(flow.gates().size() == gates);
}

/// The same cell as a layer, in both directions.
template <class Cell, class Make>
void check_layer(Make make, const std::string& gate) {
    manual_seed(4);
    const Recurrent<Cell> layer({.input_size = inputs, .hidden_size = hidden, .bidirectional = true, .name = "encoder"},
                                make);
    Tape<double> tape;
    const auto output = layer(tape.constant(randn<double>({steps, batch, inputs})), {}, {.lengths = {5, 3}}).output;
    tape.backward(sum(square(output)));
    const auto flow = inspect::gradient_flow(tape);
    for (const std::string name : {"encoder.", "encoder.reverse."}) {
        CHECK(flow[name + "h"].grad_norm.size() == steps);
        CHECK(flow[name + "h"].grad_norm[1] > 0);
        if (!gate.empty()) CHECK(flow.gate(name + gate).mean.size() == steps);
    }
    CHECK(flow.states().size() == 2 * detail::part_count<typename detail::StateOf<Cell>::type, double>());
}

}  // namespace

TEST_CASE("gradient_flow sees a cell with remedies as a plain cell") {
    manual_seed(1);
    const auto lstm = [] { return LSTMCell<double>({.input_size = inputs, .hidden_size = hidden}); };
    const RNNCell<double> rnn({.input_size = inputs, .hidden_size = hidden});
    const RegularizedCellOptions options{
        .input_size = inputs, .hidden_size = hidden, .layer_norm = true, .recurrent_dropout = 0.2};
    check_loop(lstm(), 4);
    check_loop(ZoneoutCell(lstm(), {.h = 0.2, .others = 0.3}), 4);
    check_loop(ZoneoutCell(rnn, {.h = 0.2}), 0);
    check_loop(VariationalDropoutCell(lstm(), {.input = 0.2, .state = 0.2}), 4);
    check_loop(ZoneoutCell(VariationalDropoutCell(lstm(), {.input = 0.2, .state = 0.2})), 4);
    check_loop(RegularizedLSTMCell<double>(options), 4);
    check_loop(RegularizedGRUCell<double>(options), 3);
    check_loop(RegularizedRNNCell<double>({.input_size = inputs, .hidden_size = hidden, .layer_norm = true}), 0);
    check_loop(ZoneoutCell(RegularizedLSTMCell<double>(options)), 4);
    check_loop(lstm(), 4, true);
}

TEST_CASE("and a layer of such cells as a plain layer") {
    const auto lstm = [](std::size_t I, std::size_t H) {
        return LSTMCell<double>({.input_size = I, .hidden_size = H});
    };
    using Zoneout = ZoneoutCell<LSTMCell<double>>;
    using Variational = VariationalDropoutCell<LSTMCell<double>>;
    using Regularized = RegularizedLSTMCell<double>;
    check_layer<Zoneout>([&](std::size_t I, std::size_t H) { return Zoneout(lstm(I, H)); }, "forget_gate");
    check_layer<Variational>(
        [&](std::size_t I, std::size_t H) { return Variational(lstm(I, H), {.input = 0.2, .state = 0.1}); },
        "forget_gate");
    check_layer<Regularized>(
        [](std::size_t I, std::size_t H) {
            return Regularized({.input_size = I, .hidden_size = H, .layer_norm = true});
        },
        "forget_gate");
    using RegularizedRNN = RegularizedRNNCell<double>;
    check_layer<RegularizedRNN>(
        [](std::size_t I, std::size_t H) {
            return RegularizedRNN({.input_size = I, .hidden_size = H, .layer_norm = true});
        },
        "");
    check_layer<ClockworkCell<double>>(
        [](std::size_t I, std::size_t H) { return ClockworkCell<double>({.input_size = I, .hidden_size = H}); }, "");
}

TEST_CASE("the Jacobian measures see the whole state of a wrapped cell, and only that") {
    manual_seed(2);
    const ZoneoutCell zoneout(LSTMCell<double>({.input_size = inputs, .hidden_size = hidden}),
                              {.h = 1, .others = 1});  // dh_T/dh_t = I
    Tape<double> tape;
    LSTMState<double> state{tape.variable(randn<double>({1, hidden})), tape.variable(randn<double>({1, hidden}))};
    for (std::size_t t = 0; t < steps; ++t) state = zoneout(tape.constant(randn<double>({1, inputs})), state);
    const auto spectrum = inspect::jacobian_spectrum(tape, "h");
    CHECK(spectrum.product.size() == steps);
    for (const auto& product : spectrum.product)
        for (const double sigma : product.singular_values) CHECK(sigma == doctest::Approx(1).epsilon(1e-12));
}
