#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/einsum.hpp>
#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/operations/linear_algebra.hpp>
#include <ebb/autograd/operations/reductions.hpp>
#include <ebb/autograd/operations/shape_operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

struct Equation {
    std::vector<std::string> operands;  // the letters of each
    std::string result;
};

[[noreturn]] void fail_equation(std::string_view equation, const std::string& what) {
    fail<ValueError>(fmt::format("einsum: \"{}\": {}", equation, what));
}

bool contains(const std::string& letters, char letter) {
    return letters.find(letter) != std::string::npos;
}

/// Axes that an ellipsis stands for have digits in the place of letters, the last axis the last digit: so those of two
/// operands meet as broadcasting has it.
constexpr std::string_view ellipsis_letters = "0123456789";
static_assert(ellipsis_letters.size() >= Shape::max_rank);
constexpr char ellipsis = '\1';  // in the place of three dots: nobody writes it

/// Without spaces, and with one character for an ellipsis.
std::string shortened(std::string_view equation) {
    std::string text;
    for (const char c : equation)
        if (c != ' ') text += c;
    for (std::size_t place = 0; (place = text.find("...", place)) != std::string::npos;)
        text.replace(place, 3, 1, ellipsis);
    return text;
}

/// With digits for its ellipsis, which stands for `count` axes.
std::string expanded(std::string letters, std::size_t count) {
    const std::size_t place = letters.find(ellipsis);
    if (place == std::string::npos) return letters;
    return letters.replace(place, 1, ellipsis_letters.substr(ellipsis_letters.size() - count));
}

Equation parsed(std::string_view equation, const std::vector<const Shape*>& shapes) {
    const std::string text = shortened(equation);
    const std::size_t arrow = text.find("->");
    const std::string left = text.substr(0, arrow);
    const auto check_letter = [&](char c) {
        if (!std::isalpha(static_cast<unsigned char>(c)) && c != ellipsis)
            fail_equation(equation, fmt::format("'{}' is no letter: expected as in \"ij,jk->ik\"", c));
    };
    Equation result;
    result.operands.emplace_back();
    for (const char c : left) {
        if (c == ',') {
            result.operands.emplace_back();
            continue;
        }
        check_letter(c);
        if (c == ellipsis && contains(result.operands.back(), c))
            fail_equation(equation, "an operand has an ellipsis twice");
        result.operands.back() += c;
    }
    if (result.operands.size() != shapes.size())
        fail_equation(equation, fmt::format("it is for {} operand{}, {} {} given", result.operands.size(),
                                            result.operands.size() == 1 ? "" : "s", shapes.size(),
                                            shapes.size() == 1 ? "is" : "are"));
    if (arrow == std::string::npos) {
        for (const char c : left)
            if (c != ',' && c != ellipsis && std::count(left.begin(), left.end(), c) == 1) result.result += c;
        std::sort(result.result.begin(), result.result.end());
        if (contains(left, ellipsis)) result.result.insert(result.result.begin(), ellipsis);
    } else {
        for (const char c : text.substr(arrow + 2)) {
            check_letter(c);
            const std::string what = c == ellipsis ? "an ellipsis" : fmt::format("'{}'", c);
            if (contains(result.result, c)) fail_equation(equation, fmt::format("the result has {} twice", what));
            if (!contains(left, c)) fail_equation(equation, fmt::format("the result has {}, no operand has", what));
            result.result += c;
        }
    }
    std::size_t longest = 0;
    for (std::size_t k = 0; k < shapes.size(); ++k) {
        std::string& letters = result.operands[k];
        if (!contains(letters, ellipsis)) continue;
        const std::size_t named = letters.size() - 1, rank = shapes[k]->rank();
        const std::size_t count = rank > named ? rank - named : 0;
        letters = expanded(letters, count);
        longest = std::max(longest, count);
    }
    result.result = expanded(result.result, longest);
    return result;
}

/// An array whose axes have letters, no two of them the same.
template <class T>
struct Lettered {
    Variable<T> x;
    std::string letters;

    std::size_t extent(char letter) const { return x.shape()[letters.find(letter)]; }

    void order(const std::string& wanted) {
        Axes axes;
        for (const char letter : wanted) axes.append(static_cast<std::ptrdiff_t>(letters.find(letter)));
        x = permute(x, axes);
        letters = wanted;
    }
    void sum_out(const std::string& gone) {
        if (gone.empty()) return;
        Axes axes;
        for (const char letter : gone) axes.append(static_cast<std::ptrdiff_t>(letters.find(letter)));
        x = sum(x, axes);
        std::erase_if(letters, [&](char letter) { return contains(gone, letter); });
    }
};

/// Two axes of extent n become one, the diagonal: of their n^2 elements every (n + 1)-th.
template <class T>
Variable<T> diagonal(const Variable<T>& x, std::size_t first, std::size_t second) {
    Axes order;
    Shape shape;
    for (std::size_t axis = 0; axis < x.shape().rank(); ++axis)
        if (axis != first && axis != second) {
            order.append(static_cast<std::ptrdiff_t>(axis));
            shape.push_back(x.shape()[axis]);
        }
    order.append(static_cast<std::ptrdiff_t>(first));
    order.append(static_cast<std::ptrdiff_t>(second));
    const std::size_t n = x.shape()[first];
    shape.push_back(n * n);
    Indices places = Indices::from_shape({n});
    for (std::size_t k = 0; k < n; ++k) places(k) = static_cast<std::int64_t>(k * (n + 1));
    return index_select(reshape(permute(x, order), shape), -1, places);
}

/// Throws unless every axis has a letter and every letter one extent: before anything is recorded.
void check_shapes(std::string_view equation, const Equation& e, const std::vector<const Shape*>& shapes) {
    for (std::size_t k = 0; k < shapes.size(); ++k)
        if (e.operands[k].size() != shapes[k]->rank())
            fail<ShapeError>(fmt::format("einsum: \"{}\": \"{}\" is {}: expected an axis for each letter", equation,
                                         e.operands[k], to_string(*shapes[k])));
    std::map<char, std::size_t> extents;
    for (std::size_t k = 0; k < shapes.size(); ++k) {
        std::map<char, std::size_t> own;
        for (std::size_t axis = 0; axis < shapes[k]->rank(); ++axis) {
            const char letter = e.operands[k][axis];
            const std::size_t extent = (*shapes[k])[axis];
            const std::size_t other = own.try_emplace(letter, extent).first->second;
            if (other != extent)
                fail<ShapeError>(
                    fmt::format("einsum: \"{}\": {} is {} and {} in one operand", equation, letter, other, extent));
        }
        for (const auto& [letter, extent] : own) {
            std::size_t& known = extents.try_emplace(letter, extent).first->second;
            if (known != extent && known != 1 && extent != 1)
                fail<ShapeError>(fmt::format("einsum: \"{}\": {} is {} in one operand and {} in the other", equation,
                                             std::isdigit(static_cast<unsigned char>(letter))
                                                 ? "an axis of the ellipsis"
                                                 : std::string(1, letter),
                                             known, extent));
            if (known == 1) known = extent;
        }
    }
}

template <class T>
Lettered<T> lettered(Variable<T> x, std::string letters) {
    for (std::size_t first = 0; first < letters.size();) {
        const char letter = letters[first];
        const std::size_t second = letters.find(letter, first + 1);
        if (second == std::string::npos) {
            ++first;
            continue;
        }
        x = diagonal(x, first, second);  // which comes last
        letters.erase(second, 1);
        letters.erase(first, 1);
        letters += letter;
    }
    return {x, letters};
}

template <class T>
Variable<T> sum_of_products(Lettered<T> left, Lettered<T> right, const std::string& result) {
    // What of it is no axis of the product: an extent of 1 that meets a longer one, and what is summed in one operand.
    const auto shorten = [&](auto is_gone) {
        const auto gone = [&](const Lettered<T>& x, const Lettered<T>& other) {
            std::string letters = x.letters;
            std::erase_if(letters, [&](char letter) { return !is_gone(letter, x, other); });
            return letters;
        };
        const std::string from_left = gone(left, right), from_right = gone(right, left);
        left.sum_out(from_left);
        right.sum_out(from_right);
    };
    shorten([](char letter, const Lettered<T>& x, const Lettered<T>& other) {
        return contains(other.letters, letter) && x.extent(letter) == 1 && other.extent(letter) != 1;
    });
    shorten([&](char letter, const Lettered<T>&, const Lettered<T>& other) {
        return !contains(other.letters, letter) && !contains(result, letter);
    });

    std::string batch, rows, inner, columns;
    std::size_t batch_size = 1, row_count = 1, inner_size = 1, column_count = 1;
    Shape shape;
    for (const char letter : left.letters)
        if (contains(right.letters, letter)) {
            (contains(result, letter) ? batch : inner) += letter;
            (contains(result, letter) ? batch_size : inner_size) *= left.extent(letter);
        } else {
            rows += letter;
            row_count *= left.extent(letter);
        }
    for (const char letter : right.letters)
        if (!contains(left.letters, letter)) {
            columns += letter;
            column_count *= right.extent(letter);
        }
    for (const char letter : batch + rows) shape.push_back(left.extent(letter));
    for (const char letter : columns) shape.push_back(right.extent(letter));

    left.order(batch + rows + inner);
    right.order(batch + inner + columns);
    const bool batched = !batch.empty();
    const Variable<T> a =
        reshape(left.x, batched ? Shape{batch_size, row_count, inner_size} : Shape{row_count, inner_size});
    const Variable<T> b =
        reshape(right.x, batched ? Shape{batch_size, inner_size, column_count} : Shape{inner_size, column_count});
    Lettered<T> y{reshape(matmul(a, b), shape), batch + rows + columns};
    y.order(result);
    return y.x;
}

}  // namespace

template <class T>
Variable<T> einsum(std::string_view equation, const Variable<T>& a, SourceLine at) {
    const CalledFrom call(at);
    const std::vector<const Shape*> shapes{&a.shape()};
    const Equation e = parsed(equation, shapes);
    check_shapes(equation, e, shapes);
    Lettered<T> x = lettered(a, e.operands[0]);
    std::string summed = x.letters;
    std::erase_if(summed, [&](char letter) { return contains(e.result, letter); });
    x.sum_out(summed);
    x.order(e.result);
    return x.x;
}

template <class T>
Variable<T> einsum(std::string_view equation, const Variable<T>& a, Operand<T> b, SourceLine at) {
    const CalledFrom call(at);
    a.tape().check("einsum", b);
    const std::vector<const Shape*> shapes{&a.shape(), &b.shape()};
    const Equation e = parsed(equation, shapes);
    check_shapes(equation, e, shapes);
    return sum_of_products(lettered(a, e.operands[0]), lettered(Variable<T>(b), e.operands[1]), e.result);
}

std::vector<CatalogueEntry> einsum_catalogue() {
    return {derived("einsum", "y = the sum of a b over the letters that y has not",
                    "da, db: einsum of dy and the other", "permute, reshape, matmul, sum, index_select", 2)};
}

#define EBB_INSTANTIATE(T)                                                                     \
    template Variable<T> einsum(std::string_view, const Variable<T>&, Operand<T>, SourceLine); \
    template Variable<T> einsum(std::string_view, const Variable<T>&, SourceLine);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
