#include "support/random_cases.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace ebb::test {

Shape Draw::shape(std::size_t smallest_rank) {
    Shape shape;
    const std::size_t rank = smallest_rank + below(6 - smallest_rank);
    for (std::size_t axis = 0; axis < rank; ++axis) shape.push_back(shape.size() * 3 > 24 ? 1 : extent());
    // The axes of extent 1 are not always the last ones.
    for (std::size_t k = rank; k > 1; --k) std::swap(shape[k - 1], shape[below(k)]);
    return shape;
}

Shape Draw::positive_shape(std::size_t smallest_rank) {
    const bool empty = std::exchange(empty_, false);
    const Shape result = shape(smallest_rank);
    empty_ = empty;
    return result;
}

Shape Draw::part_of(const Shape& shape) {
    Shape part;
    const std::size_t gone = coin() ? below(shape.rank() + 1) : 0;
    for (std::size_t axis = gone; axis < shape.rank(); ++axis) part.push_back(below(3) == 0 ? 1 : shape[axis]);
    return part;
}

Axes Draw::axes(std::size_t rank) {
    std::vector<std::ptrdiff_t> all(rank);
    std::iota(all.begin(), all.end(), 0);
    for (std::size_t k = rank; k > 1; --k) std::swap(all[k - 1], all[below(k)]);
    all.resize(below(rank + 1));
    for (std::ptrdiff_t& axis : all)
        if (coin()) axis -= static_cast<std::ptrdiff_t>(rank);
    return Axes(all);
}

namespace {

Array<double> swapped(const Array<double>& x, std::ptrdiff_t a, std::ptrdiff_t b) {
    Tape<double> tape;
    return transpose(tape.constant(x), a, b).value();
}

/// x behind one more of its first axis.
Array<double> preceded(const Array<double>& x) {
    Tape<double> tape;
    return pad(tape.constant(x), 0, 1, 0).value();
}

template <class T>
Variable<T> elementwise_of(std::size_t formula, const Variables<T>& in) {
    if (in.size() == 1) return detail::elementwise<T>(formula, {in[0]});
    if (in.size() == 2) return detail::elementwise<T>(formula, {in[0], in[1]});
    return detail::elementwise<T>(formula, {in[0], in[1], in[2]});
}

std::vector<RandomCase> random_elementwise() {
    std::vector<RandomCase> result;
    const std::vector<CatalogueEntry> catalogue = elementwise_catalogue();
    for (std::size_t formula = 0; formula < catalogue.size(); ++formula) {
        const CatalogueEntry& entry = catalogue[formula];
        if (!entry.differentiable) continue;
        result.push_back({std::string(entry.info.name), [=](Draw& draw) {
                              const Shape shape = draw.shape();
                              std::vector<Shape> shapes{shape};
                              while (shapes.size() < entry.arity) shapes.push_back(draw.part_of(shape));
                              std::swap(shapes[0], shapes[draw.below(shapes.size())]);
                              OperationCase c = operation_case(
                                  std::string(entry.info.name), "", draw.arrays(shapes, entry.info.domain),
                                  [=](const auto& in) { return elementwise_of(formula, in); });
                              c.kinked = entry.info.domain == Domain::distinct;
                              return c;
                          }});
    }
    return result;
}

/// A case of one array with no kink.
template <class F>
OperationCase case_of_one(const char* operation, Draw& draw, const Shape& shape, F f, Domain domain = Domain::real) {
    return operation_case(operation, "", {draw.array(shape, domain)}, f);
}

void add_reductions(std::vector<RandomCase>& cases) {
    // f(x, axes, keepdims), and f(x) of all axes.
    const auto reduction = [&](const char* name, Domain domain, bool empty, auto f) {
        cases.push_back({name, [=](Draw& draw) {
                             const Shape shape = empty ? draw.shape() : draw.positive_shape();
                             const Axes axes = draw.axes(shape.rank());
                             const bool keepdims = draw.coin();
                             return operation_case(name, "", {draw.array(shape, domain)},
                                                   [=](const auto& in) { return f(in[0], axes, keepdims); });
                         }});
        cases.push_back({name, [=](Draw& draw) {
                             const Shape shape = empty ? draw.shape() : draw.positive_shape();
                             Axes all;
                             for (std::size_t a = 0; a < shape.rank(); ++a) all.append(static_cast<std::ptrdiff_t>(a));
                             return operation_case(name, "all", {draw.array(shape, domain)},
                                                   [=](const auto& in) { return f(in[0], all, false); });
                         }});
    };
    reduction("sum", Domain::real, true,
              [](const auto& x, const Axes& axes, bool keepdims) { return sum(x, axes, keepdims); });
    reduction("mean", Domain::real, false,
              [](const auto& x, const Axes& axes, bool keepdims) { return mean(x, axes, keepdims); });
    for (const double correction : {1.0, 0.0})
        cases.push_back({"var", [=](Draw& draw) {
                             Shape shape = draw.positive_shape(1);
                             Axes axes = draw.axes(shape.rank());
                             if (axes.empty()) axes.append(-1);
                             // The variance of one number is 0, or none.
                             const std::ptrdiff_t first = *axes.begin();
                             std::size_t& extent = shape[normalized_axis("", first, shape.rank())];
                             if (extent == 1) extent = 2 + draw.below(2);
                             const bool keepdims = draw.coin();
                             return case_of_one("var", draw, shape,
                                                [=](const auto& in) { return var(in[0], axes, keepdims, correction); });
                         }});
    // At equal elements the root has a kink: two or more elements, and no two of them equal.
    cases.push_back({"stddev", [](Draw& draw) {
                         Shape shape = draw.shape(1);
                         const std::size_t axis = draw.below(shape.rank());
                         shape[axis] = 2 + draw.below(3);
                         const auto a = static_cast<std::ptrdiff_t>(axis);
                         const bool keepdims = draw.coin();
                         return operation_case("stddev", "", {draw.array(shape, Domain::distinct)},
                                               [=](const auto& in) { return stddev(in[0], a, keepdims); });
                     }});
    reduction("max", Domain::distinct, false,
              [](const auto& x, const Axes& axes, bool keepdims) { return max(x, axes, keepdims); });
    reduction("min", Domain::distinct, false,
              [](const auto& x, const Axes& axes, bool keepdims) { return min(x, axes, keepdims); });
    for (const bool largest : {true, false}) {
        const char* const name = largest ? "max_with_indices" : "min_with_indices";
        cases.push_back({name, [=](Draw& draw) {
                             const Shape shape = draw.positive_shape(1);
                             const std::ptrdiff_t axis = draw.axis(shape.rank());
                             const bool keepdims = draw.coin();
                             return case_of_one(
                                 name, draw, shape,
                                 [=](const auto& in) {
                                     return largest ? max_with_indices(in[0], axis, keepdims).values
                                                    : min_with_indices(in[0], axis, keepdims).values;
                                 },
                                 Domain::distinct);
                         }});
    }
    reduction("prod", Domain::real, true,
              [](const auto& x, const Axes& axes, bool keepdims) { return prod(x, axes, keepdims); });
    for (const double p : {2.0, 3.0, 1.5})
        reduction("norm", Domain::nonzero, true, [=](const auto& x, const Axes& axes, bool keepdims) {
            // All of no axes: |x|, by the same formula.
            return axes.empty() ? norm(unsqueeze(x, -1), p, -1) : norm(x, p, axes, keepdims);
        });
    const auto along = [&](const char* name, bool empty, auto f) {
        cases.push_back({name, [=](Draw& draw) {
                             Shape shape = empty ? draw.shape(1) : draw.positive_shape(1);
                             const std::ptrdiff_t axis = draw.axis(shape.rank());
                             // The softmax of one number is 1.
                             std::size_t& extent = shape[normalized_axis("", axis, shape.rank())];
                             if (extent == 1) extent = 2 + draw.below(2);
                             return case_of_one(name, draw, shape, [=](const auto& in) { return f(in[0], axis); });
                         }});
    };
    along("cumsum", true, [](const auto& x, std::ptrdiff_t axis) { return cumsum(x, axis); });
    along("softmax", true, [](const auto& x, std::ptrdiff_t axis) { return softmax(x, axis); });
    along("log_softmax", true, [](const auto& x, std::ptrdiff_t axis) { return log_softmax(x, axis); });
    along("logsumexp", false, [](const auto& x, std::ptrdiff_t axis) { return logsumexp(x, axis, true); });
}

void add_products(std::vector<RandomCase>& cases) {
    cases.push_back({"matmul", [](Draw& draw) {
                         Shape batch = draw.shape();
                         while (batch.rank() > 3) batch = batch.erased(0);
                         while (batch.size() > 6) batch = batch.erased(0);
                         const std::size_t m = draw.extent(), k = draw.extent(), n = draw.extent();
                         Shape a = draw.coin() ? batch : draw.part_of(batch), b = draw.part_of(batch);
                         if (draw.coin()) std::swap(a, b);
                         // Without a batch, either may be a vector.
                         if (!a.is_scalar() || draw.below(3) > 0) a.push_back(m);
                         if (!b.is_scalar() || draw.below(3) > 0) {
                             b.push_back(k);
                             b.push_back(n);
                         } else {
                             b.push_back(k);
                         }
                         a.push_back(k);
                         return operation_case("matmul", "", draw.arrays({a, b}),
                                               [](const auto& in) { return matmul(in[0], in[1]); });
                     }});
    cases.push_back({"linear", [](Draw& draw) {
                         Shape x = draw.shape(1);
                         const std::size_t n = draw.extent(), k = x.back();
                         if (draw.coin())
                             return operation_case("linear", "", draw.arrays({x, {n, k}}),
                                                   [](const auto& in) { return linear(in[0], in[1]); });
                         return operation_case("linear", "bias", draw.arrays({x, {n, k}, {n}}),
                                               [](const auto& in) { return linear(in[0], in[1], in[2]); });
                     }});
    cases.push_back({"einsum", [](Draw& draw) {
                         // Random letters: of a, of b, and of the result a part of both.
                         const std::string letters = "ijklm";
                         std::size_t extents[5];
                         for (std::size_t& extent : extents) extent = draw.extent();
                         std::string operands[2], result;
                         Shape shapes[2];
                         for (std::size_t k = 0; k < 2; ++k)
                             for (std::size_t axes = draw.below(4); axes > 0; --axes) {
                                 const std::size_t letter = draw.below(5);
                                 const bool again = operands[k].find(letters[letter]) != std::string::npos;
                                 // A letter twice must stand for one extent; else one of 1 broadcasts.
                                 operands[k] += letters[letter];
                                 shapes[k].push_back(!again && draw.below(6) == 0 ? 1 : extents[letter]);
                                 if (again)
                                     shapes[k][shapes[k].rank() - 1] = shapes[k][operands[k].find(letters[letter])];
                             }
                         for (const char letter : letters)
                             if ((operands[0] + operands[1]).find(letter) != std::string::npos && draw.coin())
                                 result.insert(draw.below(result.size() + 1), 1, letter);
                         const std::string equation = operands[0] + "," + operands[1] + "->" + result;
                         return operation_case("einsum", equation, draw.arrays({shapes[0], shapes[1]}),
                                               [=](const auto& in) { return einsum(equation, in[0], in[1]); });
                     }});
}

void add_shapes(std::vector<RandomCase>& cases) {
    cases.push_back({"reshape", [](Draw& draw) {
                         const Shape shape = draw.shape();
                         Shape flat{1, shape.size()};
                         if (draw.coin() && shape.rank() != 1) flat = flat.erased(0);
                         return case_of_one("reshape", draw, shape,
                                            [=](const auto& in) { return reshape(in[0], flat); });
                     }});
    cases.push_back({"squeeze", [](Draw& draw) {
                         Shape shape = draw.shape(1);
                         const std::ptrdiff_t axis = draw.axis(shape.rank());
                         shape[normalized_axis("", axis, shape.rank())] = 1;
                         return case_of_one("squeeze", draw, shape,
                                            [=](const auto& in) { return squeeze(in[0], axis); });
                     }});
    cases.push_back({"unsqueeze", [](Draw& draw) {
                         const Shape shape = draw.shape();
                         const std::ptrdiff_t axis = draw.axis(shape.rank() + 1);
                         return case_of_one("unsqueeze", draw, shape,
                                            [=](const auto& in) { return unsqueeze(in[0], axis); });
                     }});
    cases.push_back({"transpose", [](Draw& draw) {
                         const Shape shape = draw.shape(2);
                         const auto rank = static_cast<std::ptrdiff_t>(shape.rank()), a = draw.axis(shape.rank());
                         const std::ptrdiff_t b = (a + rank + 1) % rank;
                         return case_of_one("transpose", draw, shape,
                                            [=](const auto& in) { return transpose(in[0], a, b); });
                     }});
    cases.push_back({"permute", [](Draw& draw) {
                         const Shape shape = draw.shape(3);
                         std::vector<std::ptrdiff_t> order(shape.rank());
                         std::iota(order.begin(), order.end(), 0);
                         std::rotate(order.begin(), order.begin() + 1, order.end());
                         if (draw.coin()) std::swap(order[0], order[draw.below(order.size())]);
                         const Axes axes(order);
                         return case_of_one("permute", draw, shape,
                                            [=](const auto& in) { return permute(in[0], axes); });
                     }});
    cases.push_back({"flip", [](Draw& draw) {
                         const Shape shape = draw.shape(1);
                         Axes axes = draw.axes(shape.rank());
                         if (axes.empty()) axes.append(-1);
                         return case_of_one("flip", draw, shape, [=](const auto& in) { return flip(in[0], axes); });
                     }});
    cases.push_back({"broadcast_to", [](Draw& draw) {
                         Shape shape = draw.shape();
                         const Shape part = draw.part_of(shape);
                         if (part == shape) shape = shape.inserted(0, 2);
                         return case_of_one("broadcast_to", draw, part,
                                            [=](const auto& in) { return broadcast_to(in[0], shape); });
                     }});
    cases.push_back({"slice", [](Draw& draw) {
                         Shape shape = draw.shape(1);
                         const std::ptrdiff_t axis = draw.axis(shape.rank());
                         const std::size_t a = normalized_axis("", axis, shape.rank());
                         shape[a] += 1;
                         // Now and then of nothing; never of all, which records nothing.
                         const bool none = shape[a] == 1 || draw.below(8) == 0;
                         const std::size_t start = draw.below(shape[a]), most = shape[a] - start - (start == 0);
                         const std::size_t stop = none ? start : start + 1 + draw.below(most);
                         return case_of_one("slice", draw, shape, [=](const auto& in) {
                             return slice(in[0], axis, static_cast<std::ptrdiff_t>(start),
                                          static_cast<std::ptrdiff_t>(stop));
                         });
                     }});
    cases.push_back({"select", [](Draw& draw) {
                         Shape shape = draw.shape(1);
                         const std::ptrdiff_t axis = draw.axis(shape.rank());
                         std::size_t& extent = shape[normalized_axis("", axis, shape.rank())];
                         extent = std::max<std::size_t>(extent, 1);
                         const std::ptrdiff_t index = draw.axis(extent);
                         return case_of_one("select", draw, shape,
                                            [=](const auto& in) { return select(in[0], axis, index); });
                     }});
    cases.push_back({"pad", [](Draw& draw) {
                         const Shape shape = draw.shape(1);
                         const std::ptrdiff_t axis = draw.axis(shape.rank());
                         const auto before = static_cast<std::ptrdiff_t>(draw.below(3));
                         const auto after = static_cast<std::ptrdiff_t>(draw.below(3)) + (before == 0);
                         return case_of_one("pad", draw, shape,
                                            [=](const auto& in) { return pad(in[0], axis, before, after); });
                     }});
    cases.push_back({"concat", [](Draw& draw) {
                         const Shape shape = draw.shape(1);
                         const std::ptrdiff_t axis = draw.axis(shape.rank());
                         std::vector<Shape> shapes(1 + draw.below(3), shape);
                         for (Shape& s : shapes) s[normalized_axis("", axis, shape.rank())] = draw.extent();
                         return operation_case("concat", "", draw.arrays(shapes),
                                               [=](const auto& in) { return concat(in, axis); });
                     }});
    cases.push_back({"stack", [](Draw& draw) {
                         const Shape shape = draw.shape();
                         const std::ptrdiff_t axis = draw.axis(shape.rank() + 1);
                         return operation_case("stack", "", draw.arrays(std::vector<Shape>(1 + draw.below(3), shape)),
                                               [=](const auto& in) { return stack(in, axis); });
                     }});
}

void add_indexing(std::vector<RandomCase>& cases) {
    struct Place {
        Shape x, source;
        std::ptrdiff_t axis;
        Indices indices;
    };
    const auto slices = [](Draw& draw) {
        Place place{draw.shape(1), {}, 0, {}};
        place.axis = draw.axis(place.x.rank());
        const std::size_t axis = normalized_axis("", place.axis, place.x.rank());
        place.x[axis] = draw.positive_extent();
        Shape s;
        for (std::size_t rank = draw.below(3); rank > 0; --rank) s.push_back(draw.extent());
        place.indices = draw.indices(s, place.x[axis]);
        for (std::size_t a = 0; a < axis; ++a) place.source.push_back(place.x[a]);
        for (const std::size_t extent : s) place.source.push_back(extent);
        for (std::size_t a = axis + 1; a < place.x.rank(); ++a) place.source.push_back(place.x[a]);
        return place;
    };
    const auto elements = [](Draw& draw) {
        Place place{draw.shape(1), {}, 0, {}};
        place.axis = draw.axis(place.x.rank());
        const std::size_t axis = normalized_axis("", place.axis, place.x.rank());
        place.x[axis] = draw.positive_extent();
        place.source = place.x;
        for (std::size_t a = 0; a < place.x.rank(); ++a)
            if (a == axis)
                place.source[a] = draw.extent();
            else if (draw.below(4) == 0 && place.x[a] > 0)
                place.source[a] = 1 + draw.below(place.x[a]);
        place.indices = draw.indices(place.source, place.x[axis]);
        return place;
    };
    cases.push_back({"index_select", [=](Draw& draw) {
                         const Place p = slices(draw);
                         return case_of_one("index_select", draw, p.x,
                                            [=](const auto& in) { return index_select(in[0], p.axis, p.indices); });
                     }});
    cases.push_back({"index_add", [=](Draw& draw) {
                         const Place p = slices(draw);
                         return operation_case("index_add", "", draw.arrays({p.x, p.source}), [=](const auto& in) {
                             return index_add(in[0], p.axis, p.indices, in[1]);
                         });
                     }});
    cases.push_back({"gather", [=](Draw& draw) {
                         const Place p = elements(draw);
                         return case_of_one("gather", draw, p.x,
                                            [=](const auto& in) { return gather(in[0], p.axis, p.indices); });
                     }});
    cases.push_back({"scatter_add", [=](Draw& draw) {
                         const Place p = elements(draw);
                         return operation_case("scatter_add", "", draw.arrays({p.x, p.source}), [=](const auto& in) {
                             return scatter_add(in[0], p.axis, p.indices, in[1]);
                         });
                     }});
    cases.push_back({"dropout", [](Draw& draw) {
                         const std::uint64_t seed = draw.below(1000);
                         return case_of_one("dropout", draw, draw.shape(), [=](const auto& in) {
                             Generator generator(seed);
                             return dropout(in[0], 0.3, generator);
                         });
                     }});
}

void add_losses(std::vector<RandomCase>& cases) {
    const auto of_difference = [&](const char* name, auto f) {
        cases.push_back({name, [=](Draw& draw) {
                             const Shape shape = draw.shape();
                             // A mean over nothing is NaN.
                             const bool empty = shape.size() == 0;
                             const Reduction reduction = draw.coin() || empty ? Reduction::sum : Reduction::mean;
                             OperationCase c =
                                 operation_case(name, "", draw.arrays({shape, shape}, Domain::distinct),
                                                [=](const auto& in) { return f(in[0], in[1], reduction); });
                             c.kinked = true;
                             return c;
                         }});
    };
    of_difference("mse_loss", [](const auto& a, const auto& b, Reduction r) { return mse_loss(a, b, r); });
    of_difference("l1_loss", [](const auto& a, const auto& b, Reduction r) { return l1_loss(a, b, r); });
    of_difference("huber_loss", [](const auto& a, const auto& b, Reduction r) {
        return huber_loss(a, b, {.delta = 0.731, .reduction = r});
    });
    const auto of_classes = [&](const char* name, auto f) {
        cases.push_back({name, [=](Draw& draw) {
                             Shape shape = draw.shape(1);
                             std::size_t& classes = shape[shape.rank() - 1];
                             classes = draw.positive_extent() + 1;
                             const Indices targets = draw.indices(shape.erased(shape.rank() - 1), classes);
                             const Array<double> weight = draw.array(Shape{classes}, Domain::positive);
                             const std::int64_t ignore = draw.coin() ? 0 : -100;
                             auto reduction = static_cast<Reduction>(draw.below(3));
                             // A mean over nothing is NaN: all may be ignored.
                             if (reduction == Reduction::mean && (ignore == 0 || shape.size() == 0))
                                 reduction = Reduction::sum;
                             return case_of_one(name, draw, shape, [=](const auto& in) {
                                 using T = ScalarOf<decltype(in)>;
                                 return f(in[0], targets, as<T>(weight), reduction, ignore);
                             });
                         }});
    };
    of_classes("nll_loss",
               [](const auto& x, const Indices& targets, const auto& weight, Reduction r, std::int64_t ignore) {
                   return nll_loss(x, targets, {.reduction = r, .ignore_index = ignore, .weight = weight});
               });
    of_classes("cross_entropy",
               [](const auto& x, const Indices& targets, const auto& weight, Reduction r, std::int64_t ignore) {
                   return cross_entropy(
                       x, targets, {.reduction = r, .ignore_index = ignore, .weight = weight, .label_smoothing = 0.1});
               });
}

}  // namespace

std::vector<RandomCase> random_cases() {
    std::vector<RandomCase> cases = random_elementwise();
    add_reductions(cases);
    add_products(cases);
    add_shapes(cases);
    add_indexing(cases);
    add_losses(cases);
    return cases;
}

std::vector<std::string> without_random_case(const std::vector<CatalogueEntry>& catalogue,
                                             const std::vector<RandomCase>& cases) {
    std::vector<std::string> result;
    for (const CatalogueEntry& entry : catalogue) {
        const auto has_name = [&](const RandomCase& c) { return c.operation == entry.info.name; };
        if (entry.differentiable && std::none_of(cases.begin(), cases.end(), has_name))
            result.emplace_back(entry.info.name);
    }
    return result;
}

namespace {

/// The same case with its inputs lying otherwise, and some of them the same variable.
OperationCase rearranged(Draw& draw, OperationCase c) {
    enum class Lies { as_it_is, transposed, behind };
    struct Place {
        std::size_t input;
        Lies lies;
        std::ptrdiff_t a, b;
    };
    std::vector<Place> places;
    std::vector<Array<double>> inputs;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        const Array<double>& x = c.inputs[i];
        const std::size_t rank = x.dimension();
        Place place{inputs.size(), Lies::as_it_is, 0, 0};
        if (i > 0 && !c.kinked && x.shape() == c.inputs[0].shape() && draw.below(4) == 0) {
            place = places[0];  // the first input again
        } else if (rank >= 2 && draw.coin()) {
            place.a = draw.axis(rank);
            place.b = draw.axis(rank);
            place.lies = Lies::transposed;
            inputs.push_back(swapped(x, place.a, place.b));
        } else if (rank >= 1 && draw.coin()) {
            place.lies = Lies::behind;
            inputs.push_back(preceded(x));
        } else {
            inputs.push_back(x);
        }
        places.push_back(place);
    }
    const bool twice = draw.below(4) == 0;
    c.inputs = inputs;
    c.in_double = [f = c.in_double, places, twice](const Variables<double>& in) {
        Variables<double> xs;
        for (const Place& place : places) {
            const Variable<double>& x = in[place.input];
            switch (place.lies) {
                case Lies::transposed:
                    xs.push_back(transpose(x, place.a, place.b));
                    break;
                case Lies::behind:
                    xs.push_back(slice(x, 0, 1, static_cast<std::ptrdiff_t>(x.shape()[0])));
                    break;
                default:
                    xs.push_back(x);
            }
        }
        const Variable<double> y = f(xs);
        return twice ? y + 0.5 * f(xs) : y;
    };
    return c;
}

}  // namespace

Tally check_random_cases(const RandomCase& of, std::size_t count, bool empty) {
    Tally tally;
    for (std::size_t seed = 0; seed < count; ++seed) {
        Draw draw(seed, empty);
        const OperationCase c = rearranged(draw, of.draw(draw));
        GradCheckOptions options;
        options.seed = seed;
        options.allow_zero_gradient = true;
        const GradCheckReport first = gradcheck(c.in_double, c.inputs, options);
        const GradCheckReport second = gradgradcheck(c.in_double, c.inputs, options);
        ++tally.checked;
        tally.vacuous += first.largest_gradient == 0;
        for (const GradCheckReport& report : {first, second})
            if (!report.passed)
                tally.failures.push_back(fmt::format("{} {} {}, seed {}, {} derivative: {}", c.operation, c.label,
                                                     shapes_of(c.inputs), seed, &report == &first ? "first" : "second",
                                                     report.message));
    }
    return tally;
}

}  // namespace ebb::test
