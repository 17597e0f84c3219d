#include "characters/model.hpp"

#include <algorithm>

namespace characters {

Model::Model(std::size_t alphabet_size, std::size_t embedding_size, std::size_t hidden_size)
    : Module("Model"),
      embedding_(register_module(
          "embedding", ebb::Embedding<float>({.num_embeddings = alphabet_size, .embedding_dim = embedding_size}))),
      lstm_(register_module("lstm", ebb::LSTM<float>({.input_size = embedding_size, .hidden_size = hidden_size}))),
      readout_(register_module("readout",
                               ebb::Linear<float>({.in_features = hidden_size, .out_features = alphabet_size}))) {}

Model::Prediction Model::operator()(const ebb::Indices& characters, const ebb::LSTMState<float>& state) const {
    const auto [output, after] = lstm_(embedding_(characters), state);  // [T, B, H]
    return {readout_(output), after};
}

void Model::clear_unseen(const std::vector<std::int64_t>& text) const {
    std::vector<bool> seen(alphabet_size(), false);
    for (const std::int64_t character : text) seen[static_cast<std::size_t>(character)] = true;
    ebb::Parameter<float> weight = embedding_.weight;
    const std::size_t width = embedding_.embedding_dim();
    float* const rows = weight.mutable_value().data();
    for (std::size_t c = 0; c < seen.size(); ++c)
        if (!seen[c]) std::fill_n(rows + c * width, width, 0.0f);
}

}  // namespace characters
