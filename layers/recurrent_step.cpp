#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/blas.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/layers/recurrent_formulas.hpp>
#include <ebb/layers/recurrent_kernels.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace ebb {
namespace {

/// The inputs of a step: these, then c (LSTM), then bias_ih and bias_hh (with bias).
enum Input : std::size_t { input_x, input_weight_ih, input_weight_hh, input_h, first_optional_input };

// ---- in elementary operations
// -----------------------------------------------------------------------------------------

template <class T>
struct StepState {
    Variable<T> h, c;
    std::vector<std::pair<const char*, Variable<T>>> gates;
};

template <class T>
StepState<T> elementary_step(CellKind kind, const Variable<T>& x, const Variable<T>& h, const Variable<T>& c,
                             const RecurrentWeights<T>& w) {
    const Variable<T> from_x = linear(x, w.weight_ih, w.bias_ih);
    const Variable<T> from_h = linear(h, w.weight_hh, w.bias_hh);
    const auto hidden = static_cast<std::ptrdiff_t>(h.shape()[1]);
    const auto gate = [hidden](const Variable<T>& a, std::ptrdiff_t k) {
        return slice(a, 1, k * hidden, (k + 1) * hidden);
    };
    switch (kind) {
        case CellKind::rnn_tanh:
            return {formulas::TanhStep::forward(from_x + from_h), {}, {}};
        case CellKind::rnn_relu:
            return {relu(from_x + from_h), {}, {}};
        case CellKind::lstm: {
            const Variable<T> a = from_x + from_h;
            const auto [i, f, g, o, c_t, h_t] =
                formulas::LSTMStep::forward(gate(a, 0), gate(a, 1), gate(a, 2), gate(a, 3), c);
            return {h_t, c_t, {{"input_gate", i}, {"forget_gate", f}, {"cell_gate", g}, {"output_gate", o}}};
        }
        case CellKind::gru: {
            const auto [r, z, n, h_t] =
                formulas::GRUStep::forward(gate(from_x, 0), gate(from_x, 1), gate(from_x, 2), gate(from_h, 0),
                                           gate(from_h, 1), gate(from_h, 2), h);
            return {h_t, {}, {{"reset_gate", r}, {"update_gate", z}, {"new_gate", n}}};
        }
    }
    return {};
}

template <class T>
void set_step(Node<T>& node, const StepLabels& labels, std::size_t t) {
    node.time_step = labels.first_time_step + static_cast<std::int32_t>(t);
    node.step_owner = labels.owner;
}

template <class T>
void label(Node<T>& node, Name name, const StepLabels& labels, std::size_t t) {
    node.name = name;
    set_step(node, labels, t);
    node.probe = true;
    node.retains_gradient = node.requires_grad;
}

// ---- fused
// --------------------------------------------------------------------------------------------------------------

/// What the steps of a sequence share, in the tape's arena. A single step is a sequence of one.
template <class T>
struct Sequence {
    std::size_t steps, batch, input_size, hidden;  // T, B, I, H
    bool whole;                                    // the input of every step is the whole x [T, B, I]
    bool zero_state;
    bool has_bias;
    const T* x;            // [T, B, I]
    const T* h0;           // [B, H]
    const T* c0;           // [B, H]
    T* h;                  // [T, B, H]
    T* c;                  // [T, B, H]
    T* gates;              // [T, B, G H]: pre-activations, then activations
    T* h_n;                // [T, B, H], GRU
    const T* bias;         // [G H]
    const T* hidden_bias;  // [3 H], GRU

    // Of the backward pass that is running: it visits the steps one after another, from some last step to the first.
    T* delta;             // [T, B, G H]
    T* hidden_delta;      // [T, B, 3 H], GRU; else delta
    std::size_t visited;  // the step it was at
    std::size_t last;     // the step it began with

    std::size_t states() const { return batch * hidden; }
    const T* h_before(std::size_t t) const { return t ? h + (t - 1) * states() : h0; }
    const T* c_before(std::size_t t) const { return t ? c + (t - 1) * states() : c0; }
};

template <class T>
struct Step {
    Sequence<T>* sequence;
    std::size_t t;
};

template <class T>
RecurrentBlock<T> block_of(const Sequence<T>& s, CellKind kind, std::size_t t) {
    const std::size_t gate_size = s.batch * gate_count(kind) * s.hidden;
    RecurrentBlock<T> block;
    block.batch = s.batch;
    block.hidden = s.hidden;
    block.gates = s.gates + t * gate_size;
    block.bias = s.bias;
    block.hidden_bias = s.hidden_bias;
    block.h_n = s.h_n ? s.h_n + t * s.states() : nullptr;
    block.h_before = s.h_before(t);
    block.c_before = s.c ? s.c_before(t) : nullptr;
    block.h = s.h + t * s.states();
    block.c = s.c ? s.c + t * s.states() : nullptr;
    return block;
}

template <class T>
RecurrentKernel<T> forward_kernel(CellKind kind) {
    const RecurrentKernels<T>& table = kernels<RecurrentKernels<T>>();
    switch (kind) {
        case CellKind::rnn_tanh:
            return table.tanh_forward;
        case CellKind::rnn_relu:
            return table.relu_forward;
        case CellKind::lstm:
            return table.lstm_forward;
        default:
            return table.gru_forward;
    }
}

template <class T>
RecurrentKernel<T> backward_kernel(CellKind kind) {
    const RecurrentKernels<T>& table = kernels<RecurrentKernels<T>>();
    switch (kind) {
        case CellKind::rnn_tanh:
            return table.tanh_backward;
        case CellKind::rnn_relu:
            return table.relu_backward;
        case CellKind::lstm:
            return table.lstm_backward;
        default:
            return table.gru_backward;
    }
}

constexpr OperationInfo info_of(CellKind kind) {
    switch (kind) {
        case CellKind::rnn_tanh:
            return {"rnn_step", "h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)", "da_t = dh_t (1 - h_t^2)"};
        case CellKind::rnn_relu:
            return {"rnn_relu_step", "h_t = max(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, 0)",
                    "da_t = dh_t where h_t > 0, else 0", Domain::nonzero};
        case CellKind::lstm:
            return {"lstm_step", "c_t = f . c_{t-1} + i . g, h_t = o . tanh(c_t)",
                    "dc_t += dh_t o (1 - tanh(c_t)^2), dc_{t-1} = dc_t f"};
        default:
            return {"gru_step", "h_t = (1 - z) . n + z . h_{t-1}, n = tanh(x_n + r . h_n)",
                    "dn = dh_t (1 - z), dz = dh_t (h_{t-1} - n), dh_{t-1} = dh_t z + ..."};
    }
}

template <CellKind kind, class T>
class RecurrentOperation final : public Operation<T> {
    static constexpr std::size_t G = gate_count(kind);
    static constexpr bool is_lstm = kind == CellKind::lstm;
    static constexpr bool is_gru = kind == CellKind::gru;

  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info = info_of(kind);
        return info;
    }

    std::vector<Intermediate<T>> intermediates(const Tape<T>&, const Node<T>& node) const override {
        const Step<T>& step = *static_cast<const Step<T>*>(node.saved);
        const Sequence<T>& s = *step.sequence;
        const T* const gates = s.gates + step.t * s.batch * G * s.hidden;
        const auto gate = [&](std::string_view name, std::size_t k) {
            return Intermediate<T>{name, gates + k * s.hidden, s.batch, s.hidden, G * s.hidden};
        };
        if constexpr (is_lstm)
            return {gate("input_gate", 0), gate("forget_gate", 1), gate("cell_gate", 2), gate("output_gate", 3)};
        else if constexpr (is_gru)
            return {gate("reset_gate", 0), gate("update_gate", 1), gate("new_gate", 2)};
        else
            return {};
    }

    void vjp(Vjp<T>& pass) const override {
        // The step again, in elementary operations, which know their own derivatives.
        Tape<T>& tape = pass.tape();
        const Step<T> step = pass.template saved<Step<T>>();
        const auto first = static_cast<NodeIndex>(tape.size());
        StepState<T> state;
        {
            const EnableGrad on;
            const Variable<T> x = pass.input(input_x);
            const std::size_t bias = first_optional_input + (is_lstm ? 1 : 0);
            RecurrentWeights<T> weights{pass.input(input_weight_ih), pass.input(input_weight_hh), {}, {}};
            if (step.sequence->has_bias) {
                weights.bias_ih = pass.input(bias);
                weights.bias_hh = pass.input(bias + 1);
            }
            state = elementary_step(kind, step.sequence->whole ? select(x, 0, static_cast<std::ptrdiff_t>(step.t)) : x,
                                    pass.input(input_h), is_lstm ? pass.input(first_optional_input) : Variable<T>(),
                                    weights);
        }
        std::vector<Variable<T>> roots{state.h}, seeds{pass.dy(0)};
        if (is_lstm) {
            roots.push_back(state.c);
            seeds.push_back(pass.dy(1));
        }
        // An input may stand in two places; its gradient is the sum over both, and counts once.
        std::vector<std::size_t> places;
        std::vector<Variable<T>> targets;
        for (std::size_t i = 0; i < pass.input_count(); ++i) {
            const auto same = [&](const Variable<T>& other) { return other.index() == pass.input(i).index(); };
            if (!pass.wants(i) || std::any_of(targets.begin(), targets.end(), same)) continue;
            places.push_back(i);
            targets.push_back(pass.input(i));
        }
        const std::vector<Variable<T>> gradients = tape.vjp(roots, seeds, targets, first);
        for (std::size_t k = 0; k < places.size(); ++k)
            if (gradients[k].defined()) pass.accumulate(places[k], gradients[k]);
    }

    void backward(Backward<T>& pass) const override {
        const Step<T>& step = pass.template saved<Step<T>>();
        Sequence<T>& s = *step.sequence;
        const std::size_t t = step.t;
        const std::size_t B = s.batch, I = s.input_size, H = s.hidden, states = s.states(), gates = B * G * H;
        if (s.visited != t + 1) {  // a pass begins here
            s.delta = pass.acquire(s.steps * gates);
            s.hidden_delta = is_gru ? pass.acquire(s.steps * gates) : s.delta;
            s.last = t;
        }
        s.visited = t;

        // delta_t, and what flows to the states around the products.
        RecurrentBlock<T> block = block_of(s, kind, t);
        block.delta = s.delta + t * gates;
        block.hidden_delta = s.hidden_delta + t * gates;
        T* zeros = nullptr;
        const auto or_zeros = [&](const T* gradient) -> const T* {
            if (gradient) return gradient;
            if (!zeros) {
                zeros = pass.acquire(states);
                std::fill_n(zeros, states, T(0));
            }
            return zeros;
        };
        block.dh = or_zeros(pass.dy(0));
        T* scratch = nullptr;
        if constexpr (is_lstm || is_gru) {
            constexpr std::size_t around = is_lstm ? std::size_t{first_optional_input} : std::size_t{input_h};
            if (is_lstm) {
                // The kernel adds what comes through h_t, so that the probe of c_t holds the whole dL/dc_t.
                Node<T>& cell_state = pass.tape().node(pass.index() + 1);
                if (!cell_state.gradient) {
                    cell_state.gradient = pass.acquire(states);
                    std::fill_n(cell_state.gradient, states, T(0));
                }
                block.dc = cell_state.gradient;
            }
            if (pass.wants(around)) {
                const GradientTarget<T> target = pass.target(around);
                block.d_before = target.data;
                block.assign = target.assign;
            } else {
                block.d_before = scratch = pass.acquire(states);
                block.assign = true;
            }
        }
        backward_kernel<T>(kind)(block);
        if (scratch) pass.release(scratch, states);
        if (zeros) pass.release(zeros, states);

        // dh_{t-1} += delta_t W_hh
        const T* const delta = block.delta;
        const T* const hidden_delta = block.hidden_delta;
        if (pass.wants(input_h)) {
            const GradientTarget<T> target = pass.target(input_h);
            gemm(Transpose::no, Transpose::no, B, H, G * H, T(1), hidden_delta, G * H,
                 pass.input(input_weight_hh).value, H, target.assign ? T(0) : T(1), target.data, H);
        }
        // The weights wait: dW_ih += delta_t' x_t, dW_hh += delta_t' h_{t-1}.
        const auto weight = [&](std::size_t i, const T* x, std::size_t columns, const T* d) {
            if (!pass.wants(i)) return;
            if (pass.is_parameter(i)) {
                typename Backward<T>::Share share{x, d, B, columns, G * H};
                share.first_time_step = pass.node().time_step;
                pass.defer(i, share);
                return;
            }
            const GradientTarget<T> target = pass.target(i);
            if (x) {
                gemm(Transpose::yes, Transpose::no, G * H, columns, B, T(1), d, G * H, x, columns,
                     target.assign ? T(0) : T(1), target.data, columns);
                return;
            }
            if (target.assign) std::fill_n(target.data, G * H, T(0));
            for (std::size_t b = 0; b < B; ++b)
                for (std::size_t j = 0; j < G * H; ++j) target.data[j] += d[b * G * H + j];
        };
        weight(input_weight_ih, s.x + t * B * I, I, delta);
        if (t > 0 || !s.zero_state) weight(input_weight_hh, s.h_before(t), H, hidden_delta);
        if (s.has_bias) {
            constexpr std::size_t bias = first_optional_input + (is_lstm ? 1 : 0);
            weight(bias, nullptr, 0, delta);
            weight(bias + 1, nullptr, 0, hidden_delta);
        }
        // dx = delta W_ih: of a sequence in one product, when the pass has come to its first step.
        if (pass.wants(input_x) && (!s.whole || t == 0)) {
            const GradientTarget<T> target = pass.target(input_x);
            const std::size_t rows = s.whole ? (s.last + 1) * B : B;
            gemm(Transpose::no, Transpose::no, rows, I, G * H, T(1), s.whole ? s.delta : delta, G * H,
                 pass.input(input_weight_ih).value, I, target.assign ? T(0) : T(1), target.data, I);
            if (target.assign) std::fill(target.data + rows * I, target.data + s.steps * B * I, T(0));
        }
    }
};

template <class T>
const Operation<T>& operation_of(CellKind kind) {
    static const RecurrentOperation<CellKind::rnn_tanh, T> rnn_tanh;
    static const RecurrentOperation<CellKind::rnn_relu, T> rnn_relu;
    static const RecurrentOperation<CellKind::lstm, T> lstm;
    static const RecurrentOperation<CellKind::gru, T> gru;
    switch (kind) {
        case CellKind::rnn_tanh:
            return rnn_tanh;
        case CellKind::rnn_relu:
            return rnn_relu;
        case CellKind::lstm:
            return lstm;
        default:
            return gru;
    }
}

/// y [T, B, H] of h_0 [B, H], h_1, ..., which already lie next to each other in memory.
template <class T>
class SequenceOutput final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"sequence_output", "y = h_0, h_1, ..., h_{T-1}", "dh_t = dy_t"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        for (std::size_t t = 0; t < pass.input_count(); ++t)
            pass.accumulate(t, select(pass.dy(), 0, static_cast<std::ptrdiff_t>(t)));
    }
    void backward(Backward<T>& pass) const override { pass.split_to_inputs(); }
};

/// Reused, so that a training step allocates nothing.
template <class T>
std::vector<Variable<T>>& step_inputs() {
    thread_local std::vector<Variable<T>> inputs;
    return inputs;
}

template <class T>
RecurrentResult<T> fused(CellKind kind, const Variable<T>& x, bool whole, Variable<T> h, Variable<T> c, bool zero_state,
                         const RecurrentWeights<T>& weights, const StepLabels& labels) {
    Tape<T>& tape = x.tape();
    const bool is_lstm = kind == CellKind::lstm, is_gru = kind == CellKind::gru;
    const std::size_t G = gate_count(kind);
    const std::size_t steps = whole ? x.shape()[0] : 1, B = h.shape()[0], H = h.shape()[1], I = x.shape().back();
    const std::size_t gates = B * G * H;
    for (const Variable<T>& operand : {x, h, weights.weight_ih, weights.weight_hh})
        tape.check("recurrent step", operand);
    if (is_lstm) tape.check("recurrent step", c);

    Sequence<T> s{};
    s.steps = steps;
    s.batch = B;
    s.input_size = I;
    s.hidden = H;
    s.whole = whole;
    s.zero_state = zero_state;
    s.has_bias = weights.bias_ih.defined();
    s.x = tape.contiguous(x);
    s.h0 = tape.contiguous(h);
    s.c0 = is_lstm ? tape.contiguous(c) : nullptr;
    s.h = tape.allocate(steps * B * H);
    s.c = is_lstm ? tape.allocate(steps * B * H) : nullptr;
    s.gates = tape.allocate(steps * gates);
    s.h_n = is_gru ? tape.allocate(steps * B * H) : nullptr;
    s.visited = s.last = steps + 1;

    // The biases: of a tanh and an LSTM cell their sum is all that matters, of a GRU cell they go apart.
    T* const bias = tape.allocate(G * H);
    T* const hidden_bias = is_gru ? tape.allocate(G * H) : nullptr;
    s.bias = bias;
    s.hidden_bias = hidden_bias;
    if (s.has_bias) {
        const T* const b_ih = weights.bias_ih.node().value;
        const T* const b_hh = weights.bias_hh.node().value;
        for (std::size_t j = 0; j < G * H; ++j) bias[j] = is_gru ? b_ih[j] : b_ih[j] + b_hh[j];
        if (is_gru) std::copy_n(b_hh, G * H, hidden_bias);
    } else {
        std::fill_n(bias, G * H, T(0));
        if (is_gru) std::fill_n(hidden_bias, G * H, T(0));
    }

    // All input projections at once, into the memory of the gates.
    const T* const w_ih = tape.contiguous(weights.weight_ih);
    const T* const w_hh = tape.contiguous(weights.weight_hh);
    gemm(Transpose::no, Transpose::yes, steps * B, G * H, I, T(1), s.x, I, w_ih, I, T(0), s.gates, G * H);

    // Over many steps a product with a transposed copy is faster than one that transposes each time.
    const bool copied = steps > 1 && B > 1;
    T* const w_hh_copy = copied ? tape.allocate(G * H * H) : nullptr;
    if (copied)
        for (std::size_t i = 0; i < G * H; ++i)
            for (std::size_t j = 0; j < H; ++j) w_hh_copy[j * G * H + i] = w_hh[i * H + j];
    const auto recurrent_product = [&](const T* h_before, T beta, T* y) {
        if (copied)
            gemm(Transpose::no, Transpose::no, B, G * H, H, T(1), h_before, H, w_hh_copy, G * H, beta, y, G * H);
        else
            gemm(Transpose::no, Transpose::yes, B, G * H, H, T(1), h_before, H, w_hh, H, beta, y, G * H);
    };
    T* const products = is_gru ? tape.allocate(gates) : nullptr;

    const Operation<T>& operation = operation_of<T>(kind);
    const RecurrentKernel<T> kernel = forward_kernel<T>(kind);
    Sequence<T>* shared = nullptr;
    std::vector<Variable<T>>& inputs = step_inputs<T>();
    NodeIndex first_output = 0;
    RecurrentResult<T> result;
    for (std::size_t t = 0; t < steps; ++t) {
        RecurrentBlock<T> block = block_of(s, kind, t);
        if (is_gru) {
            block.products = products;
            if (t == 0 && zero_state)
                std::fill_n(products, gates, T(0));
            else
                recurrent_product(block.h_before, T(0), products);
        } else if (t > 0 || !zero_state) {
            recurrent_product(block.h_before, T(1), block.gates);
        }
        kernel(block);

        inputs.assign({x, weights.weight_ih, weights.weight_hh, h});
        if (is_lstm) inputs.push_back(c);
        if (s.has_bias) inputs.insert(inputs.end(), {weights.bias_ih, weights.bias_hh});
        const auto step = tape.record(operation, inputs, {B, H}, block.h);
        if (step.recorded) {
            if (!shared) shared = &tape.save(step.node, s);
            tape.save(step.node, Step<T>{shared, t});
        }
        label(step.node, labels.h, labels, t);
        h = tape.at(step.index);
        if (t == 0) first_output = step.index;
        if (is_lstm) {
            const auto further = tape.record_further_output(step, {B, H}, block.c);
            label(further.node, labels.c, labels, t);
            c = tape.at(further.index);
        }
    }
    if (whole) {
        static const SequenceOutput<T> sequence_output;
        inputs.clear();
        const NodeIndex stride = is_lstm ? 2 : 1;
        for (std::size_t t = 0; t < steps; ++t)
            inputs.push_back(tape.at(first_output + static_cast<NodeIndex>(t) * stride));
        result.output = tape.at(tape.record(sequence_output, inputs, {steps, B, H}, s.h).index);
    }
    result.h = h;
    result.c = c;
    return result;
}

}  // namespace

template <class T>
RecurrentResult<T> recurrent_step(CellKind kind, Granularity granularity, const Variable<T>& x, const Variable<T>& h,
                                  const Variable<T>& c, const RecurrentWeights<T>& weights, const StepLabels& labels) {
    if (granularity == Granularity::fused) return fused(kind, x, false, h, c, false, weights, labels);
    const StepState<T> state = elementary_step(kind, x, h, c, weights);
    for (const auto& [name, gate] : state.gates) {
        gate.named(name);
        gate.node().intermediate = true;
        set_step(gate.node(), labels, 0);
    }
    label(state.h.node(), labels.h, labels, 0);
    if (state.c.defined()) label(state.c.node(), labels.c, labels, 0);
    return {{}, state.h, state.c};
}

template <class T>
RecurrentResult<T> recurrent_sequence(CellKind kind, Granularity granularity, const Variable<T>& x,
                                      const Variable<T>& h, const Variable<T>& c, bool zero_state,
                                      const RecurrentWeights<T>& weights, const StepLabels& labels) {
    if (granularity == Granularity::fused) return fused(kind, x, true, h, c, zero_state, weights, labels);
    RecurrentResult<T> result{{}, h, c};
    std::vector<Variable<T>> states;
    StepLabels at = labels;
    for (std::size_t t = 0; t < x.shape()[0]; ++t) {
        result = recurrent_step(kind, granularity, select(x, 0, static_cast<std::ptrdiff_t>(t)), result.h, result.c,
                                weights, at);
        states.push_back(result.h);
        ++at.first_time_step;
    }
    result.output = stack(states, 0);
    return result;
}

#define EBB_INSTANTIATE(T)                                                                                         \
    template RecurrentResult<T> recurrent_step(CellKind, Granularity, const Variable<T>&, const Variable<T>&,      \
                                               const Variable<T>&, const RecurrentWeights<T>&, const StepLabels&); \
    template RecurrentResult<T> recurrent_sequence(CellKind, Granularity, const Variable<T>&, const Variable<T>&,  \
                                                   const Variable<T>&, bool, const RecurrentWeights<T>&,           \
                                                   const StepLabels&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
