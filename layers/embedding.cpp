#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/embedding.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {

template <class T>
Embedding<T>::Embedding(const Options& options)
    : Module<T>("Embedding", options.name), padding_idx_(options.padding_idx) {
    if (options.num_embeddings == 0 || options.embedding_dim == 0)
        fail<ValueError>(fmt::format("{}: num_embeddings is {}, embedding_dim is {}: expected at least 1 each",
                                     this->display_name(), options.num_embeddings, options.embedding_dim));
    if (padding_idx_ && *padding_idx_ >= options.num_embeddings)
        fail<IndexError>(fmt::format("{}: padding_idx is {}, num_embeddings is {}: expected 0 to {}",
                                     this->display_name(), *padding_idx_, options.num_embeddings,
                                     options.num_embeddings - 1));
    Array<T> drawn = randn<T>(Shape{options.num_embeddings, options.embedding_dim});
    if (padding_idx_) std::fill_n(drawn.data() + *padding_idx_ * options.embedding_dim, options.embedding_dim, T(0));
    weight = this->register_parameter("weight", std::move(drawn));
}

template <class T>
Variable<T> Embedding<T>::operator()(const Indices& indices, SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "Embedding");
    // Here, and not in index_select() only: the tape is as before when it throws, without a node for the weight.
    check_indices("Embedding", {indices.data(), indices.size()}, weight.name(), weight.shape());
    Tape<T>& tape = Tape<T>::active();
    const Variable<T> y = index_select(tape.use(weight), indices);
    if (!padding_idx_) return y;

    const auto padding = static_cast<std::int64_t>(*padding_idx_);
    if (std::find(indices.begin(), indices.end(), padding) == indices.end()) return y;
    Shape shape = Shape::of(indices.shape());
    T* const kept = tape.allocate(shape.size());
    std::transform(indices.data(), indices.data() + indices.size(), kept,
                   [=](std::int64_t i) { return T(i != padding); });
    shape.push_back(1);
    // The value is the row's, whatever it was set to; only its gradient is held back.
    return where(tape.constant(kept, shape), y, y.detach());
}

template class Embedding<float>;
template class Embedding<double>;

}  // namespace ebb
