//: # 2. Arrays and broadcasting
//:
//: **Goal:** compute with arrays of different shapes, know what that does to their gradients, and know the mistake
//: that it invites.
//: <br>**You need:** [the tape](01_the_tape.md), and the product of two matrices.
//: <br>**Time:** three quarters of an hour.
//:
//: In the first tutorial every value was a single number. A network computes with arrays: twenty neurons answer to
//: three examples at once, and that is one array with 3 rows and 20 columns. The tape stays as it was, with one node
//: for each operation. What is new is that the operands may differ in shape. Adding a bias to three rows repeats the
//: bias three times, and whoever repeats a value must know what becomes of its gradient.

#include <ebb/ebb.hpp>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "support/lesson.hpp"
#include <fmt/format.h>

using namespace ebb;

// What the error says that `call` throws.
std::string error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

// [hide]
namespace {

bool same(const Array<double>& a, const Array<double>& b) {
    return a == b;
}

bool close(double a, double b) {
    return std::abs(a - b) <= 1e-12 * (1 + std::abs(b));
}

}  // namespace
// [show]

int main(int argc, char** argv) {
    tutorial::Lesson lesson(argc, argv);

    lesson.section("In and out");
    //: Ebb has no array class of its own: `Array<double>` is another name for `xt::xarray<double>`, from the library
    //: [xtensor](https://xtensor.readthedocs.io). Such an array goes in by `tape.variable` or `tape.constant`, which
    //: copy it onto the tape. The value of every node comes out by `value()`, ready for more xtensor.

    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 2, 3}, {4, 5, 6}});
    const auto y = square(x);

    const Array<double> answer = y.value();    // an array of our own
    const Array<double> half = y.value() / 2;  // or what xtensor makes of it
    fmt::print("shape {}, {} elements\n\n", to_string(y.shape()), y.size());
    fmt::print("y =\n{}\n\nhalf of it =\n{}\n\n", to_string(answer), to_string(half));
    fmt::print("row 1, column 2: {}\n", answer(1, 2));

    // [output]
    //: The *shape* lists how many elements there are along each *axis*, the outermost first: 2 rows, 3 columns. Axes
    //: and positions are counted from 0. In memory the elements lie row after row, the last axis running fastest:
    //: 1, 4, 9, 16, 25, 36. The shape of a single number is `[]`: no axes, and one element.
    // [hide]
    lesson.fact(y.shape() == Shape{2, 3} && y.size() == 6, "y is [2, 3]");
    lesson.fact(same(answer, {{1, 4, 9}, {16, 25, 36}}) && same(half, {{0.5, 2, 4.5}, {8, 12.5, 18}}), "y, half of y");
    for (std::size_t k = 0; k < 6; ++k)
        lesson.fact(answer.data()[k] == static_cast<double>((k + 1) * (k + 1)), "row after row in memory");
    lesson.fact(tape.scalar(1).shape() == Shape{} && tape.scalar(1).size() == 1, "a number is []");
    // [show]

    lesson.section("Broadcasting, step by step");
    //: Elementwise operations, such as `+` and `*`, want two arrays of one shape. Where the shapes differ, they are
    //: made alike by NumPy's rule:
    //:
    //: 1. Write the shapes one below the other, aligned at the **right**.
    //: 2. Where the shorter one has no axis, put a 1.
    //: 3. In each column the two extents must be equal, or one of them must be 1. An array whose extent is 1 is
    //:    repeated along that axis until it fits.
    //:
    //: With [4, 1, 3] and [2, 1]:
    //:
    //:     [4, 1, 3]
    //:     [1, 2, 1]      a 1 in front
    //:     ---------
    //:     [4, 2, 3]      the result: in each column the one that is not 1
    //:
    //: Nothing is repeated in memory; the loop just reads the same elements again. Here is a matrix with a number, a
    //: row and a column; and at last, a row with a column:

    const auto row = tape.constant(Array<double>{10, 20, 30});                 // [3]
    const auto column = unsqueeze(tape.constant(Array<double>{100, 200}), 1);  // [2] becomes [2, 1]

    fmt::print("x + 1 =\n{}\n\n", to_string((x + 1).value()));
    fmt::print("x + row =\n{}\n\n", to_string((x + row).value()));
    fmt::print("x + column =\n{}\n\n", to_string((x + column).value()));
    fmt::print("row + column =\n{}\n", to_string((row + column).value()));

    // [output]
    //: The last one is worth a second look. Neither operand has more than three elements, the sum has six: [3] is read
    //: as [1, 3], so the row is repeated downwards and the column to the right.
    // [hide]
    lesson.fact(broadcast_shape("+", {4, 1, 3}, {2, 1}) == Shape{4, 2, 3}, "[4, 1, 3] and [2, 1] make [4, 2, 3]");
    lesson.fact(column.shape() == Shape{2, 1} && row.shape() == Shape{3}, "row and column");
    lesson.fact(same((x + 1).value(), {{2, 3, 4}, {5, 6, 7}}), "x + 1");
    lesson.fact(same((x + row).value(), {{11, 22, 33}, {14, 25, 36}}), "x + row");
    lesson.fact(same((x + column).value(), {{101, 102, 103}, {204, 205, 206}}), "x + column");
    lesson.fact(same((row + column).value(), {{110, 120, 130}, {210, 220, 230}}), "row + column");
    // [show]

    lesson.section("Shapes that do not fit");
    //: Two numbers for two rows look as if they should fit. They do not, since the rule aligns at the right, where 3
    //: meets 2. Ebb says so at the line where it happens:

    const auto two = tape.constant(Array<double>{100, 200});
    const std::string does_not_fit = error_of([&] { (void)(x + two); });
    fmt::print("{}\n", does_not_fit);

    // [output]
    //: The remedy was used above: `unsqueeze(two, 1)` is a column, [2, 1].
    // [hide]
    lesson.fact(does_not_fit == "add: shapes [2, 3] and [2] do not broadcast: extents 3 and 2 differ and neither is 1",
                "the error of [2, 3] + [2]");
    // [show]

    lesson.section("What broadcasting means for the gradient");
    //: Now three variables are broadcast at once: a bias of shape [3], one number for each row, and a single number.
    //: Each is repeated, and from the first tutorial we know: the shares of a value that is used more than once **add
    //: up**. To see them clearly, we choose a loss whose gradient at each element of z is a number of our own, in g:
    //:
    //:     z = x + bias + column + number
    //:     L = sum of all g z               so  dL/dz = g

    const auto bias = tape.variable(Array<double>{0.1, 0.2, 0.3});  // [3]
    const auto for_rows = tape.variable(Array<double>{0.5, 0.6});   // [2], as a column [2, 1]
    const auto number = tape.variable(Array<double>(0.7));          // []
    const auto g = tape.constant(Array<double>{{1, 2, 3}, {10, 20, 30}});

    const auto z = x + bias + unsqueeze(for_rows, 1) + number;
    tape.backward(sum(g * z));

    fmt::print("dL/dx =\n{}\n\n", to_string(x.grad()));
    fmt::print("dL/dbias     = {}\n", to_string(bias.grad()));
    fmt::print("dL/dfor_rows = {}\n", to_string(for_rows.grad()));
    fmt::print("dL/dnumber   = {}\n", to_string(number.grad()));

    // [output]
    //: x was not repeated, so it gets g as it is. The bias was repeated downwards and gets the **column sums** of g:
    //: 1 + 10, 2 + 20, 3 + 30. The column was repeated to the right and gets the row sums. The number was repeated
    //: everywhere and gets the sum of all. The whole rule:
    //:
    //: > The gradient has the shape of the operand. Along the axes where the operand was repeated, it is the sum.
    // [hide]
    lesson.fact(same(x.grad(), {{1, 2, 3}, {10, 20, 30}}), "x gets g as it is");
    lesson.fact(same(bias.grad(), {11, 22, 33}), "the bias gets the column sums");
    lesson.fact(same(for_rows.grad(), {6, 60}), "the column gets the row sums");
    lesson.fact(number.grad()() == 66, "the number gets the sum of all");
    // [show]

    lesson.section("The bias of a layer");
    //: The same in the size of a real layer: 3 examples, 20 neurons, a bias [20] for the three rows of a [3, 20]. With
    //: the loss L = sum of all (a + bias)^2 the derivative at each element is 2 (a + bias), and element j of the bias
    //: gets the sum of column j:
    //:
    //:     dL/dbias_j = 2 (a_0j + bias_j) + 2 (a_1j + bias_j) + 2 (a_2j + bias_j)

    Array<double> a_values = Array<double>::from_shape({3, 20});
    Array<double> bias_values = Array<double>::from_shape({20});
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 20; ++j) a_values(i, j) = std::sin(static_cast<double>(20 * i + j));
    for (std::size_t j = 0; j < 20; ++j) bias_values(j) = 0.1 * static_cast<double>(j);

    const auto layer_loss = [](const std::vector<Variable<double>>& inputs) {
        return sum(square(inputs[0] + inputs[1]));
    };
    const auto layer_bias = tape.variable(bias_values);
    tape.backward(layer_loss({tape.constant(a_values), layer_bias}));

    Array<double> by_hand = Array<double>::from_shape({20});
    for (std::size_t j = 0; j < 20; ++j) {
        by_hand(j) = 0;
        for (std::size_t i = 0; i < 3; ++i) by_hand(j) += 2 * (a_values(i, j) + bias_values(j));
    }
    for (const std::size_t j : {0, 1, 19})
        fmt::print("column {:>2}:  by hand {:>8.4f}   the tape {:>8.4f}\n", j, by_hand(j), layer_bias.grad()(j));

    const GradCheckReport report = gradcheck(layer_loss, {a_values, bias_values});
    fmt::print("\nshape of the gradient: {}\n", to_string(Shape::of(layer_bias.grad().shape())));
    fmt::print("gradcheck: {}\n", report.passed ? "passed" : report.message);

    // [output]
    //: Both agree in all 20 columns. `gradcheck` is the witness from the first tutorial, for arrays: it changes each of
    //: the 60 elements of a and the 20 of the bias by a little, measures how the loss changes, and compares.
    // [hide]
    for (std::size_t j = 0; j < 20; ++j)
        lesson.fact(close(by_hand(j), layer_bias.grad()(j)), "each column sum agrees with the one by hand");
    lesson.fact(layer_bias.grad().shape().size() == 1 && layer_bias.grad().shape()[0] == 20, "the gradient is [20]");
    lesson.fact(report.passed, "gradcheck passes");
    lesson.fact(a_values.size() == 60 && bias_values.size() == 20, "60 and 20 elements");
    // [show]

    lesson.section("The trap: [3] - [3, 1]");
    //: Broadcasting never asks whether it was meant. Say that a network has made three predictions, [3], and the
    //: targets came from a file with one column, [3, 1]. Let the predictions be perfect. The mean of the squared
    //: differences must then be 0:

    tape.clear();
    const auto prediction = tape.variable(Array<double>{1, 2, 3});
    const auto target = unsqueeze(tape.constant(Array<double>{1, 2, 3}), 1);  // [3, 1]

    const auto difference = prediction - target;
    const auto wrong_loss = mean(square(difference));
    tape.backward(wrong_loss);
    fmt::print("{} - {} is {}:\n{}\n\n", to_string(prediction.shape()), to_string(target.shape()),
               to_string(difference.shape()), to_string(difference.value()));
    fmt::print("loss {:.4f}\ngradient {}\n", wrong_loss.item(), to_string(prediction.grad()));

    // [output]
    // [hide]
    lesson.fact(difference.shape() == Shape{3, 3}, "[3] - [3, 1] is [3, 3]");
    lesson.fact(same(difference.value(), {{0, 1, 2}, {-1, 0, 1}, {-2, -1, 0}}), "each prediction minus each target");
    lesson.fact(close(wrong_loss.item(), 12.0 / 9), "the loss is 12/9");
    lesson.fact(
        close(prediction.grad()(0), -2.0 / 3) && close(prediction.grad()(1), 0) && close(prediction.grad()(2), 2.0 / 3),
        "it pulls each prediction towards 2");
    const auto all_equal = tape.variable(Array<double>{2, 2, 2});
    const auto at_the_mean = mean(square(all_equal - target));
    tape.backward(at_the_mean);
    lesson.fact(same(all_equal.grad(), {0, 0, 0}), "at 2, 2, 2 the gradient is 0");
    // [show]
    //: Each prediction was compared with *each* target. There was no error, and the loss is a plausible number; only
    //: the training is ruined. The gradient pulls 1 up and 3 down, and it comes to rest when all three predictions are
    //: 2, the mean of the targets. A network that answers the mean to everything is the mark of this mistake.
    //:
    //: `-` cannot know better: who wants all differences between two lists writes just this. A loss can know.

    lesson.section("A loss that refuses");
    //: Ebb's losses compare predictions with targets of the same shape, and nothing else:

    const std::string refused = error_of([&] { (void)mse_loss(prediction, target); });
    const auto right_loss = mse_loss(prediction, squeeze(target, 1));
    fmt::print("{}\n\nwith squeeze: {}\n", refused, right_loss.item());

    // [output]
    //: `squeeze` takes away an axis of extent 1, as `unsqueeze` adds one. Use the losses that Ebb has; where you write
    //: one yourself, compare the shapes first.
    // [hide]
    lesson.fact(
        refused == "mse_loss: prediction is [3], target is [3, 1]: expected equal shapes, nothing is broadcast here",
        "mse_loss refuses [3] and [3, 1]");
    lesson.fact(right_loss.item() == 0, "the loss of perfect predictions is 0");
    // [show]

    lesson.section("Matrix products, and batches of them");
    //: `*` works element by element; the product of matrices is `matmul`. Its last two axes are the matrix, and the
    //: *inner* extents must be equal: [m, k] times [k, n] is [m, n]. All axes before them are a *batch*:
    //: a stack of matrices, each multiplied on its own. The batch axes broadcast by the rule above.

    const auto product = [&](const Shape& left, const Shape& right) {
        return matmul(tape.zeros(left), tape.zeros(right)).shape();
    };
    const auto print_product = [&](const Shape& left, const Shape& right) {
        fmt::print("{:<14}{:<12}{}\n", to_string(left), to_string(right), to_string(product(left, right)));
    };
    print_product({2, 3}, {3, 5});           // one matrix each
    print_product({4, 2, 3}, {4, 3, 5});     // four of each, in pairs
    print_product({4, 2, 3}, {3, 5});        // the same right one for all four
    print_product({4, 1, 2, 3}, {6, 3, 5});  // each of four with each of six
    print_product({2, 3}, {3});              // an array of one axis is a column here,
    print_product({3}, {3, 5});              // and a row here

    const std::string inner = error_of([&] { (void)product({2, 3}, {2, 3}); });
    fmt::print("\n{}\n", inner);

    // [output]
    // [hide]
    lesson.fact(product({2, 3}, {3, 5}) == Shape{2, 5} && product({4, 2, 3}, {4, 3, 5}) == Shape{4, 2, 5}, "products");
    lesson.fact(product({4, 2, 3}, {3, 5}) == Shape{4, 2, 5} && product({4, 1, 2, 3}, {6, 3, 5}) == Shape{4, 6, 2, 5},
                "batches broadcast");
    lesson.fact(product({2, 3}, {3}) == Shape{2} && product({3}, {3, 5}) == Shape{5}, "columns and rows");
    lesson.fact(inner == "matmul: inner dimensions differ: a is [2, 3], b is [2, 3]: 3 != 2", "the inner extents");
    // [show]
    //: The error names the two numbers that had to be equal: the last extent on the left, the last but one on the
    //: right.

    lesson.section("The gradient of shared weights");
    //: The third product above is what a layer does with a batch: the right matrix, its weights, is used four times.
    //: You know by now what its gradient is: the sum over the batch. Two matrices are enough to see it:

    const auto batch = tape.constant(Array<double>{{{1, 2}, {3, 4}}, {{10, 20}, {30, 40}}});  // [2, 2, 2]
    const auto weights = tape.variable(Array<double>{{1, 0}, {1, 1}});                        // [2, 2]
    const auto outputs = matmul(batch, weights);
    tape.backward(sum(outputs));
    fmt::print("outputs =\n{}\n\n", to_string(outputs.value()));
    fmt::print("gradient of the weights =\n{}\n\n", to_string(weights.grad()));

    // Each matrix of the batch on its own:
    for (const int k : {0, 1}) {
        const auto same_weights = tape.variable(weights.value());
        tape.backward(sum(matmul(select(batch, 0, k), same_weights)));
        fmt::print("the share of matrix {} =\n{}\n", k, to_string(same_weights.grad()));
        // [hide]
        lesson.fact(
            same(same_weights.grad(), k == 0 ? Array<double>{{4, 4}, {6, 6}} : Array<double>{{40, 40}, {60, 60}}),
            "the share of one matrix");
        // [show]
    }

    // [output]
    //: 44 = 4 + 40, and 66 = 6 + 60.
    // [hide]
    lesson.fact(same(outputs.value(), {{{3, 2}, {7, 4}}, {{30, 20}, {70, 40}}}), "the outputs");
    lesson.fact(same(weights.grad(), {{44, 44}, {66, 66}}), "the gradient of the weights");
    // [show]

    lesson.section("Slices, without copies");
    //: `slice(x, axis, start, stop)` is a part of x, from `start` up to but not including `stop`. `select(x, axis, i)`
    //: is position i alone, and the axis is gone; -1 is the last one. Rows lie one after the other in memory, so some
    //: rows of a matrix can be used where they are. The elements of a column lie apart, so columns are copied.

    tape.clear();
    const auto m = tape.variable(Array<double>{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}});
    const auto rows = slice(m, 0, 1, 3);
    const auto columns = slice(m, 1, 1, 3);
    const auto last_row = select(m, 0, -1);
    const auto reshaped = reshape(m, {2, 6});

    const double* const memory = m.value().data();
    const auto look = [&](const char* what, const Variable<double>& part) {
        const double* const begin = part.value().data();
        const bool inside = begin >= memory && begin < memory + m.size();
        fmt::print("{:<10}{:<8}{}\n", what, to_string(part.shape()), inside ? "in the memory of m" : "a copy");
    };
    look("rows", rows);
    look("columns", columns);
    look("last_row", last_row);
    look("reshaped", reshaped);

    tape.backward(sum(rows) + 10.0 * sum(columns));
    fmt::print("\ncolumns =\n{}\n\ngradient of m =\n{}\n", to_string(columns.value()), to_string(m.grad()));

    // [output]
    //: For the gradient it makes no difference. What goes back through a slice reaches the elements that are in it; the
    //: others get 0. The rows brought 1, the columns 10, and where they cross the shares add up to 11.
    //:
    //: Since memory is shared, values on the tape cannot be written: `value()` is read-only.
    // [hide]
    lesson.fact(reshaped.value().data() == memory, "the reshaped array is m itself");
    lesson.fact(columns.value().data() < memory || columns.value().data() >= memory + m.size(), "columns are copied");
    lesson.fact(rows.value().data() == memory + 4 && last_row.value().data() == memory + 8, "where the rows begin");
    lesson.fact(same(columns.value(), {{1, 2}, {5, 6}, {9, 10}}), "the columns");
    lesson.fact(rows.shape() == Shape{2, 4} && last_row.shape() == Shape{4}, "shapes of the rows");
    lesson.fact(same(m.grad(), {{0, 10, 10, 0}, {1, 11, 11, 1}, {1, 11, 11, 1}}), "the shares of the slices add up");
    static_assert(std::is_same_v<decltype(m.value().data()[0]), const double&>, "value() is read-only");
    // [show]

    lesson.section("A transpose that waits");
    //: `transpose(w)` has the rows of w as its columns. It copies nothing either: `matmul` can read a matrix the other
    //: way round. Only when something else wants the elements in their new order are they copied. The tape counts the
    //: memory that it uses:

    const auto large = tape.variable(Array<double>(Array<double>::shape_type{300, 300}, 0.5));
    const auto vector = tape.full({1, 300}, 2.0);
    const std::size_t size_of_large = 300 * 300 * sizeof(double);

    const std::size_t before = tape.bytes_used();
    const auto turned = transpose(large);
    const auto result = matmul(vector, turned);
    const std::size_t after_matmul = tape.bytes_used();
    const double corner = turned.value()(299, 0);
    const std::size_t after_value = tape.bytes_used();
    fmt::print("new memory, in matrices of 300 x 300:\n");
    fmt::print("for transpose and matmul  {}\n", (after_matmul - before) / size_of_large);
    fmt::print("for value()               {}\n", (after_value - after_matmul) / size_of_large);

    // [output]
    //: So `matmul(x, transpose(w))` costs no copy of w, and only to look at the transposed matrix costs one.
    // [hide]
    lesson.fact(result.shape() == Shape{1, 300} && result.value()(0, 0) == 300 && corner == 0.5, "the product");
    lesson.fact((after_matmul - before) / size_of_large == 0, "no copy for matmul");
    lesson.fact((after_value - after_matmul) / size_of_large == 1, "one copy for value()");
    // [show]

    lesson.section("Where a view ends");
    //: `value()` and `grad()` do not copy. What they return is a *view*: it looks at the memory of the tape.
    //: `tape.clear()` keeps that memory for the next graph, and then the view looks at what the next graph writes
    //: there. This program keeps a view over a `clear()`, which you must not do:

    tape.clear();
    const auto old_variable = tape.constant(Array<double>{1, 2, 3});
    const auto view = old_variable.value();           // a view
    const Array<double> copy = old_variable.value();  // an array of our own: a copy

    tape.clear();
    const auto new_variable = tape.constant(Array<double>{7, 8, 9});
    const std::string cleared = error_of([&] { (void)old_variable.value(); });
    fmt::print("the view: {}\nthe copy: {}\n\n{}\n", to_string(view), to_string(copy), cleared);

    // [output]
    //: The view shows the numbers of another variable. The variable itself knows that its tape was cleared, and
    //: refuses. The difference between the two lines is one word: `auto` keeps what `value()` returns, the view;
    //: `Array<double>` makes a copy. Use a view at once, within a line or a few. To keep numbers, write the type.
    // [hide]
    lesson.fact(view.data() == new_variable.value().data() && same(view, {7, 8, 9}), "the view looks at the new array");
    lesson.fact(same(copy, {1, 2, 3}), "the copy has stayed");
    lesson.fact(cleared ==
                    "Variable: its tape was cleared or destroyed since: copy what outlasts a tape into an array, "
                    "x.value(), and make a new variable from it",
                "the error of a variable of a cleared tape");
    // [show]

    //: ## Exercises
    //:
    //: 1. Without running anything: which of these fit, and what is the result? [5, 1] and [4]; [3, 4] and [3];
    //:    [2, 1, 6] and [7, 1]; [] and [0, 3]. Then ask `broadcast_shape`. *Hint:* align at the right; one of them does
    //:    not fit.
    //: 2. Replace `+ bias` in the layer by `* bias`. What does element j of the bias get now?
    //:    *Hint:* each row brings 2 a bias, the derivative of the square, times *its own* element of a.
    //: 3. Subtract from every row of a [3, 20] the mean of that row. `mean(a, 1)` is [3]: why does `a - mean(a, 1)`
    //:    not fit, and why would it have been worse with a [3, 3]? *Hint:* look at the parameter `keepdims`.
    //: 4. Write the wrong loss of "The trap" with predictions [3, 1] and targets [3]. Is the loss the same? The shape
    //:    of the gradient? *Hint:* transpose the matrix of differences.
    //: 5. Compute the share of each example in the gradient of the bias [20], instead of their sum. *Hint:* give every
    //:    example a bias of its own with `broadcast_to`, and let it keep its gradient with `retain_grad()`.
    // [hide]
    {
        tape.clear();
        lesson.fact(broadcast_shape("+", {5, 1}, {4}) == Shape{5, 4}, "exercise 1: [5, 1] and [4]");
        lesson.fact(error_of([] { (void)broadcast_shape("+", {3, 4}, {3}); }) != "no error", "exercise 1: the misfit");
        lesson.fact(broadcast_shape("+", {2, 1, 6}, {7, 1}) == Shape{2, 7, 6}, "exercise 1: [2, 1, 6] and [7, 1]");
        lesson.fact(broadcast_shape("+", {}, {0, 3}) == Shape{0, 3}, "exercise 1: [] and [0, 3]");

        const auto a = tape.constant(a_values);
        const auto factor = tape.variable(bias_values);
        tape.backward(sum(square(a * factor)));
        double expected = 0;
        for (std::size_t i = 0; i < 3; ++i) expected += 2 * a_values(i, 7) * bias_values(7) * a_values(i, 7);
        lesson.fact(close(factor.grad()(7), expected), "exercise 2: g times the element of its row");

        lesson.fact(error_of([&] { (void)(a - mean(a, 1)); }) != "no error", "exercise 3: the means do not fit");
        lesson.fact((a - mean(a, 1, true)).shape() == Shape{3, 20}, "exercise 3: with keepdims they do");

        const auto standing = tape.variable(Array<double>(unsqueeze(tape.constant({1, 2, 3}), 1).value()));
        const auto loss = mean(square(standing - tape.constant(Array<double>{1, 2, 3})));
        tape.backward(loss);
        lesson.fact(close(loss.item(), 12.0 / 9) && standing.grad().shape()[1] == 1, "exercise 4: the same loss");

        const auto shared = tape.variable(bias_values);
        const auto own = broadcast_to(shared, {3, 20}).retain_grad();
        tape.backward(sum(square(a + own)));
        lesson.fact(close(own.grad()(2, 5), 2 * (a_values(2, 5) + bias_values(5))), "exercise 5: the share of row 2");
        lesson.fact(close(own.grad()(0, 5) + own.grad()(1, 5) + own.grad()(2, 5), shared.grad()(5)), "exercise 5: sum");
    }
    // [show]
    return lesson.end();
}
