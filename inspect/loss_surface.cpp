#include <ebb/core/error.hpp>
#include <ebb/core/norm.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/inspect/loss_surface.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ebb::inspect {
namespace {

/// Puts the values back on every way out.
template <class T>
class RestoreAtExit {
  public:
    explicit RestoreAtExit(const std::vector<Parameter<T>>& parameters) : parameters_(parameters) {
        for (const Parameter<T>& parameter : parameters) values.push_back(parameter.value());
    }
    ~RestoreAtExit() {
        for (std::size_t k = 0; k < values.size(); ++k)
            std::copy_n(values[k].data(), values[k].size(), parameters_[k].mutable_value().data());
    }
    RestoreAtExit(const RestoreAtExit&) = delete;
    RestoreAtExit& operator=(const RestoreAtExit&) = delete;

    std::vector<Array<T>> values;

  private:
    std::vector<Parameter<T>> parameters_;  // handles
};

template <class T>
void check_direction(const char* which, const std::vector<Parameter<T>>& parameters, const Direction<T>& direction) {
    if (direction.size() != parameters.size())
        fail<ShapeError>(
            fmt::format("loss_surface: the {} direction has {} arrays, there are {} parameters: expected "
                        "an array for each",
                        which, direction.size(), parameters.size()));
    for (std::size_t k = 0; k < parameters.size(); ++k)
        if (Shape::of(direction[k].shape()) != parameters[k].shape())
            fail<ShapeError>(
                fmt::format("loss_surface: the {} direction is {} for {}, which is {}: expected the same "
                            "shape",
                            which, to_string(Shape::of(direction[k].shape())), parameters[k].name(),
                            to_string(parameters[k].shape())));
}

std::vector<double> axis(const char* name, double low, double high, std::size_t points) {
    if (points == 0) fail<ValueError>(fmt::format("loss_surface: {} has no points: expected at least one", name));
    if (!std::isfinite(low) || !std::isfinite(high) || !(points == 1 ? low <= high : low < high))
        fail<ValueError>(
            fmt::format("loss_surface: {} goes from {} to {}: expected two finite, rising numbers", name, low, high));
    std::vector<double> at(points, low);
    for (std::size_t i = 1; i < points; ++i)
        at[i] = low + (high - low) * static_cast<double>(i) / static_cast<double>(points - 1);
    return at;
}

template <class T>
void scale_to(T* direction, const T* weight, std::size_t size) {
    const double length = frobenius_norm(direction, size);
    const double factor = length > 0 ? frobenius_norm(weight, size) / length : 0;
    for (std::size_t i = 0; i < size; ++i) direction[i] = static_cast<T>(static_cast<double>(direction[i]) * factor);
}

template <class T>
Array<T> zeros_like(const Parameter<T>& parameter) {
    Array<T> zeros = Array<T>::from_shape(parameter.value().shape());
    zeros.fill(T(0));
    return zeros;
}

}  // namespace

template <class T>
Direction<T> random_direction(const std::vector<Parameter<T>>& parameters, Generator& generator, DirectionScale scale) {
    Direction<T> direction;
    for (const Parameter<T>& parameter : parameters) {
        Array<T>& d = direction.emplace_back(zeros_like(parameter));
        fill_normal(d.data(), d.size(), 0, 1, generator);
        const T* const weight = parameter.value().data();
        if (scale == DirectionScale::parameter) scale_to(d.data(), weight, d.size());
        if (scale != DirectionScale::filter) continue;
        if (parameter.shape().rank() < 2) {
            d.fill(T(0));
            continue;
        }
        const std::size_t rows = parameter.shape()[0], columns = d.size() / std::max<std::size_t>(rows, 1);
        for (std::size_t r = 0; r < rows; ++r) scale_to(d.data() + r * columns, weight + r * columns, columns);
    }
    return direction;
}

template <class T>
Direction<T> element_direction(const std::vector<Parameter<T>>& parameters, std::size_t parameter,
                               std::size_t flat_index) {
    if (parameter >= parameters.size())
        fail<IndexError>(
            fmt::format("element_direction: parameter is {}: expected less than {}", parameter, parameters.size()));
    if (flat_index >= parameters[parameter].size())
        fail<IndexError>(fmt::format("element_direction: flat_index is {}, {} is {}: expected less than {}", flat_index,
                                     parameters[parameter].name(), to_string(parameters[parameter].shape()),
                                     parameters[parameter].size()));
    Direction<T> direction;
    for (const Parameter<T>& each : parameters) direction.push_back(zeros_like(each));
    direction[parameter].data()[flat_index] = 1;
    return direction;
}

template <class T>
LossSurface loss_surface(const std::function<double()>& loss, const std::vector<Parameter<T>>& parameters,
                         const Direction<T>& first, const Direction<T>& second, const LossSurfaceOptions& options) {
    if (!loss) fail<ValueError>("loss_surface: the loss function is empty");
    check_direction("first", parameters, first);
    check_direction("second", parameters, second);
    LossSurface surface;
    surface.alpha = axis("alpha", options.alpha_low, options.alpha_high, options.alpha_points);
    surface.beta = axis("beta", options.beta_low, options.beta_high, options.beta_points);
    surface.centre = loss();
    const RestoreAtExit<T> origin(parameters);
    for (const double beta : surface.beta)
        for (const double alpha : surface.alpha) {
            for (std::size_t k = 0; k < parameters.size(); ++k) {
                Parameter<T> parameter = parameters[k];
                T* const w = parameter.mutable_value().data();
                const T *const w0 = origin.values[k].data(), *const d1 = first[k].data(), *const d2 = second[k].data();
                for (std::size_t i = 0; i < parameter.size(); ++i)
                    w[i] = static_cast<T>(static_cast<double>(w0[i]) + alpha * static_cast<double>(d1[i]) +
                                          beta * static_cast<double>(d2[i]));
            }
            surface.loss.push_back(loss());
        }
    return surface;
}

#define EBB_INSTANTIATE(T)                                                                                \
    template Direction<T> random_direction(const std::vector<Parameter<T>>&, Generator&, DirectionScale); \
    template Direction<T> element_direction(const std::vector<Parameter<T>>&, std::size_t, std::size_t);  \
    template LossSurface loss_surface(const std::function<double()>&, const std::vector<Parameter<T>>&,   \
                                      const Direction<T>&, const Direction<T>&, const LossSurfaceOptions&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::inspect
