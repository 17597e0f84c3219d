//: # 1. The tape
//:
//: **Goal:** see what an autodiff framework writes down while it computes, and how the gradient walks back along it.
//: <br>**You need:** derivatives and the chain rule, and enough C++ to read a function call.
//: <br>**Time:** half an hour.
//:
//: A neuron with two inputs computes
//:
//:     a = w1 x1 + w2 x2 + b      a weighted sum of what comes in
//:     y = tanh(a)                its answer, between -1 and 1
//:     L = (y - t)^2              the loss: how far the answer is from the target t
//:
//: Learning means to change w1, w2 and b so that L falls. For that we need three numbers: the derivatives dL/dw1,
//: dL/dw2 and dL/db, together called the *gradient*. We could work them out on paper. For a network with a million
//: weights that runs over a hundred time steps nobody would want to, so we let the program do it. This page shows
//: how: there is no magic in it, only the chain rule and good book-keeping.

#include <ebb/ebb.hpp>

#include <cmath>

#include "support/lesson.hpp"
#include <fmt/format.h>

using namespace ebb;

// [hide]
namespace {

bool close(double a, double b, double tolerance = 1e-12) {
    return std::abs(a - b) <= tolerance * (1 + std::abs(b));
}

}  // namespace
// [show]

int main(int argc, char** argv) {
    tutorial::Lesson lesson(argc, argv);

    lesson.section("Forward: the tape writes down what happens");
    //: A `Tape` is a list. Whatever we compute on it is added at its end. The weights are *variables*: we want their
    //: gradients. The inputs and the target are *constants*: they are what they are. `named` gives a node a name for
    //: us to read; it changes nothing else.

    Tape<double> tape;
    const auto w1 = tape.variable(Array<double>(1.2)).named("w1");
    const auto w2 = tape.variable(Array<double>(0.4)).named("w2");
    const auto b = tape.variable(Array<double>(0.1)).named("b");
    const auto x1 = tape.scalar(0.5).named("x1");
    const auto x2 = tape.scalar(-1.0).named("x2");
    const auto t = tape.scalar(1.0).named("t");

    //: Now the neuron. Each line computes its value at once, as any program would.

    const auto p1 = (w1 * x1).named("p1");
    const auto p2 = (w2 * x2).named("p2");
    const auto a = (p1 + p2 + b).named("a");
    const auto y = tanh(a).named("y");
    const auto e = (y - t).named("e");
    const auto L = square(e).named("L");

    tape.print();

    // [output]
    //: Read it from top to bottom. A line is a *node*: its number, its name, the *operation* that made it, the nodes
    //: that went into it (`inputs`), and the value that came out. The sum of three took two additions, so node 8, the
    //: first of them, has no name. The shape `[]` says that a value is a single number, and no array.
    //:
    //: One thing will be important: **every node stands below its inputs**, since nothing can be computed before what
    //: it is computed from.
    // [hide]
    lesson.fact(tape.size() == 13 && tape.node(8).name.empty(), "13 nodes, and node 8 has no name");
    for (NodeIndex index = 0; index < tape.size(); ++index)
        for (std::size_t i = 0; i < tape.node(index).input_count; ++i)
            lesson.fact(tape.input(tape.node(index), i) < index, "every node stands below its inputs");
    // [show]

    lesson.section("The same as a graph");
    //: The list is a graph in disguise. Here it is drawn as a tree: the loss at the root, and below each node what it
    //: was computed from.

    fmt::print("{}", to_tree(L));

    // [output]

    lesson.section("Backward: the chain rule, from the last node to the first");
    //: How does L change when a node changes a little? For L itself the answer is 1. For every other node the chain
    //: rule gives the answer, once we know it for the nodes that *used* this one. They stand below it in the list. So
    //: we walk the list from its end: when we arrive at a node, all who used it have been there before us.
    //:
    //: That walk is `tape.backward(L)`. As a rule the tape forgets the gradient of a node in the middle as soon as
    //: the walk has passed it, to save memory; `retain_grads()` tells it to keep them all, so that we can look.

    tape.retain_grads();
    tape.backward(L);
    tape.print();

    // [output]
    //: There is a new column, which was filled from the bottom up. The three numbers that we wanted stand in the first
    //: three lines. Constants have a dash: nobody asked.
    //:
    //: The same as a picture: in each node its value, and below that the gradient that has come down to it. The darker
    //: a node, the smaller its gradient.
    //:
    //: ![The neuron as a graph, with values and gradients](01_the_tape.svg)

    const inspect::GraphFigure figure{
        .title = "The neuron, after backward", .caption = {}, .graph = inspect::unrolled_graph(tape, L)};
    const std::string drawing = inspect::to_svg(figure, {.width = 720, .height = 560});

    //: (`inspect::save_svg("neuron.svg", figure)` writes it to a file. `to_dot(tape, file)` writes the tape in the
    //: language of Graphviz, whose `dot -Tsvg` draws one as well.)
    // [hide]
    lesson.picture("01_the_tape.svg", drawing);
    const auto shows = [&](const std::string& text) { return drawing.find(text) != std::string::npos; };
    lesson.fact(shows(fmt::format(">y = {}<", inspect::format_number(y.item()))), "the picture has the value of y");
    for (const auto& node : {w1, w2, b, a, y, e, L})
        lesson.fact(shows(fmt::format(">d{} = {}<", node.name(), inspect::format_number(node.grad()()))),
                    "the picture has the gradient of " + node.name());
    lesson.fact(!shows("dx1 ="), "a constant has none");
    // [show]

    lesson.section("Every step by hand");
    //: Let us do that walk ourselves. The gradient dL/dy is written `dy`, for short: it is always the derivative *of
    //: the loss* with respect to what stands behind the d. At each node the rule is the same:
    //:
    //: > gradient of an input = gradient of the output × derivative of the operation

    const double dL = 1;
    const double de = dL * 2 * e.item();               // L = e^2
    const double dy = de;                              // e = y - t
    const double da = dy * (1 - y.item() * y.item());  // y = tanh(a)
    const double db = da, dp1 = da, dp2 = da;          // a = p1 + p2 + b
    const double dw2 = dp2 * x2.item();                // p2 = w2 x2
    const double dw1 = dp1 * x1.item();                // p1 = w1 x1

    // [hide]
    const auto line = [](const char* what, const char* rule, double by_hand, const Variable<double>& node) {
        fmt::print("{:<17} {:<18} {:>8.4f} {:>10.4f}\n", what, rule, by_hand, node.grad()());
    };
    fmt::print("operation         rule                by hand   the tape\n");
    line("", "dL  = 1", dL, L);
    line("L  = e^2", "de  = dL 2 e", de, e);
    line("e  = y - t", "dy  = de", dy, y);
    line("y  = tanh(a)", "da  = dy (1 - y^2)", da, a);
    line("a  = p1 + p2 + b", "db  = da", db, b);
    line("", "dp2 = da", dp2, p2);
    line("", "dp1 = da", dp1, p1);
    line("p2 = w2 x2", "dw2 = dp2 x2", dw2, w2);
    line("p1 = w1 x1", "dw1 = dp1 x1", dw1, w1);
    lesson.fact(close(dL, L.grad()()) && close(de, e.grad()()) && close(dy, y.grad()()), "L, e and y by hand");
    lesson.fact(close(da, a.grad()()) && close(dp1, p1.grad()()) && close(dp2, p2.grad()()), "a, p1 and p2 by hand");
    lesson.fact(close(db, b.grad()()) && close(dw1, w1.grad()()) && close(dw2, w2.grad()()), "the weights by hand");
    lesson.fact(dw2 > 0 && dw1 < 0, "w2 has a positive gradient, w1 a negative one");
    lesson.number("dw2", fmt::format("{:.4f}", dw2));
    lesson.number("dw1", fmt::format("{:.4f}", dw1));
    lesson.number("slope", fmt::format("{:.4f}", 1 - y.item() * y.item()));
    // [show]
    // [output]
    //: What do the numbers say? dw2 = {{dw2}}: if w2 grew by a small amount, L would grow by {{dw2}} times as much.
    //: So w2 should shrink; and w1, whose gradient is {{dw1}}, should grow.
    //:
    //: Look at the factor of tanh, 1 - y^2. Here it is {{slope}}, so most of the gradient comes through. Near y = 1 or
    //: y = -1 it is almost 0, and then almost nothing comes through: the neuron is *saturated*. In a recurrent network
    //: the gradient must pass such a factor at every time step. That is one reason why it vanishes.

    lesson.section("Is it true?");
    //: A derivative can be measured: change one weight by a little, compute L again, and divide. This needs no tape
    //: and no chain rule, so it is an independent witness.

    const auto loss_of = [](double v1, double v2, double v) {
        const double answer = std::tanh(v1 * 0.5 + v2 * -1.0 + v);
        return (answer - 1.0) * (answer - 1.0);
    };
    const double step = 1e-5;
    const double measured_dw1 = (loss_of(1.2 + step, 0.4, 0.1) - loss_of(1.2 - step, 0.4, 0.1)) / (2 * step);
    const double measured_dw2 = (loss_of(1.2, 0.4 + step, 0.1) - loss_of(1.2, 0.4 - step, 0.1)) / (2 * step);
    const double measured_db = (loss_of(1.2, 0.4, 0.1 + step) - loss_of(1.2, 0.4, 0.1 - step)) / (2 * step);

    // [hide]
    fmt::print("     measured   the tape\n");
    fmt::print("w1 {:>10.6f} {:>10.6f}\n", measured_dw1, w1.grad()());
    fmt::print("w2 {:>10.6f} {:>10.6f}\n", measured_dw2, w2.grad()());
    fmt::print("b  {:>10.6f} {:>10.6f}\n", measured_db, b.grad()());
    lesson.fact(close(measured_dw1, w1.grad()(), 1e-8), "dw1 agrees with the difference quotient");
    lesson.fact(close(measured_dw2, w2.grad()(), 1e-8), "dw2 agrees with the difference quotient");
    lesson.fact(close(measured_db, b.grad()(), 1e-8), "db agrees with the difference quotient");
    // [show]
    // [output]
    //: Measuring costs two runs of the network for *each* weight. The walk back costs little more than one run, for
    //: *all* weights together. This is why networks are trained by it. (`gradcheck` makes this comparison for any
    //: function.)

    lesson.section("A value that is used more than once");
    //: In the next graph x is used three times:
    //:
    //:     q = x x + x,  x = 3
    //:
    //: On paper dq/dx = 2 x + 1 = 7. For the tape, three arrows leave x. Through each of them comes a share of the
    //: gradient, and the shares **add up**:

    tape.clear();
    const auto x = tape.variable(Array<double>(3.0)).named("x");
    const auto q = (x * x + x).named("q");
    tape.retain_grads();
    tape.backward(q);
    fmt::print("{}", to_tree(q));

    // [output]
    //: The product brings 3 twice, once for its left side and once for its right; the sum brings 1. Adding up is the
    //: other half of the chain rule, and recurrent networks live on it: their one weight matrix is used at every time
    //: step, and its gradient is the sum of what all the steps bring.
    //:
    //: `tape.clear()` made the tape forget the neuron, to start afresh. It keeps its memory for the next graph. To use
    //: a variable of the old graph now is an error, and says so.
    // [hide]
    lesson.fact(x.grad()() == 7, "dq/dx is 7");
    bool refused = false;
    try {
        (void)L.item();
    } catch (const TapeError&) {
        refused = true;
    }
    lesson.fact(refused, "a variable of a cleared tape is refused");
    // [show]

    lesson.section("Learning");
    //: A graph lives for one run of the network; weights live longer. Such a weight is a `Parameter`: an array with its
    //: gradient beside it, which goes onto the tape wherever it is used. One step of *gradient descent* moves each
    //: parameter a little against its gradient, since that is the way in which L falls:
    //:
    //:     w  <-  w - 0.2 dw

    Parameter<double> weight1("w1", Array<double>(1.2));
    Parameter<double> weight2("w2", Array<double>(0.4));
    Parameter<double> bias("b", Array<double>(0.1));

    // [hide]
    double first_loss = 0, last_loss = 0;
    // [show]
    fmt::print("step        y        L       w1       w2        b\n");
    for (int k = 0; k <= 10; ++k) {
        tape.clear();
        const auto answer = tanh(weight1 * 0.5 + weight2 * -1.0 + bias);
        const auto loss = square(answer - 1.0);
        fmt::print("{:>4} {:>8.4f} {:>8.4f} {:>8.4f} {:>8.4f} {:>8.4f}\n", k, answer.item(), loss.item(),
                   weight1.value()(), weight2.value()(), bias.value()());

        tape.backward(loss);
        for (Parameter<double>* parameter : {&weight1, &weight2, &bias}) {
            parameter->mutable_value() -= 0.2 * parameter->grad();
            parameter->zero_grad();
        }
        // [hide]
        if (k == 0) first_loss = loss.item();
        lesson.fact(k == 0 || loss.item() < last_loss, "the loss falls at every step");
        last_loss = loss.item();
        // [show]
    }

    // [output]
    // [hide]
    lesson.fact(last_loss < first_loss / 10, "the loss falls to less than a tenth");
    lesson.fact(weight1.value()() > 1.2 && weight2.value()() < 0.4, "w1 grows, w2 shrinks");
    // [show]
    //: As announced, w1 grew and w2 shrank, and the answer came close to the target 1. `zero_grad()` is there because
    //: gradients add up over runs too, until they are set to zero. Large networks learn in just this way; the
    //: optimisers in [optim](../../optim/) make the steps cleverer.

    //: ## Exercises
    //:
    //: 1. Put `sigmoid` in the place of `tanh`. What part of dy can come through to da at most?
    //:    *Hint:* the derivative is y (1 - y); where is that largest?
    //: 2. Set w1 = 12 and t = -1 in the first graph. The error is as large as it can be. Why is its gradient almost 0?
    //:    *Hint:* look at y, and at 1 - y^2.
    //: 3. Let a second neuron take y as its input, with its own weight and bias, and print the tape. Which nodes does
    //:    the walk pass between the loss and w1? *Hint:* follow the column `inputs` upwards.
    //: 4. Call `tape.backward(L)` twice. What does the error suggest, and what are the gradients when you follow it?
    //:    *Hint:* "add up".
    // [hide]
    {
        tape.clear();
        const auto w = tape.variable(Array<double>(12.0));
        const auto saturated = square(tanh(w * 0.5 + 0.4 * -1.0 + 0.1) + 1.0);
        tape.backward(saturated, BackwardOptions{.retain_graph = true});
        const double once = w.grad()();
        lesson.fact(saturated.item() > 3.99 && std::abs(once) < 1e-3, "a saturated neuron has almost no gradient");
        tape.backward(saturated);
        lesson.fact(w.grad()() == 2 * once, "gradients add up over two passes");
        try {
            tape.backward(saturated);
            lesson.fact(false, "a second backward over a freed graph is refused");
        } catch (const TapeError&) {
            lesson.fact(true, "a second backward over a freed graph is refused");
        }
    }
    // [show]
    return lesson.end();
}
