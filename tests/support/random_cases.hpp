#pragma once
/// Random cases of every operation: shapes, options and numbers from a seed, and how the inputs lie in memory.

#include <ebb/autograd/operations/catalogue.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/operation_cases.hpp"

namespace ebb::test {

/// Where random cases come from: arrays, and shapes small enough for a difference quotient of every element.
class Draw : public RandomArrays {
  public:
    /// `empty`: an extent may be 0.
    explicit Draw(std::uint64_t seed, bool empty = false) : RandomArrays(seed), empty_(empty) {}

    /// From 1 to 3; from 0 where extents may be.
    std::size_t extent() { return empty_ && below(3) == 0 ? 0 : positive_extent(); }
    std::size_t positive_extent() { return 1 + below(3); }
    /// Of `smallest_rank` to 5 axes, at most 24 elements.
    Shape shape(std::size_t smallest_rank = 0);
    /// The same, with elements in any case.
    Shape positive_shape(std::size_t smallest_rank = 0);
    /// One that broadcasts to `shape`: axes of extent 1, leading axes gone.
    Shape part_of(const Shape& shape);
    /// An axis, counted from either end.
    std::ptrdiff_t axis(std::size_t rank) {
        return static_cast<std::ptrdiff_t>(below(2 * rank)) - static_cast<std::ptrdiff_t>(rank);
    }
    /// Some of the axes of an array, in any order.
    Axes axes(std::size_t rank);

  private:
    bool empty_;
};

struct RandomCase {
    std::string operation;  ///< its name in the catalogue
    std::function<OperationCase(Draw&)> draw;
};

/// For every operation of the catalogue at least one; for elementwise ones they come by themselves.
std::vector<RandomCase> random_cases();

/// The differentiable ones of the catalogue that have none.
std::vector<std::string> without_random_case(const std::vector<CatalogueEntry>& catalogue,
                                             const std::vector<RandomCase>& cases);

/// What came of many cases of one operation.
struct Tally {
    std::size_t checked = 0;
    std::size_t vacuous = 0;  ///< the gradient is 0 everywhere: nothing was seen
    std::vector<std::string> failures;
};

/// Checks first and second derivatives of `count` cases, the inputs lying in memory at random: as they are, as a
/// transposed view, as a slice of a longer array; one variable in two places; the function used twice.
Tally check_random_cases(const RandomCase& of, std::size_t count, bool empty);

}  // namespace ebb::test
