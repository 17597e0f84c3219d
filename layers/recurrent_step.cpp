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
#include <new>
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

// ---- fused ---------------------------------------------------------------------------------------------------------

struct Steps {
    std::size_t begin, end;
};

/// What the steps of a sequence share, in the tape's arena. A single step is a sequence of one.
///
/// Steps are counted as they are taken: k = 0, 1, ...; in reverse, step k is at time T - 1 - k. Rows lie in memory in
/// the order of time, N in all, and are fewer at later times where sequences are packed (sequence_steps.hpp).
template <class T>
struct Sequence {
    std::size_t steps, batch, input_size, hidden;  // T, B, I, H
    const std::size_t* starts;                     // the first row of each time, and N; nullptr: B rows at each
    bool reverse;
    bool whole;  // the input of every step is x of the whole sequence, [T, B, I] or [N, I]
    bool zero_state;
    bool has_bias;
    NodeIndex first_node;  // of step 0; the nodes of the other steps follow, `outputs` for each
    NodeIndex outputs;     // h, or h and c
    const T* x;            // [N, I]
    const T* h0;           // [B, H]
    const T* c0;           // [B, H]
    T* h;                  // [N, H]
    T* c;                  // [N, H]
    T* gates;              // [N, G H]: pre-activations, then activations; of an RNN, which has but h_t, the same as h
    T* h_n;                // [N, H], GRU
    const T* bias;         // [G H]
    const T* hidden_bias;  // [3 H], GRU

    // Which steps the backward pass that is running has done: those from `done_from` on.
    std::uint64_t pass;
    std::size_t done_from;

    std::size_t time(std::size_t k) const { return reverse ? steps - 1 - k : k; }
    std::size_t first_row(std::size_t k) const { return starts ? starts[time(k)] : time(k) * batch; }
    std::size_t rows(std::size_t k) const { return starts ? starts[time(k) + 1] - starts[time(k)] : batch; }
    /// So many of them go on from the step before; the others, in reverse where sequences begin, from the first state.
    std::size_t continued(std::size_t k) const { return k ? std::min(rows(k - 1), rows(k)) : 0; }
    std::size_t states() const { return batch * hidden; }
    NodeIndex node_of(std::size_t k) const { return first_node + static_cast<NodeIndex>(k) * outputs; }

    /// The rows of the steps from `begin` to `end`, which lie next to each other.
    std::size_t first_row(Steps some) const { return first_row(reverse ? some.end - 1 : some.begin); }
    std::size_t rows(Steps some) const {
        const std::size_t latest = reverse ? some.begin : some.end - 1;
        return first_row(latest) + rows(latest) - first_row(some);
    }
};

template <class T>
struct Step {
    Sequence<T>* sequence;
    std::size_t k;
};

/// A part of the batch. No row touches another, so parts can be computed one after another or at the same time.
struct Rows {
    std::size_t begin, end;
    std::size_t count() const { return end - begin; }
    bool empty() const { return begin >= end; }
    Rows within(std::size_t from, std::size_t to) const { return {std::max(begin, from), std::min(end, to)}; }
};

/// The recurrent weight, as it is multiplied with at every step.
template <class T>
class RecurrentProduct {
  public:
    /// y [rows, n] = x [rows, k] op(w), or += . Laid out in `memory`, if given, which pays over many steps and rows;
    /// else the tape sees to it.
    RecurrentProduct(Tape<T>& tape, Node<T>& w, Transpose transposed, std::size_t batch, std::size_t k, std::size_t n,
                     T* memory)
        : tape_(tape),
          w_(w),
          transposed_(transposed),
          k_(k),
          n_(n),
          is_packed_(memory != nullptr),
          is_alone_(is_packed_ && batch == 1) {
        if (memory) packed_ = PackedMatrix<T>::pack(transposed, k, n, tape.contiguous(w), memory);
    }
    void operator()(std::size_t rows, const T* x, bool add, T* y) const {
        if (is_alone_)
            packed_.multiply_row(x, add, y);
        else if (is_packed_)
            packed_.multiply(rows, x, k_, add, y, n_);
        else
            tape_.multiply(rows, k_, n_, x, w_, transposed_, add, y);
    }
    /// Then threads may multiply at the same time.
    bool is_packed() const { return is_packed_; }
    static bool pays(std::size_t steps, std::size_t batch, std::size_t k, std::size_t n) {
        constexpr std::size_t many_steps = 8;
        return batch > 1 ? steps > 1 : steps >= many_steps && PackedMatrix<T>::pays_for_single_rows(k, n);
    }

  private:
    Tape<T>& tape_;
    Node<T>& w_;
    Transpose transposed_;
    std::size_t k_, n_;
    bool is_packed_;
    bool is_alone_;  // a batch of one
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
    if (parts == 1) return f(Rows{0, s.batch});
    const auto begin = [&](std::size_t part) {
        return part == parts ? s.batch : s.batch * part / parts / smallest * smallest;
    };
    parallel_for(parts, [&](std::size_t part) { f(Rows{begin(part), begin(part + 1)}); });
}

/// Calls f(rows, from_first) for those of the rows of step k that go on from the step before, and for those that go on
/// from the first state. Either may be none.
template <class T, class Function>
void for_both(const Sequence<T>& s, std::size_t k, Rows rows, Function f) {
    const std::size_t continued = s.continued(k);
    if (const Rows part = rows.within(0, continued); !part.empty()) f(part, false);
    if (const Rows part = rows.within(continued, s.rows(k)); !part.empty()) f(part, true);
}

/// h_{t-1} of some rows of step k.
template <class T>
const T* h_before(const Sequence<T>& s, std::size_t k, Rows rows, bool from_first) {
    return from_first ? s.h0 + rows.begin * s.hidden : s.h + (s.first_row(k - 1) + rows.begin) * s.hidden;
}

template <class T>
RecurrentBlock<T> block_of(const Sequence<T>& s, CellKind kind, std::size_t k, Rows rows, bool from_first) {
    const std::size_t first = s.first_row(k) + rows.begin, first_state = first * s.hidden;
    RecurrentBlock<T> block;
    block.batch = rows.count();
    block.hidden = s.hidden;
    block.gates = s.gates + first * gate_count(kind) * s.hidden;
    block.bias = s.bias;
    block.hidden_bias = s.hidden_bias;
    block.h_n = s.h_n ? s.h_n + first_state : nullptr;
    block.h_before = h_before(s, k, rows, from_first);
    block.h = s.h + first_state;
    if (s.c) {
        block.c_before = from_first ? s.c0 + rows.begin * s.hidden : s.c + (block.h_before - s.h);
        block.c = s.c + first_state;
    }
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

/// Rows of a state, and x itself where they are all of them.
template <class T>
Variable<T> rows_of(const Variable<T>& x, std::size_t begin, std::size_t end) {
    if (begin == 0 && end == x.shape()[0]) return x;
    return slice(x, 0, static_cast<std::ptrdiff_t>(begin), static_cast<std::ptrdiff_t>(end));
}

/// x_t of the x that the steps share.
template <class T>
Variable<T> step_of(const Variable<T>& x, const Sequence<T>& s, std::size_t k) {
    if (!s.whole) return x;
    if (x.shape().rank() == 3) return select(x, 0, static_cast<std::ptrdiff_t>(s.time(k)));
    return rows_of(x, s.first_row(k), s.first_row(k) + s.rows(k));
}

template <CellKind kind, class T>
class RecurrentOperation final : public Operation<T> {
    static constexpr std::size_t G = gate_count(kind);
    static constexpr bool is_lstm = kind == CellKind::lstm;
    static constexpr bool is_gru = kind == CellKind::gru;
    static constexpr std::size_t input_bias = first_optional_input + (is_lstm ? 1 : 0);  // bias_ih, then bias_hh

  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info = info_of(kind);
        return info;
    }

    Intermediates<T> intermediates(const Tape<T>&, const Node<T>& node) const override {
        const Step<T>& step = *static_cast<const Step<T>*>(node.saved);
        const Sequence<T>& s = *step.sequence;
        const T* const gates = s.gates + s.first_row(step.k) * G * s.hidden;
        const auto gate = [&](std::string_view name, std::size_t place) {
            return Intermediate<T>{name, gates + place * s.hidden, s.rows(step.k), s.hidden, G * s.hidden};
        };
        if constexpr (is_lstm)
            return {gate("input_gate", 0), gate("forget_gate", 1), gate("cell_gate", 2), gate("output_gate", 3)};
        else if constexpr (is_gru)
            return {gate("reset_gate", 0), gate("update_gate", 1), gate("new_gate", 2)};
        Intermediates<T> none;  // not `{}`, which would clear room for all that there could be, at every step
        return none;
    }

    StepRun run_from(const Node<T>& node) const override {
        const Step<T>& step = *static_cast<const Step<T>*>(node.saved);
        const Sequence<T>& s = *step.sequence;
        if (step.k > 0 || s.starts) return {};
        const auto gates = static_cast<std::ptrdiff_t>(s.batch * G * s.hidden);
        return {s.steps, s.outputs, s.reverse ? -gates : gates};
    }

    void vjp(Vjp<T>& pass) const override {
        // The step again, in elementary operations, which know their own derivatives.
        Tape<T>& tape = pass.tape();
        const Step<T> step = pass.template saved<Step<T>>();
        const Sequence<T>& s = *step.sequence;
        ElementaryStep<T> state;
        Variable<T> x_t;
        {
            const EnableGrad on;
            x_t = step_of(pass.input(input_x), s, step.k);
        }
        const auto first = static_cast<NodeIndex>(tape.size());
        {
            const EnableGrad on;
            RecurrentWeights<T> weights{pass.input(input_weight_ih), pass.input(input_weight_hh), {}, {}};
            if (s.has_bias) {
                weights.bias_ih = pass.input(input_bias);
                weights.bias_hh = pass.input(input_bias + 1);
            }
            // The states of the rows that go on, and of those that begin.
            const std::size_t rows = s.rows(step.k), continued = step.k ? s.continued(step.k) : rows;
            const auto before = [&](std::size_t input, std::size_t first_state) {
                const Variable<T> those = rows_of(pass.input(input), 0, continued);
                if (continued == rows) return those;
                return concat(std::vector{those, rows_of(pass.input(first_state), continued, rows)}, 0);
            };
            state =
                elementary_step(kind, x_t, before(input_h, first_states(s)),
                                is_lstm ? before(first_optional_input, first_states(s) + 1) : Variable<T>(), weights);
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
            if (places[k] != input_x || !s.whole)
                pass.accumulate(places[k], gradients[k]);
            else if (pass.input(input_x).shape().rank() == 3)
                pass.accumulate_slice(input_x, 0, s.time(step.k), unsqueeze(gradients[k], 0));
            else
                pass.accumulate_slice(input_x, 0, s.first_row(step.k), gradients[k]);
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
        const std::size_t last = step.k;
        if (!s.whole) return backward_of_one_step(pass, s);
        if (s.pass == pass.number() && last >= s.done_from) return;
        s.pass = pass.number();
        s.done_from = 0;

        T* const zeros = zeros_for_missing(pass, s.states());
        T* scratch = nullptr;
        const bool has_hooks = pass.tape().has_hooks(s.first_node, s.node_of(last + 1));
        std::vector<Way>& ways = this->ways(last + 1);
        // Made where they stay: a copy of what was just written would wait for it.
        for (std::size_t k = last + 1; k-- > 0 && !has_hooks;) new (&ways[k]) Way(way_at(pass, s, k, zeros));
        const Backward<T> first(pass.tape(), s.first_node, pass.tape().node(s.first_node));
        Targets to_first;
        const auto take_first = [&] {
            to_first = targets(first, s, std::max(s.rows(0), s.rows(last)), s.batch, scratch);
        };

        const std::size_t gate_row = G * s.hidden, chunk = has_hooks ? last + 1 : steps_at_once(first, s, last);
        const bool all_at_once = chunk > last;
        const std::size_t size = (all_at_once ? s.rows(Steps{0, last + 1}) : chunk * s.batch) * gate_row;
        T* const deltas = pass.acquire(size);
        T* const hidden_deltas = is_gru ? pass.acquire(size) : deltas;
        const bool pays = RecurrentProduct<T>::pays(last + 1, s.batch, gate_row, s.hidden);
        const std::size_t packed_size = pays ? PackedMatrix<T>::size(gate_row, s.hidden) : 0;
        T* const packed = packed_size > 0 ? pass.acquire(packed_size) : nullptr;
        Node<T>& w_hh = pass.tape().node(pass.tape().input(first.node(), input_weight_hh));
        const RecurrentProduct<T> product(pass.tape(), w_hh, Transpose::no, s.batch, gate_row, s.hidden, packed);
        // As if deltas were kept of all rows: those of some steps lie behind the ones that are missing.
        const auto of_rows = [&](T* memory, Steps steps) { return memory - s.first_row(steps) * gate_row; };
        const Steps all{0, last + 1};
        bool taken = false;
        for (std::size_t k = last + 1; k-- > 0 && has_hooks;) {
            // Step by step: what flows into a step is known only after the hooks of the one behind it.
            const Way way = way_at(pass, s, k, zeros);  // a hook may go through another sequence
            call_hooks(pass, s, k, way);
            if (!taken && s.continued(k) < s.rows(k)) {
                take_first();
                taken = true;
            }
            run_backward(s, {k, k + 1}, &way, to_first, product, of_rows(deltas, all), of_rows(hidden_deltas, all),
                         {0, s.batch});
        }
        if (!taken) take_first();
        for (std::size_t end = last + 1, begin = 0; end > 0; end = begin) {
            begin = end > chunk ? end - chunk : 0;
            const Steps steps{begin, end};
            T* const delta = of_rows(deltas, steps);
            T* const hidden_delta = of_rows(hidden_deltas, steps);
            if (!has_hooks)
                for_parts_of_batch(s, kind, end - begin, product, [&](Rows rows) {
                    run_backward(s, steps, &ways[begin], to_first, product, delta, hidden_delta, rows);
                });
            weights(first, s, steps, delta, hidden_delta, all_at_once);
            input(first, s, steps, delta);
        }
        if (!all_at_once) {
            pass.release(deltas, size);
            if (is_gru) pass.release(hidden_deltas, size);
        }
        if (packed) pass.release(packed, packed_size);
        if (scratch) pass.release(scratch, s.states());
        if (zeros) pass.release(zeros, s.states());
    }

    /// The kernel and, where a step has the whole batch, the products go over all of the K rows at once.
    void backward_rows(BackwardRows<T>& pass) const override {
        const Step<T>& step = pass.template saved<Step<T>>();
        const Sequence<T>& s = *step.sequence;
        const std::size_t K = pass.rows(), B = s.rows(step.k), I = s.input_size, H = s.hidden, gate_row = G * H;
        const std::size_t states = B * H, gates = B * gate_row, first_row = s.first_row(step.k);

        T* const delta = pass.acquire(K * gates);
        T* const hidden_delta = is_gru ? pass.acquire(K * gates) : delta;
        T* const zeros = zeros_for_missing(pass, states);
        T* const dc = is_lstm ? pass.dy_to_finish(1) : nullptr;

        // [K, input], of which the step may have used some rows only.
        const auto target = [&](std::size_t input) -> GradientTarget<T> {
            if (pass.input(input).shape.size() == states && !s.starts) return pass.target(input);
            return {pass.target_zeroed(input), false};
        };
        const auto weight = [&](std::size_t i, const T* x, std::size_t columns, const T* d, std::size_t rows) {
            if (!pass.wants(i)) return;
            T* const dw = pass.target_zeroed(i);
            for (std::size_t r = 0; r < K; ++r) {
                T* const dw_r = dw + r * gate_row * columns;
                const T* const d_r = d + r * gates;
                if (x) {
                    gemm(Transpose::yes, Transpose::no, gate_row, columns, rows, T(1), d_r, gate_row, x, columns, T(1),
                         dw_r, columns);
                    continue;
                }
                for (std::size_t b = 0; b < rows; ++b)
                    for (std::size_t j = 0; j < gate_row; ++j) dw_r[j] += d_r[b * gate_row + j];
            }
        };
        for_both(s, step.k, Rows{0, s.batch}, [&](Rows part, bool from_first) {
            // Rows that begin here have the first state as a further input.
            const bool begin = from_first && step.k > 0;
            const std::size_t h = begin ? first_states(s) : std::size_t{input_h};
            const std::size_t c = begin ? first_states(s) + 1 : std::size_t{first_optional_input};
            const std::size_t around = is_lstm ? c : h, first_state = part.begin * H;
            constexpr bool flows_around = is_lstm || is_gru;
            GradientTarget<T> before{nullptr, true};
            T* scratch = nullptr;
            std::size_t stride = states;
            if (flows_around && pass.wants(around)) {
                before = target(around);
                stride = pass.input(around).shape.size();
            } else if (flows_around) {
                before.data = scratch = pass.acquire(K * states);
            }
            RecurrentBlock<T> block = block_of(s, kind, step.k, part, from_first);
            block.assign = before.assign;
            block.dh = (zeros ? zeros : pass.dy(0)) + first_state;
            block.dc = is_lstm ? dc + first_state : nullptr;
            block.delta = delta + part.begin * gate_row;
            block.hidden_delta = hidden_delta + part.begin * gate_row;
            block.d_before = flows_around ? before.data + first_state : nullptr;
            block.passes = K;
            block.dh_stride = zeros ? 0 : states;
            block.dc_stride = states;
            block.delta_stride = gates;
            block.before_stride = stride;
            backward_kernel<T>(kind)(block);
            if (scratch) pass.release(scratch, K * states);
            if (pass.wants(h)) {
                const GradientTarget<T> dh = target(h);
                const std::size_t size = pass.input(h).shape.size();
                Node<T>& w_hh = pass.tape().node(pass.tape().input(pass.node(), input_weight_hh));
                // K products of some rows, or one of all.
                const bool all = size == states && part.count() == B;
                for (std::size_t r = 0; r < (all ? 1 : K); ++r)
                    pass.multiply(all ? K * B : part.count(), gate_row, H,
                                  hidden_delta + r * gates + part.begin * gate_row, w_hh, Transpose::no, !dh.assign,
                                  dh.data + r * size + first_state);
            }
            weight(input_weight_hh, block.h_before, H, hidden_delta + part.begin * gate_row, part.count());
        });
        if (pass.wants(input_x)) {
            Node<T>& w_ih = pass.tape().node(pass.tape().input(pass.node(), input_weight_ih));
            if (!s.whole) {
                const GradientTarget<T> dx = pass.target(input_x);
                pass.multiply(K * B, gate_row, I, delta, w_ih, Transpose::no, !dx.assign, dx.data);
            } else {
                T* const dx = pass.target_zeroed(input_x);
                const std::size_t size = pass.input(input_x).shape.size();
                for (std::size_t r = 0; r < K; ++r)
                    pass.multiply(B, gate_row, I, delta + r * gates, w_ih, Transpose::no, true,
                                  dx + r * size + first_row * I);
            }
        }
        weight(input_weight_ih, s.x + first_row * I, I, delta, B);
        if (s.has_bias) {
            weight(input_bias, nullptr, 1, delta, B);
            weight(input_bias + 1, nullptr, 1, hidden_delta, B);
        }

        pass.release(delta, K * gates);
        if (is_gru) pass.release(hidden_delta, K * gates);
        if (zeros) pass.release(zeros, states);
    }

  private:
    /// The place of h_0, then c_0, among the inputs of a step at which sequences begin: behind all others.
    static std::size_t first_states(const Sequence<T>& s) { return input_bias + (s.has_bias ? 2 : 0); }

    /// What stands for dL/dh_t where nothing has flowed in; else nullptr.
    template <class Pass>
    static T* zeros_for_missing(const Pass& pass, std::size_t size) {
        if (pass.dy(0)) return nullptr;
        T* const zeros = pass.acquire(size);
        std::fill_n(zeros, size, T(0));
        return zeros;
    }

    /// Where gradients of the states before a step go to: [rows, H] each.
    struct Targets {
        GradientTarget<T> dh{nullptr, true};      // nullptr where nobody wants it
        GradientTarget<T> around{nullptr, true};  // what goes around the products: LSTM dc_{t-1}, GRU dh_{t-1}
    };

    /// Where the gradients of one step come from and go to.
    struct Way {
        const T* dh;
        T* dc;  // LSTM
        Targets to_before;
    };

    static std::vector<Way>& ways(std::size_t count) {
        thread_local std::vector<Way> all;  // reused, so that a training step allocates nothing
        if (all.size() < count) all.resize(count);
        return all;
    }

    /// The targets of the states that went into a step: `used` rows of `rows`. The others get zeros.
    static Targets targets(const Backward<T>& at, const Sequence<T>& s, std::size_t used, std::size_t rows,
                           T*& scratch) {
        const auto target = [&](std::size_t input) {
            const GradientTarget<T> to = at.target(input);
            if (to.assign) std::fill(to.data + used * s.hidden, to.data + rows * s.hidden, T(0));
            return to;
        };
        Targets result;
        if constexpr (is_lstm || is_gru) {
            constexpr std::size_t around = is_lstm ? std::size_t{first_optional_input} : std::size_t{input_h};
            if (at.wants(around)) {
                result.around = target(around);
            } else {
                scratch = at.acquire(s.states());  // at the first step only
                result.around.data = scratch;
            }
        }
        if (at.wants(input_h)) result.dh = target(input_h);
        return result;
    }

    /// Of a cell in a loop over time: as `backward`, without what only many steps need.
    static void backward_of_one_step(const Backward<T>& pass, const Sequence<T>& s) {
        const std::size_t B = s.batch, gate_row = G * s.hidden;
        Tape<T>& tape = pass.tape();
        T* const zeros = zeros_for_missing(pass, s.states());
        T* scratch = nullptr;
        const Way way = way_at(pass, s, 0, zeros);
        if (tape.has_hooks(s.first_node, s.node_of(1))) call_hooks(pass, s, 0, way);
        const Targets to_before = targets(pass, s, B, B, scratch);
        T* const delta = pass.acquire(B * gate_row);
        T* const hidden_delta = is_gru ? pass.acquire(B * gate_row) : delta;
        Node<T>& w_hh = tape.node(tape.input(pass.node(), input_weight_hh));
        const RecurrentProduct<T> product(tape, w_hh, Transpose::no, B, gate_row, s.hidden, nullptr);
        run_backward(s, {0, 1}, &way, to_before, product, delta, hidden_delta, {0, B});

        const auto add = [&](std::size_t i, const T* x, std::size_t columns, const T* d) {
            typename Backward<T>::Share share{x, d, B, columns, gate_row};
            share.first_time_step = pass.node().time_step;
            add_share(pass, i, share, true);
        };
        add(input_weight_ih, s.x, s.input_size, delta);
        if (s.has_bias) {
            add(input_bias, nullptr, 0, delta);
            add(input_bias + 1, nullptr, 0, hidden_delta);
        }
        add(input_weight_hh, s.h0, s.hidden, hidden_delta);

        input(pass, s, {0, 1}, delta);
        if (scratch) pass.release(scratch, s.states());
        if (zeros) pass.release(zeros, s.states());
    }

    /// To be asked for from the last step to the first.
    static Way way_at(const Backward<T>& pass, const Sequence<T>& s, std::size_t k, const T* zeros) {
        Tape<T>& tape = pass.tape();
        const NodeIndex index = s.node_of(k);
        const Backward<T> at(tape, index, tape.node(index));
        T* dc = nullptr;
        if constexpr (is_lstm) {
            // The kernel adds what comes through h_t, so that the probe of c_t holds the whole dL/dc_t.
            Node<T>& cell_state = tape.node(index + 1);
            if (!cell_state.gradient) {
                const std::size_t size = s.rows(k) * s.hidden;
                cell_state.gradient = pass.acquire(size);
                std::fill_n(cell_state.gradient, size, T(0));
            }
            dc = cell_state.gradient;
        }
        T* none = nullptr;
        return {at.dy(0) ? at.dy(0) : zeros, dc,
                k > 0 ? targets(at, s, s.continued(k), s.rows(k - 1), none) : Targets()};
    }

    static void call_hooks(const Backward<T>& pass, const Sequence<T>& s, std::size_t k, const Way& way) {
        Tape<T>& tape = pass.tape();
        const NodeIndex index = s.node_of(k);
        if (T* const dh = tape.node(index).gradient) tape.call_hooks(index, dh);
        if (!is_lstm || !tape.has_hooks(index + 1)) return;
        // Hooks of c_t see the whole dL/dc_t. The kernel makes it from what has come in and from dh_t, so the part from
        // dh_t is added for the hooks, and taken away again from what they have put in its place.
        const std::size_t H = s.hidden, first = s.first_row(k), size = s.rows(k) * H;
        const T* const gates = s.gates + first * G * H;
        const T* const c = s.c + first * H;
        T* const through_h = pass.acquire(size);
        T* const whole = pass.acquire(size);
        for (std::size_t j = 0; j < size; ++j) {
            // dh_t . o . (1 - tanh(c_t)^2)
            const T o = gates[j / H * G * H + 3 * H + j % H], tanh_c = std::tanh(c[j]);
            through_h[j] = way.dh[j] * o * (1 - tanh_c * tanh_c);
            whole[j] = way.dc[j] + through_h[j];
        }
        if (tape.call_hooks(index + 1, whole))
            for (std::size_t j = 0; j < size; ++j) way.dc[j] = whole[j] - through_h[j];
        pass.release(through_h, size);
        pass.release(whole, size);
    }

    /// How many steps the deltas are kept of. All of them, as a rule: then the weights wait, and whoever asks later
    /// what a step has contributed finds its delta. Of a long sequence, whose deltas would take half of all memory,
    /// those of a few steps, which stay in the cache: their products are added to the gradients as they come.
    static std::size_t steps_at_once(const Backward<T>& first, const Sequence<T>& s, std::size_t last) {
        constexpr std::size_t large = std::size_t{4} << 20, rows = 256, fewest_rows = 8;
        const std::size_t delta_bytes = (last + 1) * s.batch * G * s.hidden * sizeof(T);
        if (s.starts || delta_bytes <= large || s.batch < fewest_rows || !first.frees_graph()) return last + 1;
        for (const std::size_t i : {std::size_t{input_weight_ih}, std::size_t{input_weight_hh}})
            if (first.wants(i) && !first.may_add_at_once(i, s.steps)) return last + 1;
        return std::min(std::max<std::size_t>(rows / s.batch, 1), last + 1);
    }

    /// delta_t, and what flows to the states, for some rows of the batch. The first way is the first step's.
    static void run_backward(const Sequence<T>& s, Steps steps, const Way* ways, const Targets& to_first,
                             const RecurrentProduct<T>& product, T* delta, T* hidden_delta, Rows rows) {
        const std::size_t gate_row = G * s.hidden;
        const RecurrentKernel<T> kernel = backward_kernel<T>(kind);
        for (std::size_t k = steps.end; k-- > steps.begin;)
            for_both(s, k, rows, [&](Rows part, bool from_first) {
                const Way& way = ways[k - steps.begin];
                const Targets& to = from_first ? to_first : way.to_before;
                const std::size_t first_gate = (s.first_row(k) + part.begin) * gate_row;
                const std::size_t first_state = part.begin * s.hidden;
                RecurrentBlock<T> block = block_of(s, kind, k, part, from_first);
                block.delta = delta + first_gate;
                block.hidden_delta = hidden_delta + first_gate;
                block.dh = way.dh + first_state;
                if constexpr (is_lstm) block.dc = way.dc + first_state;
                if constexpr (is_lstm || is_gru) {
                    block.d_before = to.around.data + first_state;
                    block.assign = to.around.assign;
                }
                kernel(block);
                // dh_{t-1} += delta_t W_hh
                if (to.dh.data) product(part.count(), block.hidden_delta, !to.dh.assign, to.dh.data + first_state);
            });
    }

    /// dW += delta' x: of a parameter later, if it may wait.
    static void add_share(const Backward<T>& first, std::size_t i, const typename Backward<T>::Share& share,
                          bool wait) {
        if (!first.wants(i) || share.rows == 0) return;
        if (first.is_parameter(i)) {
            wait ? first.defer(i, share) : first.add_at_once(i, share);
            return;
        }
        const std::size_t gate_row = share.delta_stride;
        const GradientTarget<T> target = first.target(i);
        if (share.x) {
            gemm(Transpose::yes, Transpose::no, gate_row, share.x_stride, share.rows, T(1), share.delta, gate_row,
                 share.x, share.x_stride, target.assign ? T(0) : T(1), target.data, share.x_stride);
            return;
        }
        if (target.assign) std::fill_n(target.data, gate_row, T(0));
        for (std::size_t r = 0; r < share.rows; ++r)
            for (std::size_t j = 0; j < gate_row; ++j) target.data[j] += share.delta[r * gate_row + j];
    }

    /// dW_ih += delta_t' x_t, dW_hh += delta_t' h_{t-1}, of the weights that wait when their turn comes.
    static void weights(const Backward<T>& first, const Sequence<T>& s, Steps steps, const T* delta,
                        const T* hidden_delta, bool wait) {
        const std::size_t gate_row = G * s.hidden;
        using Share = typename Backward<T>::Share;
        const std::int32_t time_zero = first.node().time_step - static_cast<std::int32_t>(s.time(0));
        const auto add = [&](std::size_t i, const Share& share) { add_share(first, i, share, wait); };
        // Of some steps, with equally many rows at each.
        const auto share_of = [&](Steps some, const T* x, std::size_t columns, const T* d) {
            Share share{x, d + s.first_row(some) * gate_row, s.rows(some), columns, gate_row};
            share.time_steps = some.end - some.begin;
            share.first_time_step =
                time_zero + static_cast<std::int32_t>(s.time(s.reverse ? some.end - 1 : some.begin));
            return share;
        };
        // Steps of equally many rows are one product.
        for (std::size_t end = steps.end, begin = end; end > steps.begin; end = begin) {
            do --begin;
            while (begin > steps.begin && s.rows(begin - 1) == s.rows(begin));
            const Steps run{begin, end};
            add(input_weight_ih, share_of(run, s.x + s.first_row(run) * s.input_size, s.input_size, delta));
            if (s.has_bias) {
                add(input_bias, share_of(run, nullptr, 0, delta));
                add(input_bias + 1, share_of(run, nullptr, 0, hidden_delta));
            }
            // The states before them lie next to each other too, where they come from such a step.
            const bool goes_on = begin > 0 && s.rows(begin - 1) == s.rows(begin);
            const Steps later{goes_on ? begin : begin + 1, end};
            if (later.begin < later.end)
                add(input_weight_hh, share_of(later, s.h + s.first_row(Steps{later.begin - 1, end - 1}) * s.hidden,
                                              s.hidden, hidden_delta));
            if (goes_on) continue;
            for_both(s, begin, Rows{0, s.batch}, [&](Rows part, bool from_first) {
                if (from_first && s.zero_state) return;
                Share share = share_of({begin, begin + 1}, h_before(s, begin, part, from_first), s.hidden,
                                       hidden_delta + part.begin * gate_row);
                share.rows = part.count();
                add(input_weight_hh, share);
            });
        }
    }

    /// dx_t = delta_t W_ih, of all these steps in one product.
    static void input(const Backward<T>& first, const Sequence<T>& s, Steps steps, const T* delta) {
        if (!first.wants(input_x)) return;
        const std::size_t I = s.input_size, gate_row = G * s.hidden, begin = s.first_row(steps), rows = s.rows(steps);
        const GradientTarget<T> target = first.target(input_x);
        Tape<T>& tape = first.tape();
        tape.multiply(rows, gate_row, I, delta + begin * gate_row, tape.node(tape.input(first.node(), input_weight_ih)),
                      Transpose::no, !target.assign, target.data + begin * I);
        if (target.assign) {
            std::fill(target.data, target.data + begin * I, T(0));
            std::fill(target.data + (begin + rows) * I, target.data + first.input(input_x).shape.size(), T(0));
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

/// y [T, B, H], or [N, H], of the states at times 0, 1, ..., which already lie next to each other in memory.
template <class T>
class SequenceOutput final : public Operation<T> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"sequence_output", "y = h_0, h_1, ..., h_{T-1}", "dh_t = dy_t"};
        return info;
    }
    void vjp(Vjp<T>& pass) const override {
        const bool packed = pass.dy().shape().rank() == 2;
        for (std::size_t t = 0, row = 0; t < pass.input_count(); ++t) {
            const std::size_t end = row + pass.input(t).shape()[0];
            pass.accumulate(
                t, packed ? rows_of(pass.dy(), row, end) : select(pass.dy(), 0, static_cast<std::ptrdiff_t>(t)));
            row = end;
        }
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
    for (std::size_t k = 0; k < s.steps; ++k)
        for_both(s, k, rows, [&](Rows part, bool from_first) {
            RecurrentBlock<T> block = block_of(s, kind, k, part, from_first);
            T* const y = products ? products + part.begin * gate_row : block.gates;
            block.products = y;
            if (!(from_first && s.zero_state))
                product(part.count(), block.h_before, !products, y);
            else if (products)
                std::fill_n(y, part.count() * gate_row, T(0));
            kernel(block);
        });
}

template <class T>
void run_forward(Tape<T>& tape, const Sequence<T>& s, CellKind kind, Node<T>& w_hh) {
    const std::size_t H = s.hidden, gate_row = gate_count(kind) * H;
    T* const products = kind == CellKind::gru ? tape.allocate(s.batch * gate_row) : nullptr;
    const bool pays = RecurrentProduct<T>::pays(s.steps, s.batch, H, gate_row);
    T* const packed = pays ? tape.allocate(PackedMatrix<T>::size(H, gate_row)) : nullptr;
    const RecurrentProduct<T> product(tape, w_hh, Transpose::yes, s.batch, H, gate_row, packed);
    for_parts_of_batch(s, kind, s.steps, product, [&](Rows rows) { run_forward(s, kind, product, products, rows); });
}

/// The state of every sequence after its last step: `states` has the nodes of all steps, in the order in which they
/// were taken.
template <class T>
Variable<T> last_state(const Sequence<T>& s, Tape<T>& tape, NodeIndex part, const Variable<T>& first) {
    const auto state = [&](std::size_t k) { return tape.at(s.node_of(k) + part); };
    std::vector<Variable<T>> pieces{state(s.steps - 1)};
    // Forward, the shortest have ended first, and stand last.
    for (std::size_t k = s.steps - 1; k-- > 0 && !s.reverse;)
        if (s.rows(k) > s.rows(k + 1)) pieces.push_back(rows_of(state(k), s.rows(k + 1), s.rows(k)));
    const std::size_t begun = s.rows(s.reverse ? s.steps - 1 : 0);
    if (begun < s.batch) pieces.push_back(rows_of(first, begun, s.batch));
    return pieces.size() == 1 ? pieces[0] : concat(pieces, 0);
}

/// A node for every step: h_t, and c_t of an LSTM.
template <class T>
RecurrentResult<T> record_steps(Sequence<T>& s, CellKind kind, const Variable<T>& x, const Variable<T>& h,
                                const Variable<T>& c, const RecurrentWeights<T>& weights, const StepLabels& labels) {
    Tape<T>& tape = weights.weight_ih.tape();
    const bool is_lstm = kind == CellKind::lstm;
    std::vector<Variable<T>>& inputs = step_inputs<T>();
    inputs.assign({x, weights.weight_ih, weights.weight_hh, h});
    if (is_lstm) inputs.push_back(c);
    if (s.has_bias) inputs.insert(inputs.end(), {weights.bias_ih, weights.bias_hh});
    const std::size_t always = inputs.size();

    const auto first =
        tape.record(operation_of<T>(kind), inputs, {s.rows(0), s.hidden}, s.h + s.first_row(0) * s.hidden);
    label(first.node, labels.h, labels, s.time(0));
    Sequence<T>* const shared = first.recorded ? &tape.save(first.node, s) : nullptr;
    s.first_node = first.index;
    if (shared) shared->first_node = first.index;  // last: a copy of what was just written would wait for it
    RecurrentResult<T> result;
    for (std::size_t k = 0; k < s.steps; ++k) {
        const Shape shape{s.rows(k), s.hidden};
        const std::size_t place = s.first_row(k) * s.hidden;
        const auto record = [&] {
            if (k == 0) return first;
            if (!s.starts) {  // the first step's inputs with other states
                const std::pair<std::size_t, NodeIndex> states[] = {{input_h, result.h.index()},
                                                                    {first_optional_input, result.c.index()}};
                return tape.record_again(first, std::span(states, s.outputs), s.h + place);
            }
            inputs.resize(always);
            inputs[input_h] = result.h;
            if (is_lstm) inputs[first_optional_input] = result.c;
            if (s.continued(k) < s.rows(k)) {  // sequences begin here
                inputs.push_back(h);
                if (is_lstm) inputs.push_back(c);
            }
            const auto recorded = tape.record(operation_of<T>(kind), inputs, shape, s.h + place);
            label(recorded.node, labels.h, labels, s.time(k));
            return recorded;
        };
        const auto step = record();
        set_step(step.node, labels, s.time(k));
        if (step.recorded) tape.save(step.node, Step<T>{shared, k});
        result.h = tape.at(step.index);
        if (is_lstm) {
            const auto further = tape.record_further_output(step, shape, s.c + place);
            label(further.node, labels.c, labels, s.time(k));
            result.c = tape.at(further.index);
        }
    }
    if (s.whole) {
        static const SequenceOutput<T> sequence_output;
        inputs.clear();
        for (std::size_t t = 0; t < s.steps; ++t) inputs.push_back(tape.at(s.node_of(s.time(t))));
        Shape shape = x.shape();
        shape[shape.rank() - 1] = s.hidden;
        result.output = tape.at(tape.record(sequence_output, inputs, shape, s.h).index);
    }
    if (s.starts) {
        result.h = last_state(s, tape, 0, h);
        if (is_lstm) result.c = last_state(s, tape, 1, c);
    }
    return result;
}

template <class T>
RecurrentResult<T> fused(CellKind kind, const Variable<T>& x, const PackedSteps* steps, bool reverse,
                         const Variable<T>& h, const Variable<T>& c, bool zero_state,
                         const RecurrentWeights<T>& weights, const StepLabels& labels) {
    Tape<T>& tape = x.tape();
    const bool is_lstm = kind == CellKind::lstm, is_gru = kind == CellKind::gru;
    const std::size_t G = gate_count(kind);
    const std::size_t B = h.shape()[0], H = h.shape()[1], I = x.shape().back();
    const std::size_t N = x.shape().size() / std::max<std::size_t>(I, 1);
    for (const Variable<T>& operand : {x, h, weights.weight_ih, weights.weight_hh})
        tape.check("recurrent step", operand);
    if (is_lstm) tape.check("recurrent step", c);

    Sequence<T> s{};
    s.steps = steps ? steps->steps() : 1;
    s.batch = B;
    s.input_size = I;
    s.hidden = H;
    s.starts = steps && !steps->starts().empty() ? tape.save(steps->starts().data(), s.steps + 1) : nullptr;
    s.reverse = reverse;
    s.whole = steps != nullptr;
    s.zero_state = zero_state;
    s.has_bias = weights.bias_ih.defined();
    s.outputs = is_lstm ? 2 : 1;
    s.x = tape.contiguous(x);
    s.h0 = tape.contiguous(h);
    s.c0 = is_lstm ? tape.contiguous(c) : nullptr;
    s.h = tape.allocate(N * H);
    s.c = is_lstm ? tape.allocate(N * H) : nullptr;
    s.gates = G > 1 ? tape.allocate(N * G * H) : s.h;
    s.h_n = is_gru ? tape.allocate(N * H) : nullptr;

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
    tape.multiply(N, I, G * H, s.x, weights.weight_ih.node(), Transpose::yes, false, s.gates);
    run_forward(tape, s, kind, weights.weight_hh.node());
    return record_steps(s, kind, x, h, c, weights, labels);
}

}  // namespace

template <class T>
RecurrentResult<T> recurrent_step(CellKind kind, Granularity granularity, const Variable<T>& x, const Variable<T>& h,
                                  const Variable<T>& c, const RecurrentWeights<T>& weights, const StepLabels& labels) {
    if (has_fused_step(kind, granularity, weights))
        return fused<T>(kind, x, nullptr, false, h, c, false, weights, labels);
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
                                      const RecurrentWeights<T>& weights, const StepLabels& labels,
                                      const PackedSteps& steps, bool reverse) {
    if (has_fused_step(kind, granularity, weights))
        return fused(kind, x, &steps, reverse, h, c, zero_state, weights, labels);
    const bool has_c = c.defined();
    const auto parts = [has_c](const Variable<T>& h_part, const Variable<T>& c_part) {
        return has_c ? StateParts<T>{h_part, c_part} : StateParts<T>{h_part};
    };
    const StateParts<T> before = parts(h, c);
    const SequenceLabels names{{labels.h, labels.c}, labels.owner};
    const CellInput<T> input{x, before, zero_state, steps, reverse, names, labels.first_time_step};
    const CellOutput<T> result = run_steps<T>(input, [&](const Variable<T>& x_t, const StateParts<T>& state, auto) {
        const RecurrentResult<T> step =
            recurrent_step(kind, granularity, x_t, state[0], has_c ? state[1] : Variable<T>(), weights, labels);
        return parts(step.h, step.c);
    });
    return {result.output, result.after[0], has_c ? result.after[1] : Variable<T>()};
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
                                                   const StepLabels&, const PackedSteps&, bool);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
