#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/blas.hpp>
#include <ebb/core/instruction_set.hpp>
#include <ebb/core/packed_matrix.hpp>
#include <ebb/core/threads.hpp>
#include <ebb/layers/catalogue.hpp>
#include <ebb/layers/recurrent_elementary.hpp>
#include <ebb/layers/recurrent_formulas.hpp>
#include <ebb/layers/recurrent_kernels.hpp>
#include <ebb/layers/recurrent_step.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace ebb {
namespace {

/// The inputs of a step: these, then c (LSTM), then bias_ih and bias_hh (with bias).
enum Input : std::size_t { input_x, input_weight_ih, input_weight_hh, input_h, first_optional_input };

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
    NodeIndex first_node;  // of h_0; the nodes of the other steps follow, `outputs` for each
    NodeIndex outputs;     // h, or h and c
    const T* x;            // [T, B, I]
    const T* h0;           // [B, H]
    const T* c0;           // [B, H]
    T* h;                  // [T, B, H]
    T* c;                  // [T, B, H]
    T* gates;       // [T, B, G H]: pre-activations, then activations; of an RNN, which has but h_t, the same as h
    T* h_n;         // [T, B, H], GRU
    const T* bias;  // [G H]
    const T* hidden_bias;  // [3 H], GRU

    // Which steps the backward pass that is running has done: those from `done_from` on.
    std::uint64_t pass;
    std::size_t done_from;

    std::size_t states() const { return batch * hidden; }
    const T* h_before(std::size_t t) const { return t ? h + (t - 1) * states() : h0; }
    const T* c_before(std::size_t t) const { return t ? c + (t - 1) * states() : c0; }
    NodeIndex node_of(std::size_t t) const { return first_node + static_cast<NodeIndex>(t) * outputs; }
};

template <class T>
struct Step {
    Sequence<T>* sequence;
    std::size_t t;
};

/// A part of the batch. No row touches another, so parts can be computed one after another or at the same time.
struct Rows {
    std::size_t begin, end;
    std::size_t count() const { return end - begin; }
};

/// The recurrent weight, as it is multiplied with at every step.
template <class T>
class RecurrentProduct {
  public:
    /// y [rows, n] = x [rows, k] op(w), or += . Laid out in `memory`, if given, which pays over many steps and rows;
    /// else the tape sees to it.
    RecurrentProduct(Tape<T>& tape, Node<T>& w, Transpose transposed, std::size_t k, std::size_t n, T* memory)
        : tape_(tape), w_(w), transposed_(transposed), k_(k), n_(n), is_packed_(memory != nullptr) {
        if (memory) packed_ = PackedMatrix<T>::pack(transposed, k, n, tape.contiguous(w), memory);
    }
    void operator()(std::size_t rows, const T* x, bool add, T* y) const {
        if (is_packed_)
            packed_.multiply(rows, x, k_, add, y, n_);
        else
            tape_.multiply(rows, k_, n_, x, w_, transposed_, add, y);
    }
    /// Then threads may multiply at the same time.
    bool is_packed() const { return is_packed_; }
    static bool pays(std::size_t steps, std::size_t rows) { return steps > 1 && rows > 1; }

  private:
    Tape<T>& tape_;
    Node<T>& w_;
    Transpose transposed_;
    std::size_t k_, n_;
    bool is_packed_;
    PackedMatrix<T> packed_;
};

/// Calls f(rows) for parts of the batch, one for each thread, where that is worth the while. A part takes its way
/// through all steps alone: threads meet once at its end, not at every step.
template <class T, class Function>
void for_parts_of_batch(const Sequence<T>& s, CellKind kind, std::size_t steps, const RecurrentProduct<T>& product,
                        Function f) {
    constexpr std::size_t smallest = 8, worthwhile = std::size_t{1} << 22;
    const std::size_t multiplications = steps * s.batch * gate_count(kind) * s.hidden * s.hidden;
    std::size_t parts = 1;
    if (product.is_packed() && multiplications >= worthwhile)
        parts = std::clamp(s.batch / smallest, std::size_t{1}, static_cast<std::size_t>(get_num_threads()));
    const auto begin = [&](std::size_t part) {
        return part == parts ? s.batch : s.batch * part / parts / smallest * smallest;
    };
    parallel_for(parts, [&](std::size_t part) { f(Rows{begin(part), begin(part + 1)}); });
}

template <class T>
RecurrentBlock<T> block_of(const Sequence<T>& s, CellKind kind, std::size_t t, Rows rows) {
    const std::size_t gate_row = gate_count(kind) * s.hidden, first_state = rows.begin * s.hidden;
    RecurrentBlock<T> block;
    block.batch = rows.count();
    block.hidden = s.hidden;
    block.gates = s.gates + (t * s.batch + rows.begin) * gate_row;
    block.bias = s.bias;
    block.hidden_bias = s.hidden_bias;
    block.h_n = s.h_n ? s.h_n + t * s.states() + first_state : nullptr;
    block.h_before = s.h_before(t) + first_state;
    block.c_before = s.c ? s.c_before(t) + first_state : nullptr;
    block.h = s.h + t * s.states() + first_state;
    block.c = s.c ? s.c + t * s.states() + first_state : nullptr;
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

    Intermediates<T> intermediates(const Tape<T>&, const Node<T>& node) const override {
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
        ElementaryStep<T> state;
        Variable<T> x_t = pass.input(input_x);
        if (step.sequence->whole) {
            const EnableGrad on;
            x_t = select(x_t, 0, static_cast<std::ptrdiff_t>(step.t));
        }
        const auto first = static_cast<NodeIndex>(tape.size());
        {
            const EnableGrad on;
            const std::size_t bias = first_optional_input + (is_lstm ? 1 : 0);
            RecurrentWeights<T> weights{pass.input(input_weight_ih), pass.input(input_weight_hh), {}, {}};
            if (step.sequence->has_bias) {
                weights.bias_ih = pass.input(bias);
                weights.bias_hh = pass.input(bias + 1);
            }
            state = elementary_step(kind, x_t, pass.input(input_h),
                                    is_lstm ? pass.input(first_optional_input) : Variable<T>(), weights);
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
            const Variable<T> input = i == input_x ? x_t : pass.input(i);
            const auto same = [&](const Variable<T>& other) { return other.index() == input.index(); };
            if (!pass.wants(i) || std::any_of(targets.begin(), targets.end(), same)) continue;
            places.push_back(i);
            targets.push_back(input);
        }
        if (is_lstm) {
            // c_t is whole where h_t was made from it: in here.
            tape.share_hooks(pass.index() + 1, state.c.index());
            targets.push_back(state.c);
        }
        const std::vector<Variable<T>> gradients = tape.vjp(roots, seeds, targets, first);
        if (is_lstm) tape.drop_hooks(state.c.index());
        for (std::size_t k = 0; k < places.size(); ++k) {
            if (!gradients[k].defined()) continue;
            if (places[k] == input_x && step.sequence->whole)
                pass.accumulate_slice(input_x, 0, step.t, unsqueeze(gradients[k], 0));
            else
                pass.accumulate(places[k], gradients[k]);
        }
        if (is_lstm) pass.finish_dy(1, gradients.back());
    }

    /// h_t = o . tanh(c_t): what flows into h_t goes on to c_t.
    bool finishes_outputs() const noexcept override { return is_lstm; }
    /// Many steps are done at one's turn, with the hooks between them.
    bool calls_hooks() const noexcept override { return true; }

    /// At the turn of a sequence's last step all that flows into its states from outside is there, for whatever uses a
    /// state was recorded after the sequence. So the steps before it are done at once, in one tight loop over time; at
    /// their own turns nothing is left to do.
    void backward(Backward<T>& pass) const override {
        const Step<T>& step = pass.template saved<Step<T>>();
        Sequence<T>& s = *step.sequence;
        const std::size_t last = step.t;
        if (s.pass == pass.number() && last >= s.done_from) return;
        s.pass = pass.number();
        s.done_from = 0;

        T* zeros = nullptr;
        T* scratch = nullptr;
        if (!pass.dy(0)) {
            zeros = pass.acquire(s.states());
            std::fill_n(zeros, s.states(), T(0));
        }
        const bool has_hooks = pass.tape().has_hooks(s.first_node, s.node_of(last + 1));
        std::vector<Way>& ways = this->ways(last + 1);
        for (std::size_t t = last + 1; t-- > 0 && !has_hooks;) ways[t] = way_at(pass, s, t, zeros, scratch);

        const std::size_t gate_row = G * s.hidden, gates = s.batch * gate_row;
        const Backward<T> first(pass.tape(), s.first_node, pass.tape().node(s.first_node));
        const std::size_t chunk = has_hooks ? last + 1 : steps_at_once(first, s, last);
        const bool all_at_once = chunk > last;
        T* const delta = pass.acquire(chunk * gates);
        T* const hidden_delta = is_gru ? pass.acquire(chunk * gates) : delta;
        const std::size_t packed_size =
            RecurrentProduct<T>::pays(last + 1, s.batch) ? PackedMatrix<T>::size(gate_row, s.hidden) : 0;
        T* const packed = packed_size > 0 ? pass.acquire(packed_size) : nullptr;
        Node<T>& w_hh = pass.tape().node(pass.tape().input(first.node(), input_weight_hh));
        const RecurrentProduct<T> product(pass.tape(), w_hh, Transpose::no, gate_row, s.hidden, packed);
        for (std::size_t t = last + 1; t-- > 0 && has_hooks;) {
            // Step by step: what flows into a step is known only after the hooks of the one behind it.
            const Way way = way_at(pass, s, t, zeros, scratch);  // a hook may go through another sequence
            call_hooks(pass, s, t, way);
            run_backward(s, {t, t + 1}, &way, product, delta + t * gates, hidden_delta + t * gates, {0, s.batch});
        }
        for (std::size_t end = last + 1, begin = 0; end > 0; end = begin) {
            begin = end > chunk ? end - chunk : 0;
            if (!has_hooks)
                for_parts_of_batch(s, kind, end - begin, product, [&](Rows rows) {
                    run_backward(s, {begin, end}, &ways[begin], product, delta, hidden_delta, rows);
                });
            weights(first, s, {begin, end}, delta, hidden_delta, all_at_once);
            input(first, s, {begin, end}, delta);
        }
        if (!all_at_once) {
            pass.release(delta, chunk * gates);
            if (is_gru) pass.release(hidden_delta, chunk * gates);
        }
        if (packed) pass.release(packed, packed_size);
        if (scratch) pass.release(scratch, s.states());
        if (zeros) pass.release(zeros, s.states());
    }

    /// The kernel for each of the K rows; the products over all of them at once, K B rows each.
    void backward_rows(BackwardRows<T>& pass) const override {
        const Step<T>& step = pass.template saved<Step<T>>();
        const Sequence<T>& s = *step.sequence;
        const std::size_t t = step.t, K = pass.rows();
        const std::size_t B = s.batch, I = s.input_size, H = s.hidden, states = s.states(), gates = B * G * H;

        T* const delta = pass.acquire(K * gates);
        T* const hidden_delta = is_gru ? pass.acquire(K * gates) : delta;
        T* const zeros = pass.dy(0) ? nullptr : pass.acquire(states);
        if (zeros) std::fill_n(zeros, states, T(0));
        T* const dc = is_lstm ? pass.dy_to_finish(1) : nullptr;
        constexpr std::size_t around = is_lstm ? std::size_t{first_optional_input} : std::size_t{input_h};
        constexpr bool flows_around = is_lstm || is_gru;
        GradientTarget<T> before{nullptr, true};
        T* scratch = nullptr;
        if (flows_around && pass.wants(around))
            before = pass.target(around);
        else if (flows_around)
            before.data = scratch = pass.acquire(K * states);

        RecurrentBlock<T> block = block_of(s, kind, t, Rows{0, B});
        block.assign = before.assign;
        for (std::size_t k = 0; k < K; ++k) {
            block.dh = zeros ? zeros : pass.dy(0) + k * states;
            block.dc = is_lstm ? dc + k * states : nullptr;
            block.delta = delta + k * gates;
            block.hidden_delta = hidden_delta + k * gates;
            block.d_before = flows_around ? before.data + k * states : nullptr;
            backward_kernel<T>(kind)(block);
        }

        if (pass.wants(input_h)) {
            const GradientTarget<T> target = pass.target(input_h);
            gemm(Transpose::no, Transpose::no, K * B, H, G * H, T(1), hidden_delta, G * H,
                 pass.input(input_weight_hh).value, H, target.assign ? T(0) : T(1), target.data, H);
        }
        if (pass.wants(input_x)) {
            const T* const w = pass.input(input_weight_ih).value;
            if (!s.whole) {
                const GradientTarget<T> target = pass.target(input_x);
                gemm(Transpose::no, Transpose::no, K * B, I, G * H, T(1), delta, G * H, w, I,
                     target.assign ? T(0) : T(1), target.data, I);
            } else {
                T* const dx = pass.target_zeroed(input_x);
                for (std::size_t k = 0; k < K; ++k)
                    gemm(Transpose::no, Transpose::no, B, I, G * H, T(1), delta + k * gates, G * H, w, I, T(1),
                         dx + (k * s.steps + t) * B * I, I);
            }
        }
        const auto weight = [&](std::size_t i, const T* x, std::size_t columns, const T* d) {
            if (!pass.wants(i)) return;
            T* const dw = pass.target_zeroed(i);
            for (std::size_t k = 0; k < K; ++k) {
                T* const dw_k = dw + k * G * H * columns;
                const T* const d_k = d + k * gates;
                if (x) {
                    gemm(Transpose::yes, Transpose::no, G * H, columns, B, T(1), d_k, G * H, x, columns, T(1), dw_k,
                         columns);
                    continue;
                }
                for (std::size_t b = 0; b < B; ++b)
                    for (std::size_t j = 0; j < G * H; ++j) dw_k[j] += d_k[b * G * H + j];
            }
        };
        weight(input_weight_ih, s.x + t * B * I, I, delta);
        weight(input_weight_hh, s.h_before(t), H, hidden_delta);
        if (s.has_bias) {
            constexpr std::size_t bias = first_optional_input + (is_lstm ? 1 : 0);
            weight(bias, nullptr, 1, delta);
            weight(bias + 1, nullptr, 1, hidden_delta);
        }

        pass.release(delta, K * gates);
        if (is_gru) pass.release(hidden_delta, K * gates);
        if (zeros) pass.release(zeros, states);
        if (scratch) pass.release(scratch, K * states);
    }

  private:
    /// Where the gradients of one step come from and go to: [B, H] each.
    struct Way {
        const T* dh;
        T* dc;                        // LSTM
        GradientTarget<T> dh_before;  // nullptr where nobody wants it
        GradientTarget<T> d_around;   // what flows to the states around the products: LSTM dc_{t-1}, GRU dh_{t-1}
    };

    static std::vector<Way>& ways(std::size_t count) {
        thread_local std::vector<Way> all;  // reused, so that a training step allocates nothing
        if (all.size() < count) all.resize(count);
        return all;
    }

    /// To be asked for from the last step to the first.
    static Way way_at(const Backward<T>& pass, const Sequence<T>& s, std::size_t t, const T* zeros, T*& scratch) {
        Tape<T>& tape = pass.tape();
        const NodeIndex index = s.node_of(t);
        const Backward<T> at(tape, index, tape.node(index));
        Way way{at.dy(0) ? at.dy(0) : zeros, nullptr, {nullptr, true}, {nullptr, true}};
        if constexpr (is_lstm) {
            // The kernel adds what comes through h_t, so that the probe of c_t holds the whole dL/dc_t.
            Node<T>& cell_state = tape.node(index + 1);
            if (!cell_state.gradient) {
                cell_state.gradient = pass.acquire(s.states());
                std::fill_n(cell_state.gradient, s.states(), T(0));
            }
            way.dc = cell_state.gradient;
        }
        if constexpr (is_lstm || is_gru) {
            constexpr std::size_t around = is_lstm ? std::size_t{first_optional_input} : std::size_t{input_h};
            if (at.wants(around)) {
                way.d_around = at.target(around);
            } else {
                scratch = pass.acquire(s.states());  // at the first step only
                way.d_around.data = scratch;
            }
        }
        if (at.wants(input_h)) way.dh_before = at.target(input_h);
        return way;
    }

    static void call_hooks(const Backward<T>& pass, const Sequence<T>& s, std::size_t t, const Way& way) {
        Tape<T>& tape = pass.tape();
        const NodeIndex index = s.node_of(t);
        if (T* const dh = tape.node(index).gradient) tape.call_hooks(index, dh);
        if (!is_lstm || !tape.has_hooks(index + 1)) return;
        // Hooks of c_t see the whole dL/dc_t. The kernel makes it from what has come in and from dh_t, so the part from
        // dh_t is added for the hooks, and taken away again from what they have put in its place.
        const RecurrentBlock<T> block = block_of(s, kind, t, Rows{0, s.batch});
        const std::size_t H = s.hidden;
        T* const through_h = pass.acquire(s.states());
        T* const whole = pass.acquire(s.states());
        for (std::size_t k = 0; k < s.states(); ++k) {
            // dh_t . o . (1 - tanh(c_t)^2)
            const T o = block.gates[k / H * G * H + 3 * H + k % H], tanh_c = std::tanh(block.c[k]);
            through_h[k] = way.dh[k] * o * (1 - tanh_c * tanh_c);
            whole[k] = way.dc[k] + through_h[k];
        }
        if (tape.call_hooks(index + 1, whole))
            for (std::size_t k = 0; k < s.states(); ++k) way.dc[k] = whole[k] - through_h[k];
        pass.release(through_h, s.states());
        pass.release(whole, s.states());
    }

    struct Steps {
        std::size_t begin, end;
    };

    /// How many steps the deltas are kept of. All of them, as a rule: then the weights wait, and whoever asks later
    /// what a step has contributed finds its delta. Of a long sequence, whose deltas would take half of all memory,
    /// those of a few steps, which stay in the cache: their products are added to the gradients as they come.
    static std::size_t steps_at_once(const Backward<T>& first, const Sequence<T>& s, std::size_t last) {
        constexpr std::size_t large = std::size_t{4} << 20, rows = 256, fewest_rows = 8;
        const std::size_t delta_bytes = (last + 1) * s.batch * G * s.hidden * sizeof(T);
        if (delta_bytes <= large || s.batch < fewest_rows || !first.frees_graph()) return last + 1;
        for (const std::size_t i : {std::size_t{input_weight_ih}, std::size_t{input_weight_hh}})
            if (first.wants(i) && !first.may_add_at_once(i, s.steps)) return last + 1;
        return std::min(std::max<std::size_t>(rows / s.batch, 1), last + 1);
    }

    /// delta_t, and what flows to the states, for some rows of the batch. The first way and the first
    /// delta are the first step's.
    static void run_backward(const Sequence<T>& s, Steps steps, const Way* ways, const RecurrentProduct<T>& product,
                             T* delta, T* hidden_delta, Rows rows) {
        const std::size_t gate_row = G * s.hidden, first_state = rows.begin * s.hidden;
        const RecurrentKernel<T> kernel = backward_kernel<T>(kind);
        for (std::size_t t = steps.end; t-- > steps.begin;) {
            const Way& way = ways[t - steps.begin];
            const std::size_t first_gate = ((t - steps.begin) * s.batch + rows.begin) * gate_row;
            RecurrentBlock<T> block = block_of(s, kind, t, rows);
            block.delta = delta + first_gate;
            block.hidden_delta = hidden_delta + first_gate;
            block.dh = way.dh + first_state;
            if constexpr (is_lstm) block.dc = way.dc + first_state;
            if constexpr (is_lstm || is_gru) {
                block.d_before = way.d_around.data + first_state;
                block.assign = way.d_around.assign;
            }
            kernel(block);
            // dh_{t-1} += delta_t W_hh
            if (way.dh_before.data)
                product(rows.count(), block.hidden_delta, !way.dh_before.assign, way.dh_before.data + first_state);
        }
    }

    /// dW_ih += delta_t' x_t, dW_hh += delta_t' h_{t-1}, of the weights that wait when their turn comes.
    static void weights(const Backward<T>& first, const Sequence<T>& s, Steps steps, const T* delta,
                        const T* hidden_delta, bool wait) {
        const std::size_t B = s.batch, gate_row = G * s.hidden;
        // x is the one of the first of these steps.
        const auto add = [&](std::size_t i, const T* x, std::size_t columns, const T* d, Steps of) {
            if (!first.wants(i) || of.begin >= of.end) return;
            const std::size_t rows = (of.end - of.begin) * B;
            d += (of.begin - steps.begin) * B * gate_row;
            if (first.is_parameter(i)) {
                typename Backward<T>::Share share{x, d, rows, columns, gate_row};
                share.time_steps = of.end - of.begin;
                share.first_time_step = first.node().time_step + static_cast<std::int32_t>(of.begin);
                wait ? first.defer(i, share) : first.add_at_once(i, share);
                return;
            }
            const GradientTarget<T> target = first.target(i);
            if (x) {
                gemm(Transpose::yes, Transpose::no, gate_row, columns, rows, T(1), d, gate_row, x, columns,
                     target.assign ? T(0) : T(1), target.data, columns);
                return;
            }
            if (target.assign) std::fill_n(target.data, gate_row, T(0));
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t j = 0; j < gate_row; ++j) target.data[j] += d[r * gate_row + j];
        };
        add(input_weight_ih, s.x + steps.begin * B * s.input_size, s.input_size, delta, steps);
        const Steps later{std::max<std::size_t>(steps.begin, 1), steps.end};
        add(input_weight_hh, s.h + (later.begin - 1) * s.states(), s.hidden, hidden_delta, later);
        if (steps.begin == 0 && !s.zero_state) add(input_weight_hh, s.h0, s.hidden, hidden_delta, {0, 1});
        if (s.has_bias) {
            constexpr std::size_t bias = first_optional_input + (is_lstm ? 1 : 0);
            add(bias, nullptr, 0, delta, steps);
            add(bias + 1, nullptr, 0, hidden_delta, steps);
        }
    }

    /// dx_t = delta_t W_ih, of all these steps in one product.
    static void input(const Backward<T>& first, const Sequence<T>& s, Steps steps, const T* delta) {
        if (!first.wants(input_x)) return;
        const std::size_t I = s.input_size, row = s.batch * I, rows = (steps.end - steps.begin) * s.batch;
        const GradientTarget<T> target = first.target(input_x);
        Tape<T>& tape = first.tape();
        tape.multiply(rows, G * s.hidden, I, delta, tape.node(tape.input(first.node(), input_weight_ih)), Transpose::no,
                      !target.assign, target.data + steps.begin * row);
        if (target.assign) {
            std::fill(target.data, target.data + steps.begin * row, T(0));
            std::fill(target.data + steps.end * row, target.data + s.steps * row, T(0));
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

/// The steps of some rows of the batch, one after another, from the input projections in s.gates.
template <class T>
void run_forward(const Sequence<T>& s, CellKind kind, const RecurrentProduct<T>& product, T* products, Rows rows) {
    const std::size_t gate_row = gate_count(kind) * s.hidden;
    const RecurrentKernel<T> kernel = forward_kernel<T>(kind);
    for (std::size_t t = 0; t < s.steps; ++t) {
        RecurrentBlock<T> block = block_of(s, kind, t, rows);
        T* const y = products ? products + rows.begin * gate_row : block.gates;
        block.products = y;
        if (t > 0 || !s.zero_state)
            product(rows.count(), block.h_before, !products, y);
        else if (products)
            std::fill_n(y, rows.count() * gate_row, T(0));
        kernel(block);
    }
}

template <class T>
void run_forward(Tape<T>& tape, const Sequence<T>& s, CellKind kind, Node<T>& w_hh) {
    const std::size_t H = s.hidden, gate_row = gate_count(kind) * H;
    T* const products = kind == CellKind::gru ? tape.allocate(s.batch * gate_row) : nullptr;
    T* const packed =
        RecurrentProduct<T>::pays(s.steps, s.batch) ? tape.allocate(PackedMatrix<T>::size(H, gate_row)) : nullptr;
    const RecurrentProduct<T> product(tape, w_hh, Transpose::yes, H, gate_row, packed);
    for_parts_of_batch(s, kind, s.steps, product, [&](Rows rows) { run_forward(s, kind, product, products, rows); });
}

/// A node for every step: h_t, and c_t of an LSTM.
template <class T>
RecurrentResult<T> record_steps(Sequence<T>& s, CellKind kind, std::initializer_list<Variable<T>> first_inputs,
                                Variable<T> c, const RecurrentWeights<T>& weights, const StepLabels& labels) {
    Tape<T>& tape = weights.weight_ih.tape();
    const bool is_lstm = kind == CellKind::lstm;
    const Shape shape{s.batch, s.hidden};
    std::vector<Variable<T>>& inputs = step_inputs<T>();
    inputs.assign(first_inputs);
    if (is_lstm) inputs.push_back(c);
    if (s.has_bias) inputs.insert(inputs.end(), {weights.bias_ih, weights.bias_hh});

    const auto first = tape.record(operation_of<T>(kind), inputs, shape, s.h);
    s.first_node = first.index;
    label(first.node, labels.h, labels, 0);
    Sequence<T>* const shared = first.recorded ? &tape.save(first.node, s) : nullptr;
    RecurrentResult<T> result;
    for (std::size_t t = 0; t < s.steps; ++t) {
        // The first step's inputs with other states.
        const std::pair<std::size_t, NodeIndex> states[] = {{input_h, result.h.index()},
                                                            {first_optional_input, result.c.index()}};
        const auto step = t == 0 ? first : tape.record_again(first, std::span(states, s.outputs), s.h + t * s.states());
        set_step(step.node, labels, t);
        if (step.recorded) tape.save(step.node, Step<T>{shared, t});
        result.h = tape.at(step.index);
        if (is_lstm) {
            const auto further = tape.record_further_output(step, shape, s.c + t * s.states());
            label(further.node, labels.c, labels, t);
            result.c = tape.at(further.index);
        }
    }
    if (s.whole) {
        static const SequenceOutput<T> sequence_output;
        inputs.clear();
        for (std::size_t t = 0; t < s.steps; ++t) inputs.push_back(tape.at(s.node_of(t)));
        result.output = tape.at(tape.record(sequence_output, inputs, {s.steps, s.batch, s.hidden}, s.h).index);
    }
    return result;
}

template <class T>
RecurrentResult<T> fused(CellKind kind, const Variable<T>& x, bool whole, const Variable<T>& h, const Variable<T>& c,
                         bool zero_state, const RecurrentWeights<T>& weights, const StepLabels& labels) {
    Tape<T>& tape = x.tape();
    const bool is_lstm = kind == CellKind::lstm, is_gru = kind == CellKind::gru;
    const std::size_t G = gate_count(kind);
    const std::size_t steps = whole ? x.shape()[0] : 1, B = h.shape()[0], H = h.shape()[1], I = x.shape().back();
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
    s.outputs = is_lstm ? 2 : 1;
    s.x = tape.contiguous(x);
    s.h0 = tape.contiguous(h);
    s.c0 = is_lstm ? tape.contiguous(c) : nullptr;
    s.h = tape.allocate(steps * B * H);
    s.c = is_lstm ? tape.allocate(steps * B * H) : nullptr;
    s.gates = G > 1 ? tape.allocate(steps * B * G * H) : s.h;
    s.h_n = is_gru ? tape.allocate(steps * B * H) : nullptr;

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
    tape.multiply(steps * B, I, G * H, s.x, weights.weight_ih.node(), Transpose::yes, false, s.gates);
    run_forward(tape, s, kind, weights.weight_hh.node());
    return record_steps(s, kind, {x, weights.weight_ih, weights.weight_hh, h}, c, weights, labels);
}

}  // namespace

template <class T>
RecurrentResult<T> recurrent_step(CellKind kind, Granularity granularity, const Variable<T>& x, const Variable<T>& h,
                                  const Variable<T>& c, const RecurrentWeights<T>& weights, const StepLabels& labels) {
    if (has_fused_step(kind, granularity, weights)) return fused(kind, x, false, h, c, false, weights, labels);
    Tape<T>& tape = x.tape();
    const auto first = static_cast<NodeIndex>(tape.size());
    const ElementaryStep<T> state = elementary_step(kind, x, h, c, weights);
    // What comes of x alone belongs to this step too, and not to the one of another cell that x may come from.
    for (NodeIndex index = first; index < tape.size(); ++index)
        if (!tape.node(index).parameter) set_step(tape.node(index), labels, 0);
    for (const auto& [name, gate] : state.gates) {
        gate.named(name);
        gate.node().intermediate = true;
    }
    label(state.h.node(), labels.h, labels, 0);
    if (state.c.defined()) label(state.c.node(), labels.c, labels, 0);
    return {{}, state.h, state.c};
}

template <class T>
RecurrentResult<T> recurrent_sequence(CellKind kind, Granularity granularity, const Variable<T>& x,
                                      const Variable<T>& h, const Variable<T>& c, bool zero_state,
                                      const RecurrentWeights<T>& weights, const StepLabels& labels) {
    if (has_fused_step(kind, granularity, weights)) return fused(kind, x, true, h, c, zero_state, weights, labels);
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

std::vector<CatalogueEntry> recurrent_catalogue() {
    std::vector<CatalogueEntry> result;
    for (const CellKind kind : {CellKind::rnn_tanh, CellKind::rnn_relu, CellKind::lstm, CellKind::gru})
        result.push_back({info_of(kind), 0});
    result.push_back({SequenceOutput<double>().info(), 0});
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
