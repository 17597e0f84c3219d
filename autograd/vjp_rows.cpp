#include <ebb/autograd/operation.hpp>
#include <ebb/autograd/vjp_rows.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/packed_matrix.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace ebb {

/// One sweep of K rows. While it runs, `Node::gradient` is the memory of K gradients, one after another.
template <class T>
class RowSweep {
  public:
    RowSweep(Tape<T>& tape, std::size_t rows) noexcept : tape_(tape), rows_(rows) {}
    RowSweep(const RowSweep&) = delete;
    RowSweep& operator=(const RowSweep&) = delete;
    ~RowSweep() {
        for (NodeIndex index = end_; index < begin_; ++index) tape_.node(index).gradient = nullptr;
    }

    Tape<T>& tape() const noexcept { return tape_; }
    std::size_t rows() const noexcept { return rows_; }

    std::vector<Array<T>> run(const std::vector<Variable<T>>& ys, const std::vector<Array<T>>& seeds,
                              const std::vector<Variable<T>>& xs, bool hold_targets) {
        std::vector<Array<T>> results;
        for (const Variable<T>& x : xs) {
            std::vector<std::size_t> shape{rows_};
            shape.insert(shape.end(), x.shape().begin(), x.shape().end());
            results.push_back(Array<T>::from_shape(shape));
            // The gradients of a target grow in the very array that is handed out.
            targets_.try_emplace(x.index(), results.back().data());
        }
        plan(ys, hold_targets);
        for (std::size_t r = 0; r < ys.size(); ++r) {
            if (!leads_to_target(ys[r].index())) continue;
            const GradientTarget<T> target = this->target(ys[r].index());
            const T* const seed = seeds[r].data();
            for (std::size_t k = 0; k < seeds[r].size(); ++k)
                target.data[k] = target.assign ? seed[k] : target.data[k] + seed[k];
        }
        for (NodeIndex index = begin_; index-- > end_;) visit(index, hold_targets);
        for (std::size_t i = 0; i < xs.size(); ++i) {
            const NodeIndex index = xs[i].index();
            T* const memory = targets_.at(index);
            if (index >= begin_ || !tape_.node(index).gradient)
                results[i].fill(T(0));
            else if (memory != results[i].data())  // named twice
                std::copy_n(memory, results[i].size(), results[i].data());
        }
        return results;
    }

    /// Whether a target lies at the node or below it.
    bool leads_to_target(NodeIndex index) const noexcept {
        return index >= end_ && index < begin_ && leads_[index - end_] != 0;
    }

    GradientTarget<T> target(NodeIndex index) {
        Node<T>& node = tape_.node(index);
        if (node.gradient) return {node.gradient, false};
        const auto found = targets_.find(index);
        node.gradient = found != targets_.end() ? found->second : tape_.pool().acquire(rows_ * node.shape.size());
        return {node.gradient, true};
    }

    /// The parameter's matrix, laid out at its first product in this sweep.
    const PackedMatrix<T>& laid_out(const Node<T>& parameter, Transpose transposed, std::size_t k, std::size_t n) {
        const auto [found, is_new] = layouts_.try_emplace({&parameter, transposed});
        Layout& layout = found->second;
        if (is_new) {
            layout.memory.resize(PackedMatrix<T>::size(k, n));
            layout.matrix = PackedMatrix<T>::pack(transposed, k, n, parameter.value, layout.memory.data());
        }
        return layout.matrix;
    }

  private:
    struct Layout {
        PackedMatrix<T> matrix;
        std::vector<T> memory;
    };

    bool is_target(NodeIndex index) const { return targets_.count(index) != 0; }

    /// The nodes to visit, [end_, begin_), and which of them lead to a target.
    void plan(const std::vector<Variable<T>>& ys, bool hold_targets) {
        begin_ = end_ = 0;
        for (const Variable<T>& y : ys) begin_ = std::max(begin_, y.index() + 1);
        while (begin_ < tape_.size() && tape_.node(begin_).further_output) ++begin_;
        end_ = begin_;
        for (const auto& target : targets_) {
            NodeIndex first = target.first;
            // Where an operation finishes the gradient of its own further output, its turn must come.
            while (!hold_targets && tape_.node(first).further_output) --first;
            end_ = std::min(end_, finishes(first) ? first : target.first);
        }
        leads_.assign(begin_ - end_, 0);
        for (NodeIndex index = end_; index < begin_; ++index) {
            const Node<T>& node = tape_.node(index);
            std::uint8_t& leads = leads_[index - end_];
            leads = is_target(index);
            // Further outputs lead where their operation does.
            if (node.further_output && index > end_) leads |= leads_[index - 1 - end_];
            if (!node.operation) continue;
            for (std::size_t i = 0; !leads && i < node.input_count; ++i) leads = leads_to_target(tape_.input(node, i));
            for (std::uint32_t k = 1; k < node.output_count && index + k < begin_; ++k)
                leads |= !hold_targets && finishes(index) && is_target(index + k);
        }
    }

    bool finishes(NodeIndex index) const {
        const Node<T>& node = tape_.node(index);
        return node.operation && node.output_count > 1 && node.operation->finishes_outputs();
    }

    void visit(NodeIndex index, bool hold_targets) {
        Node<T>& node = tape_.node(index);
        if (!node.operation || node.further_output) return;
        const std::size_t outputs = node.output_count;
        // A held output keeps its gradient; the operation sees that nothing has flowed into it.
        std::vector<T*> held(outputs, nullptr);
        const auto holds = [&](std::size_t k) { return hold_targets && is_target(index + static_cast<NodeIndex>(k)); };
        bool reached = false;
        for (std::size_t k = 0; k < outputs; ++k) {
            T*& gradient = tape_.node(index + static_cast<NodeIndex>(k)).gradient;
            if (holds(k)) held[k] = std::exchange(gradient, nullptr);
            reached |= gradient != nullptr;
        }
        if (reached && wanted(index, node)) {
            for (std::size_t k = 1; k < outputs; ++k)
                if (holds(k) && finishes(index)) zeros_at(index + static_cast<NodeIndex>(k));
            BackwardRows<T> pass(*this, index, node);
            node.operation->backward_rows(pass);
        }
        for (std::size_t k = 0; k < outputs; ++k) {
            const NodeIndex at = index + static_cast<NodeIndex>(k);
            Node<T>& output = tape_.node(at);
            if (output.gradient && (holds(k) || !is_target(at)))
                tape_.pool().release(std::exchange(output.gradient, nullptr), rows_ * output.shape.size());
            if (holds(k)) output.gradient = held[k];
        }
    }

    void zeros_at(NodeIndex index) {
        Node<T>& node = tape_.node(index);
        const std::size_t size = rows_ * node.shape.size();
        node.gradient = tape_.pool().acquire(size);
        std::fill_n(node.gradient, size, T(0));
    }

    bool wanted(NodeIndex index, const Node<T>& node) const {
        for (std::size_t i = 0; i < node.input_count; ++i)
            if (leads_to_target(tape_.input(node, i))) return true;
        for (std::uint32_t k = 1; k < node.output_count; ++k)
            if (finishes(index) && is_target(index + k)) return true;
        return false;
    }

    Tape<T>& tape_;
    std::size_t rows_;
    NodeIndex begin_ = 0, end_ = 0;
    std::vector<std::uint8_t> leads_;
    std::unordered_map<NodeIndex, T*> targets_;
    std::map<std::pair<const Node<T>*, Transpose>, Layout> layouts_;
};

// ---- one node -----------------------------------------------------------------------------------------------------

template <class T>
Tape<T>& BackwardRows<T>::tape() const noexcept {
    return sweep_.tape();
}

template <class T>
std::size_t BackwardRows<T>::rows() const noexcept {
    return sweep_.rows();
}

template <class T>
const T* BackwardRows<T>::dy(std::size_t output) const noexcept {
    return tape().node(index_ + static_cast<NodeIndex>(output)).gradient;
}

template <class T>
T* BackwardRows<T>::dy_to_finish(std::size_t output) const {
    const auto index = index_ + static_cast<NodeIndex>(output);
    const GradientTarget<T> dy = sweep_.target(index);
    if (dy.assign) std::fill_n(dy.data, rows() * tape().node(index).shape.size(), T(0));
    return dy.data;
}

template <class T>
const Node<T>& BackwardRows<T>::input(std::size_t i) const noexcept {
    return tape().node(tape().input(node_, i));
}

template <class T>
bool BackwardRows<T>::wants(std::size_t i) const noexcept {
    return sweep_.leads_to_target(tape().input(node_, i));
}

template <class T>
GradientTarget<T> BackwardRows<T>::target(std::size_t i) const {
    return sweep_.target(tape().input(node_, i));
}

template <class T>
T* BackwardRows<T>::target_zeroed(std::size_t i) const {
    const GradientTarget<T> target = this->target(i);
    if (target.assign) std::fill_n(target.data, rows() * input(i).shape.size(), T(0));
    return target.data;
}

template <class T>
T* BackwardRows<T>::acquire(std::size_t size) const {
    return tape().pool().acquire(size);
}

template <class T>
void BackwardRows<T>::release(T* memory, std::size_t size) const {
    tape().pool().release(memory, size);
}

template <class T>
void BackwardRows<T>::multiply(std::size_t rows, std::size_t k, std::size_t n, const T* x, Node<T>& w,
                               Transpose transposed, bool add, T* y) const {
    const T* const matrix = tape().contiguous(w);
    constexpr std::size_t most_rows = 256;  // beyond, BLAS's own blocks serve better
    if (w.parameter && rows > 1 && rows <= most_rows)
        return sweep_.laid_out(w, transposed, k, n).multiply(rows, x, k, add, y, n);
    gemm(Transpose::no, transposed, rows, n, k, T(1), x, k, matrix, transposed == Transpose::yes ? k : n,
         add ? T(1) : T(0), y, n);
}

template <class T>
void BackwardRows<T>::one_by_one() const {
    // Every node whose gradient a row of the operation reads or adds to, with the memory of all rows.
    struct Block {
        Node<T>* node;
        T* data;
        std::size_t size;
    };
    std::vector<NodeIndex> indices;
    for (std::uint32_t k = 0; k < node_.output_count; ++k) indices.push_back(index_ + k);
    for (std::size_t i = 0; i < node_.input_count; ++i) {
        if (!wants(i)) continue;
        target_zeroed(i);  // so that every row of it is one to add to
        indices.push_back(tape().input(node_, i));
    }
    std::sort(indices.begin(), indices.end());
    indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
    std::vector<Block> blocks;
    for (const NodeIndex index : indices) {
        Node<T>& node = tape().node(index);
        if (node.gradient) blocks.push_back({&node, node.gradient, node.shape.size()});
    }
    for (std::size_t row = 0; row < rows(); ++row) {
        for (const Block& block : blocks) block.node->gradient = block.data + row * block.size;
        Backward<T> pass(tape(), index_, node_, this);
        node_.operation->backward(pass);
    }
    for (const Block& block : blocks) block.node->gradient = block.data;
}

// ---- the sweep ----------------------------------------------------------------------------------------------------

template <class T>
std::vector<Array<T>> vjp_rows(const std::vector<Variable<T>>& ys, const std::vector<Array<T>>& seeds,
                               const std::vector<Variable<T>>& xs, const VjpRowsOptions& options) {
    if (ys.empty()) fail<ValueError>("vjp_rows: no roots: expected at least one");
    if (seeds.size() != ys.size())
        fail<ValueError>(
            fmt::format("vjp_rows: {} roots, {} arrays of seeds: expected as many", ys.size(), seeds.size()));
    Tape<T>& tape = ys[0].tape();
    const std::size_t rows = seeds[0].dimension() > 0 ? seeds[0].shape()[0] : 0;
    for (std::size_t r = 0; r < ys.size(); ++r) {
        tape.check("vjp_rows", ys[r]);
        tape.check_backward("vjp_rows", ys[r].index(), FreedNodes::allowed);
        const Shape given = Shape::of(seeds[r].shape());
        const Shape& shape = ys[r].shape();
        if (rows == 0 || given.rank() != shape.rank() + 1 || given[0] != rows || given.erased(0) != shape)
            fail<ShapeError>(
                fmt::format("vjp_rows: root {} is {}, its seeds are {}: expected [K, the shape of the "
                            "root] with one K >= 1 for all roots",
                            r, to_string(shape), to_string(given)));
    }
    for (std::size_t i = 0; i < xs.size(); ++i) {
        tape.check("vjp_rows", xs[i]);
        if (!xs[i].requires_grad())
            fail<TapeError>(
                fmt::format("vjp_rows: target {} (node {}) is a constant: nothing flows into it", i, xs[i].index()));
    }
    return RowSweep<T>(tape, rows).run(ys, seeds, xs, options.hold_targets);
}

template <class T>
Array<T> identity_rows(const Variable<T>& y) {
    const std::size_t n = y.size();
    std::vector<std::size_t> shape{n};
    shape.insert(shape.end(), y.shape().begin(), y.shape().end());
    Array<T> result = Array<T>::from_shape(shape);
    result.fill(T(0));
    for (std::size_t k = 0; k < n; ++k) result.data()[k * n + k] = T(1);
    return result;
}

template class BackwardRows<float>;
template class BackwardRows<double>;

#define EBB_INSTANTIATE(T)                                                                                 \
    template std::vector<Array<T>> vjp_rows(const std::vector<Variable<T>>&, const std::vector<Array<T>>&, \
                                            const std::vector<Variable<T>>&, const VjpRowsOptions&);       \
    template Array<T> identity_rows(const Variable<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
