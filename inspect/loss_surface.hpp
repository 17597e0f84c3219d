#pragma once
/// The loss along two directions from the present weights: valleys, plateaus, and the cliff of recurrent networks
/// (Pascanu, Mikolov, Bengio 2013, figure 6).

#include <ebb/autograd/parameter.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/random.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace ebb::inspect {

/// A direction in the space of all weights: an array for each parameter, of its shape.
template <class T>
using Direction = std::vector<Array<T>>;

/// What a random direction is scaled by, so that a step of 1 means as much for large weights as for small ones.
enum class DirectionScale {
    none,       ///< normal numbers as they are drawn
    parameter,  ///< each array has the norm of its weight
    filter,     ///< each row of a matrix has the norm of the weight's row; biases stay (Li et al. 2018, sect. 4)
};

/// A random direction; the same generator gives the same one.
template <class T>
Direction<T> random_direction(const std::vector<Parameter<T>>& parameters, Generator& generator = default_generator(),
                              DirectionScale scale = DirectionScale::filter);

/// The direction that moves one element of one parameter: d_i = 1, all others 0. Throws IndexError for an element or a
/// parameter that is not there.
template <class T>
Direction<T> element_direction(const std::vector<Parameter<T>>& parameters, std::size_t parameter,
                               std::size_t flat_index);

struct LossSurfaceOptions {
    double alpha_low = -1, alpha_high = 1;
    double beta_low = -1, beta_high = 1;
    std::size_t alpha_points = 31;
    std::size_t beta_points = 31;
};

/// L(w + alpha d_1 + beta d_2) on a grid.
struct LossSurface {
    std::vector<double> alpha;  ///< evenly spaced, rising
    std::vector<double> beta;
    std::vector<double> loss;  ///< [beta, alpha], row-major; NaN and infinity as they came
    double centre = 0;         ///< L(w)

    double operator()(std::size_t beta_index, std::size_t alpha_index) const {
        return loss[beta_index * alpha.size() + alpha_index];
    }
};

/// Calls `loss`, which runs the model with the parameters as they then are (under NoGrad, to save memory), at each
/// point. Afterwards, and after an error, the parameters are as they were, bit by bit; a graph that was recorded before
/// must be recorded again, since its parameters have been written. Throws ValueError for an empty `loss`, an axis
/// without points or with ends that are not finite and rising; ShapeError for a direction that does not fit the
/// parameters.
template <class T>
LossSurface loss_surface(const std::function<double()>& loss, const std::vector<Parameter<T>>& parameters,
                         const Direction<T>& first, const Direction<T>& second, const LossSurfaceOptions& options = {});

}  // namespace ebb::inspect
