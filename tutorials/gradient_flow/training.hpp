#pragma once
/// Training one model on the text.

#include <ebb/optim/training.hpp>

#include <cstddef>
#include <functional>
#include <vector>

#include "gradient_flow/model.hpp"
#include "support/corpus.hpp"

namespace lab {

using tutorial::Corpus;

/// Sequences and what follows each of their characters.
struct Sequences {
    ebb::Indices characters;  // [T, B]
    ebb::Indices next;        // [T, B]
};

/// Sequences of T characters that begin at `starts`. Throws ebb::IndexError where one runs over the end of the text.
Sequences take_sequences(const Corpus& corpus, const std::vector<std::size_t>& starts, std::size_t T);

/// Sequences spread evenly over one part of the text, in order: `most` of them, or as many as fit side by side.
Sequences spread_sequences(const Corpus& corpus, bool held_out, std::size_t T, std::size_t most);

/// Mean cross entropy over all characters of the sequences, in bits. Nothing is trained, and nothing is drawn.
template <class T>
double bits_per_character(const CharacterModel<T>& model, const Sequences& sequences);

/// One step of the training, when its weights have been changed.
struct Step {
    std::size_t steps_done;
    double bits;           ///< of the step's batch, before the change
    double gradient_norm;  ///< of all gradients together, before clipping
    bool stop = false;     ///< set it to end the training here
};

/// Trains the model by Adam on random sequences of the training text, which are the same in every call with the same
/// seed and sizes, whatever the cell. Throws ebb::ValueError, naming the step, where the loss or a gradient becomes NaN
/// or infinite.
template <class T>
void train_model(const CharacterModel<T>& model, const Options& options, const Corpus& corpus,
                 const std::function<void(Step&)>& after_step = {});

}  // namespace lab
