#pragma once

#include <ebb/autograd/operations/dropout.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>

#include <string>

namespace ebb {

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
    Variable<T> operator()(const Variable<T>& x, SourceLine at = source_line()) const;
    double p() const noexcept { return p_; }

  private:
    double p_;
};

}  // namespace ebb
