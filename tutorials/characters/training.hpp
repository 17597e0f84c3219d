#pragma once
/// Training the character model, and what it costs to write the held-out text with it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "characters/model.hpp"
#include "characters/options.hpp"

namespace characters {

/// -log2 p a character of a text that is read from its beginning to its end with the state carried all the way. Nothing
/// is trained. Throws ebb::ValueError for a text of less than two characters.
double bits_per_character(const Model& model, const std::vector<std::int64_t>& text);

/// Trains by Adam with clipping on pieces of T characters, B side by side. `after_step` gets the number of steps done
/// and the bits per character of the step's pieces.
///
/// Batching::streams cuts the text into B streams, which are read from their beginning to their end, piece after piece:
/// each piece begins with the state in which the one before it ended (truncated backpropagation through time). At the
/// end of the streams all begin anew. Batching::windows takes pieces from random places, with a state of zeros.
///
/// Characters that the text does not have begin, and stay, with an embedding of zeros.
///
/// Throws ebb::ValueError where the text is too short for B pieces of T characters, and as ebb::train.
void train_model(const Model& model, const std::vector<std::int64_t>& text, const Options& options,
                 const std::function<void(std::size_t step, double bits)>& after_step = {});

}  // namespace characters
