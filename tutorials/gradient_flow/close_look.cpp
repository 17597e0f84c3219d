#include "gradient_flow/close_look.hpp"

#include <ebb/inspect/unrolled_graph.hpp>

namespace lab {

CloseLook look_closely(const CharacterModel<double>& model, const Sequences& sequences) {
    CharacterModel<double> handle = model;
    handle.zero_grad();
    ebb::Tape<double> tape;
    const ebb::Variable<double> loss = last_loss(model, sequences);
    tape.backward(loss.named("L"));
    return {ebb::inspect::unrolled_graph(tape, loss)};
}

}  // namespace lab
