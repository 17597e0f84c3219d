#pragma once
/// Dropout for sequences: on what all time steps have in common. Dropping anew at each step what a recurrent network
/// remembers would erase it in time; these do not.
///
/// Each draws from the generator given, the thread's own by default, and is meant for training: a model asks
/// `training()` before it calls one of the functions. Each throws ValueError unless 0 <= p <= 1.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/module.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace ebb {
namespace detail {
/// Throws the ValueError of a cell whose state goes around its products as well as into them.
[[noreturn]] void refuse_state_rate(double rate, const std::string& cell);
}  // namespace detail

/// Locked dropout: y[t, b, f] = x[t, b, f] m[b, f] / (1 - p), the same m ~ Bernoulli(1 - p) for all t (Gal, Ghahramani
/// 2016; Merity, Keskar, Socher 2018, sect. 4.2). x [T, B, F]; throws ShapeError for another rank.
template <class T>
Variable<T> locked_dropout(const Variable<T>& x, double p, Generator& generator = default_generator(),
                           SourceLine at = source_line());

struct LockedDropoutOptions {
    double p = 0.5;
    std::string name = {};
};
/// `locked_dropout` in training mode, x itself in evaluation mode. Every call draws anew.
template <class T>
class LockedDropout : public Module<T> {
  public:
    using Options = LockedDropoutOptions;
    explicit LockedDropout(const Options& options = {});
    Variable<T> operator()(const Variable<T>& x, SourceLine at = source_line()) const;

  private:
    double p_;
};

/// Embedding dropout: whole words are dropped, each wherever it stands, y[.., e] = W[v, e] m[v] / (1 - p) with one
/// m ~ Bernoulli(1 - p) for each row v of the vocabulary (Gal, Ghahramani 2016, sect. 4.2; Merity et al. 2018, sect.
/// 4.3). Throws as Embedding.
template <class T>
Variable<T> embedding_dropout(const Embedding<T>& embedding, const Indices& indices, double p,
                              Generator& generator = default_generator(), SourceLine at = source_line());

// ---- for cells ----------------------------------------------------------------------------------------------------

/// A constant of ones, with probability p, and zeros.
template <class T>
Variable<T> bernoulli_on(Tape<T>& tape, const Shape& shape, double p, Generator& generator = default_generator());

/// Factors 0 or 1 / (1 - p) for rows that are the same at each step of a sequence. As rows are added to a batch, as in
/// a sequence that is read from its end, their factors are drawn; those of the others stay.
template <class T>
class SequenceMask {
  public:
    /// shape [rows, width]
    Variable<T> on(Tape<T>& tape, const Shape& shape, double p, Generator& generator = default_generator());

  private:
    std::vector<T> factors_;
};

}  // namespace ebb
