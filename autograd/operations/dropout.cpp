#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/dropout.hpp>
#include <ebb/autograd/operations/elementwise.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <fmt/format.h>

namespace ebb {
namespace {

/// Saved: m / (1 - p).
template <class T>
struct DropoutSaved {
    const T* factors;
};

template <class T>
class DropoutOperation final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"dropout", "y = x m / (1 - p), m ~ Bernoulli(1 - p)",
                                            "dx = dy m / (1 - p)"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const T* const factors = pass.template saved<DropoutSaved<T>>().factors;
        pass.accumulate(0, pass.dy() * pass.tape().constant(factors, pass.node().shape));
    }
    void backward(Backward<T>& pass) const override {
        const T* const factors = pass.template saved<DropoutSaved<T>>().factors;
        const T* const dy = pass.dy();
        const GradientTarget<T> dx = pass.target(0);
        const std::size_t size = pass.node().shape.size();
        if (dx.assign)
            for (std::size_t i = 0; i < size; ++i) dx.data[i] = dy[i] * factors[i];
        else
            for (std::size_t i = 0; i < size; ++i) dx.data[i] += dy[i] * factors[i];
    }
};

}  // namespace

template <class T>
Variable<T> dropout(const Variable<T>& x, double p, Generator& generator, SourceLine at) {
    const CalledFrom call(at);
    static const DropoutOperation<T> operation;
    check_probability("dropout", p);
    if (p == 0) return x;
    Tape<T>& tape = x.tape();
    const std::size_t size = x.size();
    const auto recorded = tape.record(operation, {x}, x.shape());
    T* const factors = tape.allocate(size);
    fill_bernoulli(factors, size, 1 - p, generator);
    const T scale = p == 1 ? T(0) : static_cast<T>(1 / (1 - p));
    const T* const values = x.node().value;
    for (std::size_t i = 0; i < size; ++i) {
        factors[i] *= scale;
        recorded.value[i] = values[i] * factors[i];
    }
    if (recorded.recorded) tape.save(recorded.node, DropoutSaved<T>{factors});
    return tape.at(recorded.index);
}

std::vector<CatalogueEntry> dropout_catalogue() {
    return {{DropoutOperation<double>().info(), 1}};
}

template Variable<float> dropout(const Variable<float>&, double, Generator&, SourceLine);
template Variable<double> dropout(const Variable<double>&, double, Generator&, SourceLine);

}  // namespace ebb
