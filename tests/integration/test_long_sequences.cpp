#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Its deltas are 300 x 16 x 256 doubles: 10 MB.
struct LongSequence {
    LSTM<double> lstm{{.input_size = 3, .hidden_size = 64}};
    Array<double> x = normal<double>({300, 16, 3}, 0, 1);

    void pass(Tape<double>& tape, bool retain_graph) const {
        tape.backward(mean(square(lstm(tape.constant(x)).output)), {.retain_graph = retain_graph});
    }
};

}  // namespace

TEST_CASE("what a step of a long sequence has contributed is known though its delta is not kept") {
    const LongSequence sequence;
    Tape<double> kept, forgotten;
    sequence.pass(kept, true);
    sequence.pass(forgotten, false);
    for (const auto& parameter : sequence.lstm.parameters()) {
        CAPTURE(parameter.name());
        CHECK(kept.shares(parameter).front().delta != nullptr);
        CHECK(forgotten.shares(parameter).front().delta == nullptr);
        const auto expected = inspect::weight_contributions(kept, parameter);
        const auto found = inspect::weight_contributions(forgotten, parameter);
        CHECK(found.time_step == expected.time_step);
        REQUIRE(found.norm.size() == expected.norm.size());
        for (std::size_t k = 0; k < found.norm.size(); ++k)
            CHECK(found.norm[k] == doctest::Approx(expected.norm[k]).epsilon(1e-12));
    }
}

TEST_CASE("who needs the deltas of a long sequence is told how to keep them") {
    const LongSequence sequence;
    Tape<double> tape;
    sequence.pass(tape, false);
    const Parameter<double> w = sequence.lstm.weight_hh;
    CHECK_THROWS_WITH_AS(inspect::contribution_alignment(tape, w),
                         "contribution_alignment: weight_hh_l0 belongs to a long sequence, whose deltas are not kept: "
                         "expected tape.backward(loss, {.retain_graph = true})",
                         ValueError);
    sequence.pass(tape, false);
    CHECK_THROWS_WITH_AS(inspect::weight_contributions(tape, w),
                         "weight_contributions: weight_hh_l0 was used again after a pass over a long sequence, whose "
                         "deltas are not kept: expected tape.backward(loss, {.retain_graph = true}) there",
                         ValueError);
    Tape<double> kept;
    sequence.pass(kept, true);
    CHECK(inspect::contribution_alignment(kept, w).share.size() == 299);
}
