#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>
#include <ebb/core/error.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ebb {
namespace {

template <class T>
ArrayView<T> view(const T* data, const Shape& shape) {
    const xt::svector<std::size_t, 4> extents(shape.begin(), shape.end());
    const T* pointer = data;
    return xt::adapt(std::move(pointer), shape.size(), xt::no_ownership(), extents);
}

}  // namespace

template <class T>
Variable<T>::Variable(const Parameter<T>& parameter) : Variable(Tape<T>::active().use(parameter)) {}

template <class T>
void Variable<T>::fail_without_node() const {
    if (!anchor_) fail<TapeError>("Variable: it was default-constructed and is on no tape");
    fail<TapeError>(generation_ > anchor_->generation
                        ? "Variable: it was made in a hook, which has returned since: copy what outlasts a hook into "
                          "an array, x.value()"
                        : "Variable: its tape was cleared or destroyed since: copy what outlasts a tape into an "
                          "array, x.value(), and make a new variable from it");
}

template <class T>
ArrayView<T> Variable<T>::value() const {
    Node<T>& node = this->node();
    return view(anchor_->tape->contiguous(node), node.shape);
}

template <class T>
T Variable<T>::item() const {
    if (size() != 1)
        fail<ShapeError>(fmt::format("item: {} is {}: expected an array with one element",
                                     name().empty() ? "the variable" : name(), to_string(shape())));
    return *anchor_->tape->contiguous(node());
}

template <class T>
ArrayView<T> Variable<T>::grad() const {
    const Node<T>& node = this->node();
    if (node.parameter)
        fail<TapeError>(
            fmt::format("grad: {} is a parameter: its gradient is in the Parameter itself, parameter.grad()", name()));
    if (!node.retained_gradient) {
        const std::string what =
            name().empty() ? fmt::format("node {}", index_) : fmt::format("{} (node {})", name(), index_);
        if (!node.requires_grad)
            fail<TapeError>(
                fmt::format("grad: {} is a constant: expected tape.variable(array), or something made from one", what));
        if (!node.retains_gradient)
            fail<TapeError>(
                fmt::format("grad: {} is no leaf and its gradient was not kept: call retain_grad() on it before "
                            "backward",
                            what));
        fail<TapeError>(fmt::format("grad: {} has no gradient yet: no backward pass has reached it", what));
    }
    return view<T>(node.retained_gradient, node.shape);
}

template <class T>
bool Variable<T>::has_grad() const {
    return node().retained_gradient != nullptr;
}

template <class T>
void Variable<T>::zero_grad() const {
    Node<T>& node = this->node();
    if (node.retained_gradient) std::fill_n(node.retained_gradient, node.shape.size(), T(0));
}

template <class T>
const Variable<T>& Variable<T>::retain_grad() const {
    if (!requires_grad())
        fail<TapeError>(fmt::format("retain_grad: node {} is a constant: no gradient flows into it", index_));
    node().retains_gradient = true;
    return *this;
}

template <class T>
HookHandle<T> Variable<T>::add_hook(GradientHook<T> hook) const {
    Node<T>& node = this->node();
    Tape<T>& tape = *anchor_->tape;
    tape.check("register_hook", *this);
    if (node.parameter)
        fail<TapeError>(
            fmt::format("register_hook: {} is a parameter: expected a hook on the Parameter itself, "
                        "parameter.register_hook(f)",
                        name()));
    if (!node.requires_grad)
        fail<TapeError>(fmt::format("register_hook: node {} is a constant: no gradient flows into it", index_));
    return HookHandle<T>(tape.hooks_[index_].emplace_back(std::make_shared<GradientHook<T>>(std::move(hook))));
}

template <class T>
Variable<T> detail::array_as_gradient(const Variable<T>& dy, const Array<T>& array) {
    return dy.tape().constant(array);
}

template <class T>
bool Variable<T>::is_leaf() const {
    return node().operation == nullptr && !node().further_output;
}

template <class T>
Variable<T> Variable<T>::detach() const {
    Node<T>& source = node();
    Tape<T>& tape = *anchor_->tape;
    tape.check("detach", *this);
    Node<T>& copy = tape.append(source.shape, tape.contiguous(source));
    copy.name = source.name;
    copy.time_step = source.time_step;
    copy.step_owner = source.step_owner;
    return tape.at(static_cast<NodeIndex>(tape.size() - 1));
}

template <class T>
const std::string& Variable<T>::name() const {
    return node().name.text();
}

template <class T>
const Variable<T>& Variable<T>::named(std::string_view name) const {
    node().name = Name(name);
    return *this;
}

template Variable<float> detail::array_as_gradient(const Variable<float>&, const Array<float>&);
template Variable<double> detail::array_as_gradient(const Variable<double>&, const Array<double>&);
template class Variable<float>;
template class Variable<double>;

}  // namespace ebb
