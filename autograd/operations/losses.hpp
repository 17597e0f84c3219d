#pragma once
/// Losses: how far predictions are from targets, as one number (Reduction::mean, sum) or element by element (none).
///
/// The letters: N, the predictions; C, the classes. Predictions and targets are of one shape. The classic mistake,
/// [3] - [3, 1], broadcasts to [3, 3] and trains towards nonsense; here it is a ShapeError.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/array.hpp>

#include <cstdint>
#include <optional>

namespace ebb {

enum class Reduction { mean, sum, none };

/// (prediction - target)^2, one node. Throws ShapeError where the shapes differ.
template <class T>
Variable<T> mse_loss(const Variable<T>& prediction, Operand<T> target, Reduction reduction = Reduction::mean,
                     SourceLine at = source_line());

/// |prediction - target|. Throws ShapeError where the shapes differ.
template <class T>
Variable<T> l1_loss(const Variable<T>& prediction, Operand<T> target, Reduction reduction = Reduction::mean,
                    SourceLine at = source_line());

struct HuberOptions {
    double delta = 1;  ///< where the loss turns from quadratic to linear
    Reduction reduction = Reduction::mean;
};
/// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), for d = prediction - target.
/// Throws ShapeError where the shapes differ, ValueError unless delta > 0.
template <class T>
Variable<T> huber_loss(const Variable<T>& prediction, Operand<T> target, const HuberOptions& options = {},
                       SourceLine at = source_line());

template <class T>
struct NllOptions {
    Reduction reduction = Reduction::mean;
    std::int64_t ignore_index = -100;  ///< predictions with this target have no part in the loss
    std::optional<Array<T>> weight{};  ///< [C]: how much each class counts; 1 without it
};
/// -weight[target] log_probabilities[.., target]: log_probabilities [.., C], targets of its leading shape. The mean is
/// over the weights, as PyTorch's: sum of the losses / sum of weight[target]; NaN where every target is ignored.
/// Unlike in PyTorch the classes are always the last axis.
/// Throws ShapeError where shapes do not fit, and IndexError, naming the first wrong target, unless 0 <= target < C or
/// it is ignored.
template <class T>
Variable<T> nll_loss(const Variable<T>& log_probabilities, const Indices& targets,
                     const std::type_identity_t<NllOptions<T>>& options = {}, SourceLine at = source_line());

template <class T>
struct CrossEntropyOptions {
    Reduction reduction = Reduction::mean;
    std::int64_t ignore_index = -100;  ///< predictions with this target have no part in the loss
    std::optional<Array<T>> weight{};  ///< [C]: how much each class counts; 1 without it
    double label_smoothing = 0;        ///< e in [0, 1]: the target is (1 - e) the class + e / C every class
};
/// nll_loss(log_softmax(logits), targets) in one node: logits [.., C], targets of its leading shape.
/// Throws as nll_loss, and ValueError for a label_smoothing outside of [0, 1].
template <class T>
Variable<T> cross_entropy(const Variable<T>& logits, const Indices& targets,
                          const std::type_identity_t<CrossEntropyOptions<T>>& options = {},
                          SourceLine at = source_line());

template <class T>
struct BinaryCrossEntropyOptions {
    Reduction reduction = Reduction::mean;
    std::optional<Array<T>> weight{};           ///< of each element; broadcasts to the shape of the logits
    std::optional<Array<T>> positive_weight{};  ///< of the positive class (PyTorch's pos_weight); broadcasts likewise
};
/// -w (p t log(sigmoid(x)) + (1 - t) log(1 - sigmoid(x))) for logits x and targets t in [0, 1], safe for every x.
/// The mean divides by the number of elements. Throws ShapeError where the shapes differ or a weight does not
/// broadcast.
template <class T>
Variable<T> binary_cross_entropy_with_logits(const Variable<T>& logits, Operand<T> targets,
                                             const std::type_identity_t<BinaryCrossEntropyOptions<T>>& options = {},
                                             SourceLine at = source_line());

}  // namespace ebb
