#include <ebb/core/error.hpp>
#include <ebb/core/finite.hpp>

#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE("the first element that is no finite number is named with its place") {
    Array<double> x = Array<double>::from_shape({2, 3});
    x.fill(std::numeric_limits<double>::max());
    check_finite("load", "weight", x);
    x(1, 2) = -std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(check_finite("load", "weight", x), "load: weight holds nan at [1, 2]: expected finite numbers",
                         ValueError);
    x(1, 0) = -std::numeric_limits<double>::infinity();
    CHECK_THROWS_WITH_AS(check_finite("load", "weight", x),
                         "load: weight holds -inf at [1, 0]: expected finite numbers", ValueError);
    Array<float> scalar = Array<float>::from_shape({});
    scalar() = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(check_finite("load", "gain", scalar), "load: gain holds inf at []: expected finite numbers",
                         ValueError);
    check_finite("load", "nothing", Array<float>(Array<float>::from_shape({0, 2})));
}
