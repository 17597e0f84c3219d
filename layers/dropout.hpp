#pragma once

#include <ebb/autograd/variable.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/module.hpp>

#include <string>

namespace ebb {

/// y = x . m / (1 - p), m ~ Bernoulli(1 - p) for each element: what is left is enlarged, so that y is x in expectation
/// and nothing need be scaled when dropout is off (Srivastava et al. 2014, in the inverted form of PyTorch). dx = dy .
/// m / (1 - p) with the same m. With p = 1, y is 0; with p = 0 it is x itself, and nothing is drawn. Throws ValueError
/// unless 0 <= p <= 1.
template <class T>
Variable<T> dropout(const Variable<T>& x, double p, Generator& generator = default_generator());

struct DropoutOptions {
    double p = 0.5;  ///< how probable it is that an element is dropped
    std::string name = {};
};

/// `dropout` in training mode, with the calling thread's generator; x itself in evaluation mode (torch.nn.Dropout).
/// Every call draws anew. Throws ValueError at construction unless 0 <= p <= 1.
template <class T>
class Dropout : public Module<T> {
  public:
    using Options = DropoutOptions;
    explicit Dropout(const Options& options = {});
    Variable<T> operator()(const Variable<T>& x) const;
    double p() const noexcept { return p_; }

  private:
    double p_;
};

extern template class Dropout<float>;
extern template class Dropout<double>;

}  // namespace ebb
