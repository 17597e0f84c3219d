#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/sequence_dropout.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {
namespace {

/// 0 with probability p, else 1 / (1 - p).
template <class T>
void fill_factors(T* factors, std::size_t count, double p, Generator& generator) {
    fill_bernoulli(factors, count, 1 - p, generator);
    const T scale = p == 1 ? T(0) : static_cast<T>(1 / (1 - p));
    std::for_each(factors, factors + count, [scale](T& factor) { factor *= scale; });
}

template <class T>
Variable<T> factors_on(Tape<T>& tape, const Shape& shape, double p, Generator& generator) {
    T* const factors = tape.allocate(shape.size());
    fill_factors(factors, shape.size(), p, generator);
    return tape.constant(factors, shape);
}

}  // namespace

namespace detail {
void refuse_state_rate(double rate, const std::string& cell) {
    fail<ValueError>(
        fmt::format("VariationalDropoutCell: state is {}, the cell is a {}: expected 0, since its state goes around "
                    "the products too; ZoneoutCell regularises it",
                    rate, cell));
}
}  // namespace detail

template <class T>
Variable<T> bernoulli_on(Tape<T>& tape, const Shape& shape, double p, Generator& generator) {
    T* const drawn = tape.allocate(shape.size());
    fill_bernoulli(drawn, shape.size(), p, generator);
    return tape.constant(drawn, shape);
}

template <class T>
Variable<T> SequenceMask<T>::on(Tape<T>& tape, const Shape& shape, double p, Generator& generator) {
    if (const std::size_t before = factors_.size(); before < shape.size()) {
        factors_.resize(shape.size());
        fill_factors(factors_.data() + before, shape.size() - before, p, generator);
    }
    return tape.constant(factors_.data(), shape);
}

template <class T>
Variable<T> locked_dropout(const Variable<T>& x, double p, Generator& generator, SourceLine at) {
    const CalledFrom call(at);
    check_probability("locked_dropout", p);
    if (x.shape().rank() != 3)
        fail<ShapeError>(fmt::format("locked_dropout: x is {}: expected [T, B, F]", to_string(x.shape())));
    if (p == 0) return x;
    return x * factors_on(x.tape(), {x.shape()[1], x.shape()[2]}, p, generator);
}

template <class T>
LockedDropout<T>::LockedDropout(const Options& options) : Module<T>("LockedDropout", options.name), p_(options.p) {
    check_probability(this->display_name(), p_);
}

template <class T>
Variable<T> LockedDropout<T>::operator()(const Variable<T>& x, SourceLine at) const {
    const CalledFrom call(at);
    const ErrorContext context(this->name(), "LockedDropout");
    return this->training() ? locked_dropout(x, p_) : x;
}

template <class T>
Variable<T> embedding_dropout(const Embedding<T>& embedding, const Indices& indices, double p, Generator& generator,
                              SourceLine at) {
    const CalledFrom call(at);
    check_probability("embedding_dropout", p);
    const Variable<T> y = embedding(indices);  // [S.., E]
    if (p == 0) return y;
    std::vector<T> of_word(embedding.num_embeddings());
    fill_factors(of_word.data(), of_word.size(), p, generator);
    Shape shape = Shape::of(indices.shape());
    Tape<T>& tape = y.tape();
    T* const factors = tape.allocate(shape.size());
    std::transform(indices.begin(), indices.end(), factors,
                   [&](std::int64_t word) { return of_word[static_cast<std::size_t>(word)]; });
    shape.push_back(1);
    return y * tape.constant(factors, shape);
}

#define EBB_INSTANTIATE(T)                                                                   \
    template class SequenceMask<T>;                                                          \
    template class LockedDropout<T>;                                                         \
    template Variable<T> bernoulli_on(Tape<T>&, const Shape&, double, Generator&);           \
    template Variable<T> locked_dropout(const Variable<T>&, double, Generator&, SourceLine); \
    template Variable<T> embedding_dropout(const Embedding<T>&, const Indices&, double, Generator&, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
