#include <ebb/core/blas.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/inspect/alignment.hpp>
#include <ebb/inspect/gradient_flow.hpp>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace ebb::inspect {

template <class T>
ContributionAlignment contribution_alignment(const Tape<T>& tape, const Parameter<T>& parameter) {
    using Share = typename Tape<T>::Share;
    for (const Share& share : tape.shares(parameter))
        if (!share.delta)
            fail<ValueError>(fmt::format(
                "contribution_alignment: {} belongs to a long sequence, whose deltas are not kept: expected "
                "tape.backward(loss, {{.retain_graph = true}})",
                parameter.name()));
    WeightContributions contributions = weight_contributions(tape, parameter);
    ContributionAlignment result;
    result.parameter = std::move(contributions.parameter);
    result.time_step = std::move(contributions.time_step);
    result.norm = std::move(contributions.norm);
    const std::span<const Share> shares = tape.shares(parameter);
    const std::size_t size = parameter.size();
    const std::size_t columns = parameter.shape().back();
    const std::size_t rows = size / std::max<std::size_t>(columns, 1);

    // G = sum_t G_t. The parameter's own gradient may hold more: passes on other tapes, uses outside of products.
    std::vector<T> whole(size, T(0));
    for (const Share& s : shares) {
        if (!s.x)
            for (std::size_t r = 0; r < s.rows; ++r)
                for (std::size_t j = 0; j < columns; ++j) whole[j] += s.delta[r * s.delta_stride + j];
        else if (s.transposed)
            gemm(Transpose::yes, Transpose::no, rows, columns, s.rows, T(1), s.x, s.x_stride, s.delta, s.delta_stride,
                 T(1), whole.data(), columns);
        else
            gemm(Transpose::yes, Transpose::no, rows, columns, s.rows, T(1), s.delta, s.delta_stride, s.x, s.x_stride,
                 T(1), whole.data(), columns);
    }
    result.whole_norm = frobenius_norm(whole.data(), size);

    // <G_t, G> = sum_r <delta_r, G x_r>, without G_t itself. Lengths are taken out of G first, so that nothing leaves
    // the range of T.
    if (result.whole_norm > 0)
        for (T& element : whole) element = static_cast<T>(static_cast<double>(element) / result.whole_norm);
    std::map<std::int32_t, double> inner;
    std::vector<T> product;
    for (const Share& s : shares) {
        const std::size_t delta_columns = s.x && !s.transposed ? rows : columns;
        product.resize(s.rows * delta_columns);
        if (!s.x)
            for (std::size_t r = 0; r < s.rows; ++r) std::copy_n(whole.data(), columns, product.data() + r * columns);
        else if (s.transposed)
            gemm(Transpose::no, Transpose::no, s.rows, columns, rows, T(1), s.x, s.x_stride, whole.data(), columns,
                 T(0), product.data(), columns);
        else
            gemm(Transpose::no, Transpose::yes, s.rows, rows, columns, T(1), s.x, s.x_stride, whole.data(), columns,
                 T(0), product.data(), rows);
        const std::size_t rows_of_step = s.rows / s.time_steps;
        for (std::size_t r = 0; r < s.rows; ++r) {
            double sum = 0;
            for (std::size_t j = 0; j < delta_columns; ++j)
                sum += static_cast<double>(product[r * delta_columns + j]) *
                       static_cast<double>(s.delta[r * s.delta_stride + j]);
            inner[s.first_time_step + static_cast<std::int32_t>(r / rows_of_step)] += sum;
        }
    }
    for (std::size_t k = 0; k < result.time_step.size(); ++k) {
        const double along = inner[result.time_step[k]];  // <G_t, G> / ||G||
        result.share.push_back(result.whole_norm > 0 ? along / result.whole_norm : 0);
        result.cosine.push_back(result.norm[k] > 0 ? std::clamp(along / result.norm[k], -1.0, 1.0) : 0);
    }
    return result;
}

#define EBB_INSTANTIATE(T) template ContributionAlignment contribution_alignment(const Tape<T>&, const Parameter<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
