#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/kept_state.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

struct OwnState {
    Variable<double> h, memory, clock;
};

}  // namespace

TEST_CASE("a kept state carries a sequence over cleared tapes, and no gradient") {
    manual_seed(1);
    const LSTM<double> lstm({.input_size = 3, .hidden_size = 4});
    const Array<double> x = randn<double>({6, 2, 3});
    Tape<double> whole;
    const Array<double> expected = lstm(whole.constant(x)).output.value();

    KeptState<double, LSTMState<double>> kept;
    Tape<double> tape;
    for (std::ptrdiff_t start = 0; start < 6; start += 2) {
        tape.clear();
        const LSTMState<double> before = kept.on(tape);
        CHECK(before.h.defined() == (start > 0));
        const auto piece = slice(tape.constant(x), 0, start, start + 2);
        const auto [output, state] = lstm(piece, before);
        for (std::size_t k = 0; k < output.size(); ++k)
            CHECK(output.value().data()[k] ==
                  doctest::Approx(expected.data()[static_cast<std::size_t>(start) * 8 + k]).epsilon(1e-13));
        kept.keep(state);
        if (before.h.defined()) CHECK(!before.h.requires_grad());
    }
}

TEST_CASE("states of one's own are kept, the undefined parts as undefined") {
    Tape<double> tape;
    KeptState<double, OwnState> kept({tape.full({2}, 1), {}, tape.full({3}, 4)});
    tape.clear();
    OwnState again = kept.on(tape);
    CHECK(again.h.value()(1) == 1);
    CHECK(!again.memory.defined());
    CHECK(again.clock.value()(2) == 4);
    // Kept again with other parts defined.
    again.memory = tape.full({1}, 7);
    again.h = {};
    kept.keep(again);
    again = kept.on(tape);
    CHECK(!again.h.defined());
    CHECK(again.memory.value()(0) == 7);
    CHECK(kept.values().size() == 3);
    CHECK(!KeptState<double, OwnState>().on(tape).clock.defined());
}
