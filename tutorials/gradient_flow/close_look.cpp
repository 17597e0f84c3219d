#include "gradient_flow/close_look.hpp"

#include <ebb/autograd/operations.hpp>
#include <ebb/inspect/unrolled_graph.hpp>

#include <algorithm>
#include <string>

namespace lab {
namespace {

using ebb::Tape;
using ebb::Variable;
namespace inspect = ebb::inspect;

constexpr std::size_t looked_at = 4;  // sequences

/// The first columns of indices [T, B].
ebb::Indices first_columns(const ebb::Indices& all, std::size_t count) {
    const std::size_t T = all.shape(0), B = all.shape(1);
    ebb::Indices some = ebb::Indices::from_shape({T, count});
    for (std::size_t t = 0; t < T; ++t) std::copy_n(all.data() + t * B, count, some.data() + t * count);
    return some;
}

/// The loss of each character by itself.
std::vector<Variable<double>> losses_of(const CharacterModel<double>& model, const Sequences& sequences) {
    const std::size_t T = sequences.characters.shape(0), B = sequences.characters.shape(1);
    const Variable<double> logits = model.every_logits(sequences.characters);
    std::vector<Variable<double>> losses;
    for (std::size_t t = 0; t < T; ++t) {
        ebb::Indices next = ebb::Indices::from_shape({B});
        std::copy_n(sequences.next.data() + t * B, B, next.data());
        losses.push_back(ebb::cross_entropy(select(logits, 0, static_cast<std::ptrdiff_t>(t)), next));
    }
    return losses;
}

}  // namespace

CloseLook look_closely(const CharacterModel<double>& model, const Sequences& all) {
    const std::size_t T = all.characters.shape(0), count = std::min(looked_at, all.characters.shape(1));
    const Sequences sequences{first_columns(all.characters, count), first_columns(all.next, count)};
    const std::string h = std::string(name_of(model.cell())) + ".h";
    CharacterModel<double> handle = model;
    handle.zero_grad();
    CloseLook look;
    Tape<double> tape;
    const Variable<double> loss = last_loss(model, sequences);
    tape.backward(loss.named("L"));
    look.graph = inspect::unrolled_graph(tape, loss);
    look.units = inspect::unit_flow(tape, h);
    look.findings = inspect::diagnose(look.units);
    if (T > 1 && T <= longest_close_look && model.hidden_size() <= largest_close_look)
        look.spectrum = inspect::jacobian_spectrum(tape, h);
    if (T <= longest_close_look) {
        tape.clear();
        look.reach = inspect::loss_to_state(tape, losses_of(model, sequences), h);
        // On the tape all come after the last step, since the layer hands out its states as one array.
        for (std::size_t t = 0; t < T; ++t) look.reach->loss_step[t] = static_cast<std::int32_t>(t);
    }
    handle.zero_grad();
    return look;
}

}  // namespace lab
