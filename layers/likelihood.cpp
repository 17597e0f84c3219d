#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/operations/losses.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/generation.hpp>
#include <ebb/layers/likelihood.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace ebb {

template <class T>
Variable<T> sequence_log_likelihood(const Variable<T>& logits, const Indices& targets, std::int64_t ignore_index,
                                    SourceLine at) {
    const CalledFrom call(at);
    if (logits.shape().rank() != 3)
        fail<ShapeError>(
            fmt::format("sequence_log_likelihood: logits is {}: expected [T, B, V]", to_string(logits.shape())));
    const Variable<T> surprise =
        cross_entropy(logits, targets, {.reduction = Reduction::none, .ignore_index = ignore_index});  // [T, B]
    return -sum(surprise, 0);
}

double perplexity(double nats) {
    return std::exp(nats);
}

double bits(double nats) {
    return nats / std::numbers::ln2;
}

template <class T>
void LogLikelihood::add(const Variable<T>& logits, const Indices& targets, std::int64_t ignore_index) {
    const Shape& shape = logits.shape();
    const Shape rows = Shape::of(targets.shape());
    if (shape.rank() == 0 || shape.erased(shape.rank() - 1) != rows)
        fail<ShapeError>(
            fmt::format("LogLikelihood: logits is {}, targets is {}: expected targets of the leading "
                        "shape of logits",
                        to_string(shape), to_string(rows)));
    const std::size_t classes = shape.back();
    const ArrayView<T> values = logits.value();
    double sum = 0;
    std::size_t count = 0;
    std::vector<double> row(classes);
    for (std::size_t k = 0; k < targets.size(); ++k) {
        const std::int64_t target = targets.data()[k];
        if (target == ignore_index) continue;
        if (target < 0 || static_cast<std::size_t>(target) >= classes)
            fail<IndexError>(fmt::format("LogLikelihood: target {} at flat index {}: expected 0 to {}, or {}", target,
                                         k, classes - 1, ignore_index));
        std::copy_n(values.data() + k * classes, classes, row.begin());
        sum += log_probabilities(row)[static_cast<std::size_t>(target)];
        ++count;
    }
    nats_ += sum;
    tokens_ += count;
}

double LogLikelihood::mean(const char* call) const {
    if (tokens_ == 0) fail<ValueError>(fmt::format("LogLikelihood::{}: no token was added yet", call));
    return -nats_ / static_cast<double>(tokens_);
}

double LogLikelihood::bits_per_token() const {
    return bits(mean("bits_per_token"));
}

double LogLikelihood::perplexity() const {
    return ebb::perplexity(mean("perplexity"));
}

#define EBB_INSTANTIATE(T)                                                                                      \
    template Variable<T> sequence_log_likelihood(const Variable<T>&, const Indices&, std::int64_t, SourceLine); \
    template void LogLikelihood::add(const Variable<T>&, const Indices&, std::int64_t);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
