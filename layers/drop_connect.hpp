#pragma once

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/substitution.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/module.hpp>

#include <deque>

namespace ebb {

/// DropConnect on recurrent weights (Wan et al. 2013; Merity, Keskar, Socher 2018, sect. 2): while in scope, a layer or
/// a cell computes with W . m / (1 - p) in the place of W, one m ~ Bernoulli(1 - p) for each element of the weight. The
/// mask is drawn at construction, so all steps of a sequence have the same.
///
///     const DropConnect dropped(lstm, 0.5);  // W_hh of all of its layers and directions
///     const auto output = lstm(x).output;
///
/// Of a module all parameters are meant whose names begin with "weight_hh", in training mode; in evaluation mode
/// nothing happens. Throws ValueError unless 0 <= p <= 1, and for a module without any: name the weight of a cell of
/// your own.
template <class T>
class DropConnect {
  public:
    DropConnect(const Module<T>& module, double p, Generator& generator = default_generator(),
                SourceLine at = source_line());
    /// Of one weight, in either mode.
    DropConnect(const Parameter<T>& weight, double p, Generator& generator = default_generator(),
                SourceLine at = source_line());

  private:
    std::deque<Substitution<T>> weights_;
};

}  // namespace ebb
