/// Every kind of error that docs/architecture.md lists, one after another, on one network in the middle of its
/// training: after each of them the tape, its gradients, the parameters, the optimiser and the file are as before, to
/// the bit.

#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/checkpoint.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/vjp_rows.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/core/safetensors.hpp>
#include <ebb/layers/embedding.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/model_file.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>
#include <ebb/optim/adam.hpp>

#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/temporary_folder.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Everything that an error must leave alone, as bytes.
class Snapshot {
  public:
    void add(const Tape<double>& tape) {
        add(tape.size());
        for (NodeIndex k = 0; k < tape.size(); ++k) {
            const Node<double>& node = tape.node(k);
            bytes_ += std::string(node.name.text());
            add(node.requires_grad);
            add(node.retains_gradient);
            add(node.freed);
            add(node.time_step);
            add(node.gradient);
            add(node.value);
            if (node.value) add(node.value, node.shape.size());
            const double* const kept = tape.kept_gradient(node);
            add(kept);
            if (kept) add(kept, node.shape.size());
        }
    }
    void add(const Parameter<double>& p) {
        bytes_ += p.name();
        add(p.value());
        add(p.grad());
        add(p.requires_grad());
    }
    void add(const Array<double>& array) { add(array.data(), array.size()); }
    void add(const std::string& text) { bytes_ += text; }
    template <class S>
    requires std::is_trivially_copyable_v<S>
    void add(const S& value) { add(&value, 1); }

    friend bool operator==(const Snapshot&, const Snapshot&) = default;

  private:
    template <class S>
    void add(const S* data, std::size_t count) {
        const std::size_t size = bytes_.size();
        bytes_.resize(size + count * sizeof(S));
        if (count > 0) std::memcpy(bytes_.data() + size, data, count * sizeof(S));
    }
    std::string bytes_;
};

Array<double> filled(std::vector<std::size_t> shape, double value) {
    Array<double> result = Array<double>::from_shape(shape);
    result.fill(value);
    return result;
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// A network after some steps of training, with a tape whose first loss has been derived and freed.
struct Scene {
    TemporaryFolder folder;
    LSTM<double> lstm{{.input_size = 3, .hidden_size = 4, .num_layers = 2, .name = "encoder"}};
    Linear<double> readout{{.in_features = 4, .out_features = 2, .name = "readout"}};
    Adam<double> adam{lstm.parameters(), {.learning_rate = 0.01}};
    Parameter<double> written{"written", filled({2, 2}, 0.5)};
    std::optional<Variable<double>> of_dead_tape;
    Tape<double> other, tape;
    Variable<double> of_other = other.variable(filled({2, 3}, 1));
    Variable<double> x, wide, freed, live, from_written;
    std::string path = folder / "model.safetensors";

    Scene() {
        {
            const Tape<double>::Activation here(tape);
            Tape<double> dead;
            of_dead_tape = dead.variable(filled({2, 3}, 1));
        }
        const Tape<double>::Activation here(tape);
        x = tape.variable(filled({2, 3}, 0.25)).named("x");
        wide = tape.variable(filled({5, 2, 3}, 0.5)).named("wide");
        freed = mean(square(readout(lstm(wide).output)));
        tape.backward(freed);
        adam.step();  // so that the graph before is of older weights, too
        from_written = sum(matmul(transpose(x), matmul(tape.use(written), x)));
        written.mutable_value()(0, 0) = 0.75;
        live = sum(tanh(x) * x);
        save_safetensors(path, lstm);
    }

    Snapshot snapshot() const {
        Snapshot result;
        result.add(tape);
        result.add(other);
        for (const auto& p : lstm.parameters()) result.add(p);
        for (const auto& p : readout.parameters()) result.add(p);
        result.add(written);
        const OptimizerState<double> state = adam.state_dict();
        for (const auto& [name, number] : state.numbers) result.add(number);
        for (const auto& [name, array] : state.arrays) result.add(array);
        result.add(read_file(path));
        return result;
    }
};

struct Mistake {
    const char* says;  ///< a part of the message that no other has
    std::function<void()> make;
};

}  // namespace

TEST_CASE("after every error everything is as before") {
    Scene s;
    Tape<double>& tape = s.tape;
    Variable<double>&x = s.x, &wide = s.wide;
    const Tape<double>::Activation here(tape);
    const RNNCell<double> cell({.input_size = 7, .hidden_size = 4, .name = "cell"});
    // What the mistakes below are made with is on the tape before.
    const auto p = tape.use(s.written), none = slice(wide, 0, 0, 0), difference = x - 0.25, constant = x.detach(),
               sum_of_constant = sum(constant);
    Adam<double> of_readout(s.readout.parameters(), {.learning_rate = 0.1});

    Indices wrong = Indices::from_shape({2, 1});
    wrong.fill(-1);

    // Files that are not what they should be.
    const std::string truncated = s.folder / "truncated.safetensors", hostile = s.folder / "hostile.safetensors",
                      of_nan = s.folder / "nan.safetensors", of_integers = s.folder / "integers.safetensors";
    const std::string whole = read_file(s.path);
    write_file_atomically(truncated, whole.substr(0, whole.size() - 10));
    write_file_atomically(hostile, std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10));
    std::map<std::string, AnyArray> arrays, integers;
    for (const auto& [name, parameter] : s.lstm.named_parameters()) {
        Array<double> value = parameter.value();
        if (name == "bias_hh_l1") value(3) = not_a_number;
        arrays[name] = value;
        Array<std::int64_t> whole_numbers = Array<std::int64_t>::from_shape(value.shape());
        whole_numbers.fill(1);
        integers[name] = whole_numbers;
    }
    save_safetensors(of_nan, arrays);
    save_safetensors(of_integers, integers);

    const std::vector<Mistake> mistakes{
        // Shapes.
        {"matmul: inner dimensions differ", [&] { matmul(x, x); }},
        {"add: ", [&] { x + p; }},
        {"mse_loss: ", [&] { mse_loss(x, p); }},
        {"reshape: ", [&] { reshape(x, {4}); }},
        {"concat: ",
         [&] {
             concat({x, wide}, 0);
         }},
        {"Linear: x is", [&] { s.readout(x); }},
        {"while running cell (RNNCell), time step 0", [&] { cell(x); }},
        {"LSTM: x is", [&] { s.lstm(x); }},
        {"LSTM: h0 is",
         [&] {
             s.lstm(wide, {x, x});
         }},
        {"expected the same shape", [&] { tape.backward(s.live, filled({2}, 1)); }},
        {"hvp: v is", [&] { hvp(s.live, x, wide); }},
        {"vjp_rows: root 0",
         [&] {
             vjp_rows<double>({s.live}, {filled({2, 2}, 1)}, {x});
         }},
        {"Parameter", [&] { s.written.set_value(filled({3}, 1)); }},
        // Axes.
        {"sum: axis 2", [&] { sum(x, 2); }},
        {"softmax: axis -3", [&] { softmax(x, -3); }},
        {"permute: ",
         [&] {
             permute(x, {0, 0});
         }},
        // Types of numbers.
        {"I64", [&] { load_safetensors(of_integers, s.lstm); }},
        // Indices.
        {"index_select: index 2",
         [&] {
             index_select(x, Indices{0, 2});
         }},
        {"gather: index -1", [&] { gather(x, 1, wrong); }},
        {"slice: ", [&] { slice(x, 0, 0, 3); }},
        {"cross_entropy: target",
         [&] {
             cross_entropy(x, Indices{0, 3});
         }},
        // Sequences: none, lengths that do not fit.
        {"T is 0", [&] { s.lstm(none); }},
        {"lengths[1] is 6",
         [&] {
             s.lstm(wide, {}, {.lengths = {5, 6}});
         }},
        {"lengths has 3 entries",
         [&] {
             s.lstm(wide, {}, {.lengths = {5, 4, 3}});
         }},
        // Backward passes that cannot be.
        {"expected one element, or a seed", [&] { tape.backward(x); }},
        {"depends on no parameter", [&] { tape.backward(sum_of_constant); }},
        {"was freed by an earlier backward pass", [&] { tape.backward(s.freed); }},
        {"was freed", [&] { tape.backward(s.freed, {.create_graph = true}); }},
        {"was written after it was recorded", [&] { tape.backward(s.from_written); }},
        {"grad: y does not depend on x number 0", [&] { grad(s.live, {wide}); }},
        {"jacobian: ", [&] { jacobian(s.live, constant); }},
        {"returned a gradient of shape [3]",
         [&] {
             auto handle = x.register_hook([&](const auto& dy) { return select(dy, 0, 0); });
             try {
                 tape.backward(s.live);
             } catch (...) {
                 handle.remove();
                 throw;
             }
         }},
        {"no clear() from within a hook",
         [&] {
             auto handle = x.register_hook([&](const auto& dy) {
                 tape.clear();
                 return dy;
             });
             try {
                 tape.backward(s.live);
             } catch (...) {
                 handle.remove();
                 throw;
             }
         }},
        // Variables that are out of place.
        {"on two different tapes", [&] { x* s.of_other; }},
        {"grad: ", [&] { grad(s.live, {s.of_other}); }},
        {"its tape was cleared or destroyed", [&] { tanh(*s.of_dead_tape); }},
        {"default-constructed Variable", [&] { x + Variable<double>(); }},
        {"belongs to another thread",
         [&] {
             std::exception_ptr thrown;
             std::thread([&] {
                 try {
                     tanh(x);
                 } catch (...) {
                     thrown = std::current_exception();
                 }
             }).join();
             if (thrown) std::rethrow_exception(thrown);
         }},
        {"checkpoint: no inputs", [&] { checkpoint<double>([](const auto& in) { return in[0]; }, {}); }},
        // NaN.
        {"detect_anomaly: log",
         [&] {
             const DetectAnomaly on;
             log(difference);
         }},
        {"bias_hh_l1 holds nan", [&] { load_safetensors(of_nan, s.lstm); }},
        {"Parameter", [&] { Parameter<double>("p", filled({1}, not_a_number)); }},
        // Files that are no checkpoint, or another model's.
        {"truncated.safetensors", [&] { load_safetensors(truncated, s.lstm); }},
        {"hostile.safetensors", [&] { load_safetensors(hostile, s.lstm); }},
        {"missing", [&] { load_safetensors(s.path, s.readout); }},
        {"is missing.safetensors", [&] { load_safetensors(s.folder / "is missing.safetensors", s.lstm); }},
        {"model.safetensors/below", [&] { save_safetensors(s.path + "/below", s.lstm); }},
        {"Adam.load_state_dict", [&] { s.adam.load_state_dict(of_readout.state_dict()); }},
    };
    for (const Mistake& mistake : mistakes) {
        CAPTURE(mistake.says);
        const Snapshot before = s.snapshot();
        std::string message;
        try {
            mistake.make();
        } catch (const Error& error) {
            message = error.what();
        }
        CAPTURE(message);
        CHECK(message.find(mistake.says) != std::string::npos);
        CHECK(s.snapshot() == before);
    }
    // And all of it still works.
    tape.backward(s.live);
    CHECK(x.grad()(0, 0) != 0);
    load_safetensors(s.path, s.lstm);
}

TEST_CASE("a snapshot sees what changes") {
    Scene s;
    const Snapshot before = s.snapshot();
    CHECK(s.snapshot() == before);
    const auto differs = [&] {
        const bool result = !(s.snapshot() == before);
        CHECK(result);
    };
    s.x.named("y");
    differs();
    s.x.named("x");
    CHECK(s.snapshot() == before);
    s.written.mutable_grad()(1, 1) += 1e-300;
    differs();
    s.written.zero_grad();
    CHECK(s.snapshot() == before);
    s.tape.ones({1});
    differs();
}
