#include <ebb/core/error.hpp>
#include <ebb/layers/scheduled_sampling.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

namespace ebb {

template <class T>
Indices next_inputs(const Variable<T>& logits, const Indices& answers, std::size_t t, double truth,
                    const SamplingOptions& own, Generator& generator) {
    check_probability("next_inputs", truth, "truth");
    const Shape &shape = logits.shape(), of_answers = Shape::of(answers.shape());
    if (shape.rank() != 2 || shape[1] == 0 || of_answers.rank() != 2 || of_answers[1] != shape[0])
        fail<ShapeError>(fmt::format("next_inputs: logits is {}, answers is {}: expected [B, V] and [T, B]",
                                     to_string(shape), to_string(of_answers)));
    if (t >= of_answers[0])
        fail<IndexError>(fmt::format("next_inputs: t is {}, answers is {}: expected 0 to {}", t, to_string(of_answers),
                                     of_answers[0] - 1));
    const std::size_t B = shape[0], V = shape[1];
    const ArrayView<T> values = logits.value();
    Indices next = Indices::from_shape({B});
    for (std::size_t b = 0; b < B; ++b) {
        const std::int64_t answer = answers.data()[t * B + b];
        if (generator.bernoulli(truth) && answer >= 0) {
            next(b) = answer;
            continue;
        }
        const T* const row = values.data() + b * V;
        next(b) = sample_token(std::vector<double>(row, row + V), own, generator);
    }
    return next;
}

double linear_decay(std::int64_t i, double offset, double slope, double floor) {
    return std::max(floor, offset - slope * static_cast<double>(i));
}

double exponential_decay(std::int64_t i, double k) {
    return std::pow(k, static_cast<double>(i));
}

double inverse_sigmoid_decay(std::int64_t i, double k) {
    return k / (k + std::exp(static_cast<double>(i) / k));
}

template Indices next_inputs(const Variable<float>&, const Indices&, std::size_t, double, const SamplingOptions&,
                             Generator&);
template Indices next_inputs(const Variable<double>&, const Indices&, std::size_t, double, const SamplingOptions&,
                             Generator&);

}  // namespace ebb
