/// Zoneout, variational and recurrent dropout, layer normalisation in cells: each by its defining property.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/cell_wrappers.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/layers/regularized_cells.hpp>

#include <cmath>
#include <vector>

#include "layers/module_gradcheck.hpp"
#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

RNNCell<double> rnn_cell() {
    return RNNCell<double>({.input_size = 3, .hidden_size = 4});
}
LSTMCell<double> lstm_cell() {
    return LSTMCell<double>({.input_size = 3, .hidden_size = 4});
}

/// A cell that gives its input and its state back, to see what a wrapper has made of them.
struct Echo : Module<double> {
    using State = LSTMState<double>;
    Echo() : Module("Echo") {}
    State operator()(const Variable<double>& x, const State& before) const { return {x + 0.0 * before.h, before.h}; }
};

/// One that does not tell its width.
struct Leaky : Module<double> {
    Leaky() : Module("Leaky") {}
    Variable<double> operator()(const Variable<double>& x, const Variable<double>& h) const { return 0.9 * h + x; }
};

}  // namespace

TEST_CASE("zoneout with rate 1 freezes the state, with rate 0 it is the cell") {
    manual_seed(1);
    const auto cell = lstm_cell();
    const ZoneoutCell frozen(cell, {.h = 1, .others = 1}), off(cell, {.h = 0, .others = 0});
    Tape<double> tape;
    const LSTMState<double> start{tape.constant(randn<double>({2, 4})), tape.constant(randn<double>({2, 4}))};
    LSTMState<double> state = start;
    for (int t = 0; t < 5; ++t) state = frozen(tape.constant(randn<double>({2, 3})), state);
    CHECK(Array<double>(state.h.value()) == Array<double>(start.h.value()));
    CHECK(Array<double>(state.c.value()) == Array<double>(start.c.value()));
    const auto x = tape.constant(randn<double>({2, 3}));
    CHECK(Array<double>(off(x, start).c.value()) == Array<double>(cell(x, start).c.value()));
}

TEST_CASE("zoneout keeps a share p of each part, the other elements are the cell's; evaluation is the mean") {
    manual_seed(2);
    LSTMCell<double> cell({.input_size = 3, .hidden_size = 2000});
    ZoneoutCell zoneout(cell, {.h = 0.3, .others = 0.6});
    Tape<double> tape;
    const LSTMState<double> before{tape.constant(randn<double>({1, 2000})), tape.constant(randn<double>({1, 2000}))};
    const auto x = tape.constant(randn<double>({1, 3}));
    const LSTMState<double> made = cell(x, before), after = zoneout(x, before);
    const auto check = [](const Variable<double>& old, const Variable<double>& made_new, const Variable<double>& now,
                          double p) {
        double kept = 0;
        for (std::size_t j = 0; j < 2000; ++j) {
            const bool is_old = now.value()(0, j) == old.value()(0, j);
            kept += is_old;
            if (!is_old) CHECK(now.value()(0, j) == made_new.value()(0, j));
        }
        CHECK(std::abs(kept / 2000 - p) < 5 * std::sqrt(p * (1 - p) / 2000));
    };
    check(before.h, made.h, after.h, 0.3);
    check(before.c, made.c, after.c, 0.6);
    zoneout.eval();
    const Generator untouched = default_generator();
    const LSTMState<double> mean = zoneout(x, before);
    const Generator touched = default_generator();
    CHECK(Generator(untouched).integer(1000000) == Generator(touched).integer(1000000));
    for (std::size_t j = 0; j < 2000; j += 100) {
        CHECK(mean.h.value()(0, j) ==
              doctest::Approx(0.3 * before.h.value()(0, j) + 0.7 * made.h.value()(0, j)).epsilon(1e-14));
        CHECK(mean.c.value()(0, j) ==
              doctest::Approx(0.6 * before.c.value()(0, j) + 0.4 * made.c.value()(0, j)).epsilon(1e-14));
    }
}

TEST_CASE("variational dropout uses one mask for all steps of a sequence, and another for the next") {
    manual_seed(3);
    VariationalDropoutCell cell(Echo(), {.input = 0.5, .state = 0.25});
    Tape<double> tape;
    const auto ones = tape.ones({20, 4});
    // Echo's h is what the input became, its c what the state became; the state has a time once a step went into it.
    const auto timed = [&] {
        const auto h = tape.ones({20, 4});
        h.node().time_step = 0;
        return h;
    };
    const auto first = cell(ones, {tape.ones({20, 4}), {}});
    const auto second = cell(ones, {timed(), {}}), third = cell(ones, {timed(), {}});
    const auto other = cell(ones, {tape.ones({20, 4}), {}});
    CHECK(Array<double>(first.h.value()) == Array<double>(second.h.value()));
    CHECK(Array<double>(first.h.value()) == Array<double>(third.h.value()));
    CHECK(Array<double>(second.c.value()) == Array<double>(third.c.value()));
    CHECK(Array<double>(first.h.value()) != Array<double>(other.h.value()));
    for (const double v : first.h.value()) CHECK((v == 0 || v == 2));
    for (const double v : second.c.value()) CHECK((v == 0 || v == doctest::Approx(4.0 / 3)));
    // A longer batch, as in a sequence read from its end: the rows that were there keep their mask.
    const auto more = tape.ones({25, 4});
    const auto later = tape.ones({25, 4});
    later.node().time_step = 1;
    const Array<double> short_mask = other.h.value(), long_mask = cell(more, {later, {}}).h.value();
    for (std::size_t k = 0; k < short_mask.size(); ++k) CHECK(long_mask.data()[k] == short_mask.data()[k]);
    cell.eval();
    CHECK(Array<double>(cell(ones, {timed(), {}}).h.value()) == Array<double>(ones.value()));
}

TEST_CASE("wrappers go into each other, around a cell of one's own, and into Recurrent with lengths") {
    manual_seed(4);
    using Cell = ZoneoutCell<VariationalDropoutCell<LSTMCell<double>>>;
    Recurrent<Cell> layer({.input_size = 3, .hidden_size = 4, .bidirectional = true, .name = "encoder"},
                          [](std::size_t inputs, std::size_t hidden) {
                              LSTMCell<double> lstm({.input_size = inputs, .hidden_size = hidden});
                              return Cell(VariationalDropoutCell(lstm, {.input = 0.2, .state = 0.3}), {});
                          });
    Tape<double> tape;
    const auto x = tape.variable(randn<double>({5, 3, 3}));
    const auto [output, state] = layer(x, {}, {.lengths = {5, 2, 4}});
    CHECK(output.shape() == Shape{5, 3, 8});
    CHECK(state.c.shape() == Shape{2, 3, 4});
    tape.backward(sum(output));
    CHECK(x.grad()(3, 1, 0) == 0);  // beyond a length
    CHECK(x.grad()(1, 1, 0) != 0);
    const Array<double> trained = layer(x).output.value();
    CHECK(trained != Array<double>(layer(x).output.value()));
    // In evaluation mode nothing is drawn.
    layer.eval();
    const Array<double> one = layer(x).output.value(), two = layer(x).output.value();
    CHECK(one == two);

    const Recurrent<ZoneoutCell<Leaky>> own({.input_size = 4, .hidden_size = 4},
                                            [](std::size_t, std::size_t) { return ZoneoutCell(Leaky(), {.h = 1}); });
    const auto start = tape.ones({1, 3, 4});
    CHECK(Array<double>(own(tape.ones({2, 3, 4}), start).state.value()) == Array<double>(start.value()));
}

TEST_CASE("wrapped and regularised cells pass gradcheck, in training, with the same draws") {
    manual_seed(5);
    const Array<double> x = randn<double>({3, 2, 3}), h0 = randn<double>({2, 4});
    const auto check = [&](const auto& cell, const std::vector<Parameter<double>>& parameters, int orders) {
        ModuleCheck errors_of;
        errors_of.inputs = {x, h0};
        errors_of.parameters = parameters;
        errors_of.f = [&](const ModuleCheck::Variables& in) {
            manual_seed(17);
            auto state = cell(select(in[0], 0, 0), {});
            if constexpr (requires { state.c; })
                state.h = state.h + in[1];
            else
                state = state + in[1];
            state = cell(select(in[0], 0, 1), state);
            state = cell(select(in[0], 0, 2), state);
            if constexpr (requires { state.c; })
                return sum(state.h * state.h) + sum(state.c * state.c * state.c);
            else
                return sum(state * state * state);
        };
        for (int order = 1; order <= orders; ++order) CHECK(errors_of.errors(order) == "");
    };
    const ZoneoutCell zoneout(lstm_cell(), {.h = 0.3, .others = 0.4});
    check(zoneout, zoneout.parameters(), 1);
    const VariationalDropoutCell variational(rnn_cell(), {.input = 0.3, .state = 0.3});
    check(variational, variational.parameters(), 1);
    for (const bool layer_norm : {false, true}) {
        const RegularizedCellOptions options{
            .input_size = 3, .hidden_size = 4, .layer_norm = layer_norm, .recurrent_dropout = 0.3};
        const RegularizedLSTMCell<double> lstm(options);
        check(lstm, lstm.parameters(), layer_norm ? 1 : 2);
        const RegularizedGRUCell<double> gru(options);
        check(gru, gru.parameters(), layer_norm ? 1 : 2);
        const RegularizedRNNCell<double> rnn({.input_size = 3, .hidden_size = 4, .layer_norm = layer_norm});
        check(rnn, rnn.parameters(), layer_norm ? 1 : 2);
    }
}

TEST_CASE("layer normalisation in cells is what PyTorch computes from the equations, forward and backward") {
    const GoldenFile file("regularized_cells");
    const auto check = [&](const std::string& kind, auto cell) {
        const GoldenCase golden = file.one(kind);
        for (auto& [name, parameter] : cell.named_parameters()) parameter.set_value(golden[name]);
        Tape<double> tape;
        const auto x = tape.variable(golden["x"]), h0 = tape.variable(golden["h0"]);
        const auto first = select(x, 0, 0), second = select(x, 0, 1);
        if constexpr (requires { typename decltype(cell)::State; }) {
            const auto c0 = tape.variable(golden["c0"]);
            const auto [h, c] = cell(second, cell(first, {h0, c0}));
            check_value(golden, "h2", h.value());
            check_value(golden, "c2", c.value());
            tape.backward(sum(h * tape.constant(golden["dh2"])) + sum(c * tape.constant(golden["dc2"])));
            check_gradient(golden, "c0", c0.grad());
        } else {
            const auto h = cell(second, cell(first, h0));
            check_value(golden, "h2", h.value());
            tape.backward(sum(h * tape.constant(golden["dh2"])));
        }
        check_gradient(golden, "x", x.grad());
        check_gradient(golden, "h0", h0.grad());
        for (const auto& [name, parameter] : cell.named_parameters()) check_gradient(golden, name, parameter.grad());
    };
    check("rnn", RegularizedRNNCell<double>({.input_size = 4, .hidden_size = 5, .layer_norm = true}));
    check("rnn_relu", RegularizedRNNCell<double>(
                          {.input_size = 4, .hidden_size = 5, .layer_norm = true, .nonlinearity = Nonlinearity::relu}));
    check("lstm", RegularizedLSTMCell<double>({.input_size = 4, .hidden_size = 5, .layer_norm = true}));
    check("gru", RegularizedGRUCell<double>({.input_size = 4, .hidden_size = 5, .layer_norm = true}));
}

TEST_CASE("without remedies the regularised cells are RNNCell, LSTMCell and GRUCell, by their state dicts") {
    manual_seed(6);
    const RegularizedCellOptions options{.input_size = 3, .hidden_size = 4};
    RegularizedLSTMCell<double> lstm(options);
    RegularizedGRUCell<double> gru(options);
    const LSTMCell<double> plain_lstm = lstm_cell();
    const GRUCell<double> plain_gru({.input_size = 3, .hidden_size = 4});
    lstm.load_state_dict(plain_lstm.state_dict());
    gru.load_state_dict(plain_gru.state_dict());
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({2, 3}));
    const LSTMState<double> before{tape.constant(randn<double>({2, 4})), tape.constant(randn<double>({2, 4}))};
    CHECK(difference(lstm(x, before).h.value(), plain_lstm(x, before).h.value(), 1e-14, 1e-15) == "");
    CHECK(difference(lstm(x, before).c.value(), plain_lstm(x, before).c.value(), 1e-14, 1e-15) == "");
    CHECK(difference(gru(x, before.h).value(), plain_gru(x, before.h).value(), 1e-14, 1e-15) == "");
    for (const Nonlinearity f : {Nonlinearity::tanh, Nonlinearity::relu}) {
        RegularizedRNNCell<double> rnn({.input_size = 3, .hidden_size = 4, .nonlinearity = f});
        const RNNCell<double> plain({.input_size = 3, .hidden_size = 4, .nonlinearity = f});
        rnn.load_state_dict(plain.state_dict());
        CHECK(difference(rnn(x, before.h).value(), plain(x, before.h).value(), 1e-14, 1e-15) == "");
    }
}

TEST_CASE("layer normalisation makes a step independent of the scale of its weights") {
    manual_seed(7);
    RegularizedLSTMCell<double> lstm({.input_size = 3, .hidden_size = 4, .layer_norm = true});
    RegularizedGRUCell<double> gru({.input_size = 3, .hidden_size = 4, .layer_norm = true});
    RegularizedRNNCell<double> rnn({.input_size = 3, .hidden_size = 4, .layer_norm = true});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({2, 3})), h = tape.constant(randn<double>({2, 4}));
    const Array<double> lstm_before = lstm(x, {h, h}).h.value(), gru_before = gru(x, h).value();
    const Array<double> rnn_before = rnn(x, h).value();
    for (Parameter<double> weight :
         {lstm.weight_ih, lstm.weight_hh, gru.weight_ih, gru.weight_hh, rnn.weight_ih, rnn.weight_hh})
        for (double& element : weight.mutable_value()) element *= 1000;
    // Up to eps under the root.
    CHECK(difference(lstm(x, {h, h}).h.value(), lstm_before, 1e-3, 1e-3) == "");
    CHECK(difference(gru(x, h).value(), gru_before, 1e-3, 1e-3) == "");
    CHECK(difference(rnn(x, h).value(), rnn_before, 1e-3, 1e-3) == "");
}

TEST_CASE("recurrent dropout drops what is new, and never what is remembered") {
    manual_seed(8);
    RegularizedLSTMCell<double> all({.input_size = 3, .hidden_size = 4, .recurrent_dropout = 1});
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({2, 3}));
    const LSTMState<double> before{tape.constant(randn<double>({2, 4})), tape.constant(randn<double>({2, 4}))};
    // With rate 1: c_t = f . c_{t-1}, no more.
    const auto a = linear(x, tape.use(all.weight_ih), tape.use(all.bias_ih)) +
                   linear(before.h, tape.use(all.weight_hh), tape.use(all.bias_hh));
    const auto remembered = sigmoid(slice(a, 1, 4, 8)) * before.c;
    CHECK(difference(all(x, before).c.value(), remembered.value(), 1e-14, 1e-15) == "");
    all.eval();
    CHECK(difference(all(x, before).c.value(), remembered.value(), 1e-14, 1e-15) != "");
    const RegularizedGRUCell<double> gru({.input_size = 3, .hidden_size = 4, .recurrent_dropout = 1});
    const auto z = sigmoid(slice(linear(x, tape.use(gru.weight_ih), tape.use(gru.bias_ih)) +
                                     linear(before.h, tape.use(gru.weight_hh), tape.use(gru.bias_hh)),
                                 1, 4, 8));
    CHECK(difference(gru(x, before.h).value(), (z * before.h).value(), 1e-14, 1e-15) == "");
}

TEST_CASE("recurrent dropout draws anew at each step, keeps the mean, and drops the share that it was given") {
    manual_seed(9);
    constexpr std::size_t H = 2000;
    constexpr double p = 0.3;
    const RegularizedCellOptions options{.input_size = 3, .hidden_size = H, .recurrent_dropout = p};
    RegularizedLSTMCell<double> lstm(options);
    RegularizedGRUCell<double> gru(options);
    Tape<double> tape;
    const auto x = tape.constant(randn<double>({1, 3}));
    const LSTMState<double> before{tape.constant(randn<double>({1, H})), tape.constant(randn<double>({1, H}))};
    // Where what is new is dropped, there is only what is remembered: evaluation with all dropped, and with nothing.
    const auto check = [&](auto& cell, const auto& step, const auto& all_dropped) {
        const Array<double> first = step(cell), second = step(cell), remembered = step(all_dropped);
        CHECK(first != second);
        cell.eval();
        const Array<double> whole = step(cell);
        double dropped = 0;
        for (std::size_t j = 0; j < H; ++j) {
            const double factor = (first(0, j) - remembered(0, j)) / (whole(0, j) - remembered(0, j));
            dropped += std::abs(factor) < 1e-9;
            if (std::abs(factor) >= 1e-9) CHECK(factor == doctest::Approx(1 / (1 - p)).epsilon(1e-6));
        }
        CHECK(std::abs(dropped / H - p) < 5 * std::sqrt(p * (1 - p) / H));
    };
    RegularizedCellOptions all = options;
    all.recurrent_dropout = 1;
    RegularizedLSTMCell<double> lstm_dropped(all);
    RegularizedGRUCell<double> gru_dropped(all);
    lstm_dropped.load_state_dict(lstm.state_dict());
    gru_dropped.load_state_dict(gru.state_dict());
    check(
        lstm, [&](const auto& cell) { return Array<double>(cell(x, before).c.value()); }, lstm_dropped);
    check(
        gru, [&](const auto& cell) { return Array<double>(cell(x, before.h).value()); }, gru_dropped);
}

TEST_CASE("zoneout draws anew at each step, and for each part of the state") {
    manual_seed(10);
    const ZoneoutCell cell(Echo(), {.h = 0.5, .others = 0.5});
    Tape<double> tape;
    const auto zeros = tape.zeros({1, 500}), ones = tape.ones({1, 500});
    // Echo makes (0, 1) of the input 0 and the state (1, 0): an h of 1 and a c of 0 were kept.
    const LSTMState<double> first = cell(zeros, {ones, zeros}), later = cell(zeros, {ones, zeros});
    CHECK(Array<double>(first.h.value()) != Array<double>(later.h.value()));
    CHECK(Array<double>(first.c.value()) != Array<double>(later.c.value()));
    std::size_t alike = 0;
    for (std::size_t j = 0; j < 500; ++j) alike += (first.h.value()(0, j) == 1) == (first.c.value()(0, j) == 0);
    CHECK(alike > 150);
    CHECK(alike < 350);
}

TEST_CASE("wrong uses of remedies say what is wrong") {
    CHECK_THROWS_WITH_AS(ZoneoutCell(rnn_cell(), {.h = 1.5}), "ZoneoutCell: h is 1.5: expected 0 to 1", ValueError);
    CHECK_THROWS_WITH_AS(ZoneoutCell(rnn_cell(), {.others = -1}), "ZoneoutCell: others is -1: expected 0 to 1",
                         ValueError);
    CHECK_THROWS_WITH_AS(VariationalDropoutCell(rnn_cell(), {.input = 2}),
                         "VariationalDropoutCell: input is 2: expected 0 to 1", ValueError);
    const GRUCell<double> gru({.input_size = 3, .hidden_size = 4});
    CHECK_THROWS_WITH_AS(VariationalDropoutCell(gru, {.state = 0.1}),
                         "VariationalDropoutCell: state is 0.1, the cell is a GRUCell: expected 0, since its state "
                         "goes around the products too; ZoneoutCell regularises it",
                         ValueError);
    const auto make = [](const RegularizedCellOptions& options) { return RegularizedLSTMCell<double>(options); };
    CHECK_THROWS_WITH_AS(make({.input_size = 0, .hidden_size = 1}),
                         "RegularizedLSTMCell: input_size is 0, hidden_size is 1: expected at least 1 each",
                         ValueError);
    CHECK_THROWS_WITH_AS(make({.input_size = 1, .hidden_size = 1, .recurrent_dropout = 2}),
                         "RegularizedLSTMCell: recurrent_dropout is 2: expected 0 to 1", ValueError);
    const auto cell = make({.input_size = 3, .hidden_size = 4});
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(cell(tape.zeros({2, 4})),
                         "RegularizedLSTMCell: x is [2, 4], weight_ih is [16, 3]: expected [B, I] with 3 as the last "
                         "extent\n"
                         "  while running RegularizedLSTMCell, time step 0",
                         ShapeError);
    const auto x = tape.zeros({2, 3}), c = tape.zeros({3, 4});
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(cell(x, {{}, c}),
                         "RegularizedLSTMCell: c is [3, 4], x is [2, 3]: expected c to be [2, 4]\n"
                         "  while running RegularizedLSTMCell, time step 0",
                         ShapeError);
    CHECK(tape.size() == size);
}
