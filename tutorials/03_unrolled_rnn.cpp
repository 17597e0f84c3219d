//: # 3. The unrolled RNN
//:
//: **Goal:** write a recurrent network as a loop over time, follow its gradient back through the steps, and measure how
//: it vanishes.
//: <br>**You need:** [the tape](01_the_tape.md), and the product of a matrix with a vector.
//: <br>**Time:** three quarters of an hour.
//:
//: A recurrent network reads a sequence one element at a time, and keeps a *hidden state* h: whatever it remembers of
//: the past. At each time step t it makes a new state from the input x_t and the state before:
//:
//:     h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
//:
//: The same four weights serve every step. To *unroll* the network is to write its steps one after the other. What
//: comes out is an ordinary deep network, with as many layers as there are time steps, and the gradient goes back
//: through it as through any other graph. This is called *backpropagation through time*.

#include <ebb/ebb.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/lesson.hpp"
#include <fmt/format.h>

using namespace ebb;

// [hide]
namespace {

bool close(double a, double b, double tolerance = 1e-12) {
    return std::abs(a - b) <= tolerance * (1 + std::abs(b));
}

/// Equal but for rounding, element by element.
template <class A, class B>
bool close_arrays(const A& a, const B& b) {
    if (Shape::of(a.shape()) != Shape::of(b.shape())) return false;
    return std::equal(a.begin(), a.end(), b.begin(), [](double p, double q) { return close(p, q); });
}

}  // namespace
// [show]

int main(int argc, char** argv) {
    tutorial::Lesson lesson(argc, argv);

    lesson.section("The layer and its shapes");
    //: Our example has inputs of 10 numbers, states of 20, sequences of length 5, and 3 sequences in a *batch*, which
    //: are computed side by side and know nothing of each other.

    constexpr std::size_t input_size = 10, hidden_size = 20, length = 5, batch = 3;

    manual_seed(1);
    RNN<double> rnn({.input_size = input_size, .hidden_size = hidden_size});
    const Array<double> sequence = randn<double>({length, batch, input_size});

    Tape<double> tape;
    const auto [output, h_n] = rnn(tape.constant(sequence));

    fmt::print("output        {}\n", to_string(output.shape()));
    fmt::print("h_n           {}\n\n", to_string(h_n.shape()));
    for (const auto& [name, weight] : rnn.named_parameters())
        fmt::print("{:<13} {}\n", name, to_string(weight.shape()));

    // [output]
    //: In PyTorch this is `rnn = nn.RNN(10, 20)` and `output, h_n = rnn(x)`. The shapes are the same (PyTorch prints
    //: the first as `torch.Size([5, 3, 20])`), and so are the names:
    //:
    //: | Name | In the equation | What it does |
    //: |---|---|---|
    //: | `weight_ih_l0` | W_ih | input to hidden, in layer 0 |
    //: | `weight_hh_l0` | W_hh | hidden to hidden: from one time step to the next |
    //: | `bias_ih_l0`, `bias_hh_l0` | b_ih, b_hh | two biases that are added; one would do, two is the custom |
    //: | `output` | h_0, ..., h_4 | all states, one after the other |
    //: | `h_n` | h_4 | the last state alone |
    //:
    //: Time comes first, then the batch. We count time steps from 0, so that h_t is `output[t]`; the state before the
    //: first step is zeros.
    // [hide]
    lesson.fact(output.shape() == Shape{5, 3, 20} && h_n.shape() == Shape{1, 3, 20}, "the shapes of the outputs");
    lesson.fact(rnn.weight_ih.shape() == Shape{20, 10} && rnn.weight_hh.shape() == Shape{20, 20} &&
                    rnn.bias_ih.shape() == Shape{20} && rnn.bias_hh.shape() == Shape{20},
                "the shapes of the weights");
    {
        const auto names = rnn.named_parameters();
        lesson.fact(names.size() == 4 && names[0].first == "weight_ih_l0" && names[1].first == "weight_hh_l0" &&
                        names[2].first == "bias_ih_l0" && names[3].first == "bias_hh_l0",
                    "the names of the weights");
        const std::size_t all = length * batch * hidden_size, last = batch * hidden_size;
        lesson.fact(std::equal(h_n.value().begin(), h_n.value().end(), output.value().begin() + (all - last)),
                    "h_n is the last state of the output");
    }
    // [show]

    lesson.section("The same as a loop");
    //: The layer hides the loop. Let us write it. An `RNNCell` does one step, and here it gets the weights of the
    //: layer. `select(x, 0, t)` takes x_t, of shape [3, 10], out of the sequence.

    RNNCell<double> cell({.input_size = input_size, .hidden_size = hidden_size, .name = "cell"});
    cell.weight_ih.set_value(rnn.weight_ih.value());
    cell.weight_hh.set_value(rnn.weight_hh.value());
    cell.bias_ih.set_value(rnn.bias_ih.value());
    cell.bias_hh.set_value(rnn.bias_hh.value());

    tape.clear();
    const auto x = tape.constant(sequence).named("x");
    auto h = tape.zeros({batch, hidden_size}).named("h_start");
    std::vector<Variable<double>> states;
    for (std::size_t t = 0; t < length; ++t) {
        h = cell(select(x, 0, static_cast<std::ptrdiff_t>(t)), h);
        states.push_back(h);
    }

    //: The loss looks at the last state only, and wants it to be 1 everywhere. (`mse_loss` is the mean of the squared
    //: errors.) So the first inputs can matter only through four further states.

    const auto loss = mse_loss(h, tape.ones({batch, hidden_size})).named("L");
    tape.print();

    // [output]
    //: Each step is one node, `cell.h`: it has the input of its time, the state before, and the four weights as its
    //: inputs. The weights stand on the tape once, and five nodes use them. Arrays are shown by their norm, |...|: the
    //: root of the sum of the squares of all elements. The node before each step is what `select` took out of x: no
    //: gradient is wanted for an input, and so it counts as a constant.
    // [hide]
    for (std::size_t t = 0; t < length; ++t) {
        const auto& node = tape.node(states[t].index());
        bool chained = t == 0;
        for (std::size_t i = 0; i < node.input_count; ++i)
            if (t > 0 && tape.input(node, i) == states[t - 1].index()) chained = true;
        lesson.fact(chained && node.time_step == static_cast<std::int32_t>(t) && node.input_count == 6,
                    "a step is a node with the state before among its inputs");
    }
    // [show]

    lesson.section("Back through time");
    //: Now the walk back. Recurrent cells keep the gradients of their states without being told, and
    //: `inspect::gradient_flow` collects the norms ||dL/dh_t||.

    tape.backward(loss);
    const auto flow = inspect::gradient_flow(tape);
    const std::vector<double> norms = flow["cell.h"].grad_norm;

    fmt::print("t   ||dL/dh_t||   factor\n");
    fmt::print("4        {:.5f}\n", norms[4]);
    for (std::size_t t = 4; t-- > 0;) fmt::print("{}        {:.5f}     {:.2f}\n", t, norms[t], norms[t] / norms[t + 1]);

    // [output]
    //: Read it from the top, as the gradient runs: it starts at the loss and goes into the past. At each step it is
    //: multiplied by something; the last column says how much shorter it became. After four steps {{left}} % are left.
    // [hide]
    for (std::size_t t = 0; t + 1 < length; ++t)
        lesson.fact(norms[t] < norms[t + 1], "the gradient becomes shorter at every step");
    lesson.number("left", fmt::format("{:.0f}", 100 * norms[0] / norms[4]));
    // [show]

    lesson.section("One step by hand");
    //: What is it multiplied by? h_t = tanh(a_t), and a_t contains W_hh h_{t-1}. So the chain rule says, for each
    //: sequence of the batch,
    //:
    //:     dL/dh_{t-1} = W_hh' diag(1 - h_t^2) dL/dh_t
    //:
    //: From right to left: the gradient arrives at h_t; it passes tanh, each element times its slope 1 - h^2; and it
    //: passes the weights backwards, through the transposed matrix W_hh'. In plain loops, for t = 4:

    const Array<double>& W = cell.weight_hh.value();
    const Array<double> h4 = states[4].value(), g4 = states[4].grad();
    Array<double> g3 = xt::zeros<double>({batch, hidden_size});
    for (std::size_t b = 0; b < batch; ++b)
        for (std::size_t i = 0; i < hidden_size; ++i) {
            const double da = (1 - h4(b, i) * h4(b, i)) * g4(b, i);                  // through tanh
            for (std::size_t j = 0; j < hidden_size; ++j) g3(b, j) += W(i, j) * da;  // through W_hh
        }

    fmt::print("dL/dh_3, first sequence    by hand   the tape\n");
    for (std::size_t j = 0; j < 4; ++j)
        fmt::print("unit {}                   {:>8.5f}   {:>8.5f}\n", j, g3(0, j), states[3].grad()(0, j));

    // [output]
    //: The program compares all 60 numbers, not only these four. There is no more to backpropagation through time than
    //: this step, repeated.
    // [hide]
    lesson.fact(g3.size() == 60 && close_arrays(g3, states[3].grad()), "dL/dh_3 by hand is the tape's");
    // [show]

    lesson.section("The loop and the layer agree");
    //: A layer can do better than our loop: it multiplies all inputs by W_ih in one large product, before the first
    //: step. Does it still compute the same? We run it with the same loss and compare.

    const double loop_loss = loss.item();
    // [hide]
    std::vector<double> loop_states;
    for (const Variable<double>& state : states)
        loop_states.insert(loop_states.end(), state.value().begin(), state.value().end());
    // [show]
    tape.clear();
    const auto layer = rnn(tape.constant(sequence));
    const auto layer_loss = mse_loss(layer.state, tape.ones({1, batch, hidden_size}));
    tape.backward(layer_loss);
    const std::vector<double> layer_norms = inspect::gradient_flow(tape)["rnn.h"].grad_norm;

    // [hide]
    fmt::print("               the loop   the layer\n");
    fmt::print("L              {:>8.5f}    {:>8.5f}\n", loop_loss, layer_loss.item());
    for (const std::size_t t : {4u, 0u})
        fmt::print("||dL/dh_{}||    {:>8.5f}    {:>8.5f}\n", t, norms[t], layer_norms[t]);
    const auto norm_of = [](const Array<double>& a) {
        double sum = 0;
        for (const double element : a) sum += element * element;
        return std::sqrt(sum);
    };
    fmt::print("||dL/dW_hh||   {:>8.5f}    {:>8.5f}\n", norm_of(cell.weight_hh.grad()), norm_of(rnn.weight_hh.grad()));
    lesson.fact(close(loop_loss, layer_loss.item()), "the same loss");
    for (std::size_t t = 0; t < length; ++t) lesson.fact(close(norms[t], layer_norms[t]), "the same gradient norms");
    lesson.fact(loop_states.size() == layer.output.size() &&
                    std::equal(loop_states.begin(), loop_states.end(), layer.output.value().begin(),
                               [](double a, double b) { return close(a, b); }),
                "the same states");
    lesson.fact(close_arrays(cell.weight_ih.grad(), rnn.weight_ih.grad()) &&
                    close_arrays(cell.weight_hh.grad(), rnn.weight_hh.grad()) &&
                    close_arrays(cell.bias_ih.grad(), rnn.bias_ih.grad()) &&
                    close_arrays(cell.bias_hh.grad(), rnn.bias_hh.grad()),
                "the same gradients of all weights");
    // [show]
    // [output]
    //: It does, for every state and for the gradients of all four weights. In what follows we use the layer.

    lesson.section("Fifty steps");
    //: Now a sequence of length 50, with the same weights. Again the loss looks at the last state only.

    constexpr std::size_t long_length = 50, last = long_length - 1;
    const Array<double> long_sequence = randn<double>({long_length, batch, input_size});
    const auto run = [&] {
        tape.clear();
        const auto result = rnn(tape.constant(long_sequence));
        tape.backward(mse_loss(result.state, tape.ones({1, batch, hidden_size})));
        return inspect::gradient_flow(tape)["rnn.h"];
    };
    const inspect::StateFlow long_flow = run();
    const std::vector<double>& g = long_flow.grad_norm;

    fmt::print("steps back    t   ||dL/dh_t||\n");
    for (const std::size_t back : {0u, 1u, 5u, 10u, 20u, 30u, 40u, 49u})
        fmt::print("{:>10}   {:>2}       {:.1e}\n", back, last - back, g[last - back]);

    const double factor = std::pow(g[0] / g[last], 1.0 / last);
    fmt::print("\nfactor per step, on the average: {:.2f}\n", factor);

    // [output]
    //: This is the *vanishing gradient*. It falls by a factor of {{factor}} at each step, on the (geometric) average,
    //: and factors multiply: ten steps leave about {{ten}} of it. If the first input decides what the answer should
    //: be, the weights hardly hear of it.
    // [hide]
    lesson.number("factor", fmt::format("{:.2f}", factor));
    lesson.number("ten", fmt::format("{:.4f}", std::pow(factor, 10)));
    lesson.fact(factor > 0.3 && factor < 0.7, "the gradient vanishes");
    lesson.fact(g[0] < 1e-10 * g[last], "after 49 steps less than a ten-thousand-millionth is left");
    // [show]

    lesson.section("A bound that holds at every step");
    //: Can we say beforehand how fast? A matrix can make a vector longer by its largest *singular value* sigma_max at
    //: most, and the slope of tanh, 1 - h^2, is never above 1. With the chain rule from above it follows that
    //:
    //:     ||dL/dh_{t-1}||  <=  sigma_max(W_hh) ||dL/dh_t||
    //:
    //: (Pascanu, Mikolov and Bengio 2013, *On the difficulty of training recurrent neural networks*.)

    const double sigma = init::spectral_norm(rnn.weight_hh);
    double largest = 0;
    for (std::size_t t = 1; t < long_length; ++t) largest = std::max(largest, g[t - 1] / g[t]);

    fmt::print("sigma_max(W_hh)               {:.3f}\n", sigma);
    fmt::print("largest factor of any step    {:.3f}\n", largest);
    fmt::print("average factor                {:.3f}\n", factor);
    fmt::print("spectral radius of W_hh       {:.3f}\n", init::spectral_radius(rnn.weight_hh));

    // [output]
    // [hide]
    for (std::size_t t = 1; t < long_length; ++t)
        lesson.fact(g[t - 1] <= sigma * g[t] * (1 + 1e-12), "Pascanu's bound holds at every step");
    lesson.fact(largest < sigma && factor < largest, "average < largest < bound");
    lesson.fact(sigma > 1 && sigma < 1.01, "sigma_max is just above 1");
    lesson.fact(factor < init::spectral_radius(rnn.weight_hh), "the factor is below the spectral radius");
    // [show]
    //: The bound holds at all 49 steps, and it is far from sharp. Where sigma_max is below 1 it proves that the
    //: gradient vanishes. Here it is just above 1 and proves nothing, and the gradient vanishes all the same. For one
    //: thing, the direction that is stretched most need not come out as the direction that is stretched most at the
    //: next step: over many steps the *spectral radius* of W_hh counts, the largest modulus of an eigenvalue. For
    //: another, every step also passes the slopes of tanh, and they are below 1.

    lesson.section("Larger weights");
    //: Then let us make W_hh larger, so that it stretches more.

    const Array<double> start = rnn.weight_hh.value();
    fmt::print("W_hh times   sigma_max   factor per step   ||dL/dh_0|| / ||dL/dh_49||   saturated\n");
    // [hide]
    std::vector<double> factors, saturated;
    // [show]
    for (const double scale : {0.5, 1.0, 2.0, 3.0, 4.0, 8.0}) {
        const Array<double> scaled = scale * start;
        rnn.weight_hh.set_value(scaled);
        const inspect::StateFlow scaled_flow = run();
        const std::vector<double>& norm = scaled_flow.grad_norm;
        const double ratio = norm[0] / norm[last];
        double saturation = 0;
        for (const double fraction : scaled_flow.saturation) saturation += fraction / long_length;
        const double bound = init::spectral_norm(rnn.weight_hh);
        fmt::print("{:>10}   {:>9.2f}   {:>15.2f}   {:>26.0e}   {:>7.0f} %\n", scale, bound,
                   std::pow(ratio, 1.0 / last), ratio, 100 * saturation);
        // [hide]
        factors.push_back(std::pow(ratio, 1.0 / last));
        saturated.push_back(saturation);
        for (std::size_t t = 1; t < long_length; ++t)
            lesson.fact(norm[t - 1] <= bound * norm[t] * (1 + 1e-12), "the bound holds for scaled weights");
        // [show]
    }
    rnn.weight_hh.set_value(start);

    // [output]
    //: The bound holds in all of these runs too. With twice the weights the gradient still vanishes, though sigma_max
    //: is 2: the states have become larger, and the slopes of tanh smaller. With three times the weights, {{third}} of
    //: it arrives at the first step. With four times it grows on its way into the past, and with eight times it
    //: *explodes*. Between vanishing and exploding lies a narrow band, and training moves the weights about.
    //:
    //: The last column is the part of all |h| above 0.9, where tanh lets less than a fifth of the gradient through.
    //: Saturation keeps the factor far below sigma_max, but a saturated unit hardly reacts to its inputs. Against
    //: explosion it helps to shorten the gradient, with `clip_grad_norm`. Against vanishing there is no such remedy: a
    //: longer gradient would still consist of the last few steps, as we see next.
    // [hide]
    lesson.fact(factors[0] < factors[1] && factors[1] < factors[2] && factors[2] < 0.9, "small weights: it vanishes");
    lesson.fact(factors[3] > 0.95 && factors[3] < 1, "three times the weights: nearly 1");
    lesson.fact(factors[4] > 1.05 && factors[5] > 1.3, "large weights: it explodes");
    lesson.fact(std::is_sorted(saturated.begin(), saturated.end()), "larger weights saturate more");
    lesson.number("third", fmt::format("{:.0f} %", 100 * std::pow(factors[3], last)));
    // [show]

    lesson.section("Who teaches the weights?");
    //: The one matrix W_hh is used at every step, and so its gradient is a sum over the steps: step t adds the product
    //: of what arrived at a_t with the state h_{t-1} that W_hh was multiplied by. How much does each add?
    //: `inspect::weight_contributions` has the norm of each summand.

    rnn.zero_grad();
    run();
    const inspect::WeightContributions added = inspect::weight_contributions(tape, rnn.weight_hh);
    const std::size_t count = added.norm.size();

    fmt::print("steps back    t   what step t adds to dL/dW_hh\n");
    for (const std::size_t back : {0u, 1u, 2u, 5u, 10u, 20u, 40u, 48u}) {
        const std::size_t k = count - 1 - back;
        fmt::print("{:>10}   {:>2}   {:>28.0e}\n", back, added.time_step[k], added.norm[k]);
    }
    double total = 0, newest = 0;
    for (std::size_t k = 0; k < count; ++k) {
        total += added.norm[k];
        if (k + 5 >= count) newest += added.norm[k];
    }
    fmt::print("\nthe last five steps: {:.0f} % of the sum of these norms\n", 100 * newest / total);

    // [output]
    //: (Step 0 is not in the list: the state before it was zeros, and adds nothing.) The gradient of W_hh as a whole
    //: is not small, its norm is {{whole}}, and nothing in it says that something is missing. But it is made by the
    //: last few steps. The network is taught what to do with the recent past, and about the distant past it is taught
    //: next to nothing.
    //:
    //: This is what the LSTM was invented against: its cell state goes from step to step by a path without a matrix and
    //: without a tanh.
    // [hide]
    lesson.number("whole", fmt::format("{:.2f}", norm_of(rnn.weight_hh.grad())));
    lesson.fact(norm_of(rnn.weight_hh.grad()) > 0.1, "the gradient of W_hh is not small");
    lesson.fact(count == last && added.time_step.front() == 1 && added.time_step.back() == 49, "steps 1 to 49");
    lesson.fact(newest > 0.9 * total, "the last five steps make the gradient");
    // [show]

    //: ## Exercises
    //:
    //: 1. Let the loss look at every state: add up `mse_loss` over the steps. What are the norms now, and which term
    //:    does the chain rule for dL/dh_{t-1} get? *Hint:* two arrows leave h_{t-1} now, and shares add up.
    //: 2. Give the cell `.granularity = Granularity::elementary` and print the tape. Find the tanh, and the products
    //:    with W_ih and W_hh. *Hint:* the values and gradients must be the same; check it.
    //: 3. Start with `init::orthogonal(rnn.weight_hh)`. Every singular value is 1 then. Does the gradient still vanish,
    //:    and why? *Hint:* which factor of the chain rule is left? Then multiply the inputs by 0.1, and run it again.
    //: 4. Put `Nonlinearity::relu` in the place of tanh and scale W_hh up. What held the gradient back before, and
    //:    does now no longer? *Hint:* the slope of relu is 0 or 1, however large h is.
    //: 5. Write the loop of five steps with an `LSTMCell`, and compare `flow["cell.c"]` with the norms here.
    //:    *Hint:* its state has two parts, h and c: `LSTMState<double> s; s = cell(x_t, s);`
    // [hide]
    {
        init::orthogonal(rnn.weight_hh);
        const std::vector<double> orthogonal = run().grad_norm;
        lesson.fact(close(init::spectral_norm(rnn.weight_hh), 1, 1e-9), "an orthogonal matrix has singular values 1");
        const double orthogonal_factor = std::pow(orthogonal[0] / orthogonal[last], 1.0 / last);
        lesson.fact(orthogonal_factor < 1 && orthogonal_factor > factor, "tanh alone makes it vanish, more slowly");
    }
    // [show]
    return lesson.end();
}
