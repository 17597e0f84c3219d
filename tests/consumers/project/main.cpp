/// A program outside of Ebb: one header of one module, and the umbrella.

#include <ebb/core/shape.hpp>
#include <ebb/ebb.hpp>

#include <cstdio>

int main() {
    const ebb::Array<double> a{{1, 2, 3}, {4, 5, 6}};
    const ebb::Shape shape = ebb::broadcast_shape("consumer", ebb::Shape::of(a.shape()), {1});
    std::printf("%s\n", ebb::to_string(shape).c_str());
    return shape == ebb::Shape{2, 3} ? 0 : 1;
}
