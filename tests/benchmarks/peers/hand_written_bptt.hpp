#pragma once
/// Backpropagation through time written out by hand for one task: what the arithmetic itself costs. No graph, no names,
/// nothing that can be looked at afterwards, and memory taken once. A framework is measured by how close it comes.
///
/// The work: x [T, B, I] goes through one recurrent layer, the loss is mean((h - y)^2) over all T B H numbers, wanted
/// are the gradients of all weights and both biases. Weights lie as PyTorch's: [G H, I] and [G H, H], gate after gate
/// (i f g o, r z n).

#include <cstddef>
#include <vector>

namespace hand_written {

enum class Cell { rnn_tanh, lstm, gru };

struct Sizes {
    std::size_t T, B, I, H;
};

struct Weights {
    std::vector<float> w_ih, w_hh, b_ih, b_hh;
};

class Bptt {
  public:
    Bptt(Cell cell, Sizes sizes, std::vector<float> x, std::vector<float> y, Weights weights);

    /// All hidden states.
    void forward();
    /// Forward and backward; the loss.
    double step();

    const Weights& gradients() const { return gradients_; }
    std::size_t bytes() const;

  private:
    void transpose_w_hh();
    void forward_step(std::size_t t);
    double backward_step(std::size_t t);
    void weight_gradients();

    Cell cell_;
    Sizes n_;
    std::size_t gates_;  // G H, the numbers in a row of gates
    std::vector<float> x_, y_;
    Weights weights_, gradients_;
    std::vector<float> w_hh_transposed_;  // [H, G H]
    std::vector<float> zeros_;            // [B, H]: h and c before the first step
    std::vector<float> h_, c_, tanh_c_;   // [T, B, H]
    std::vector<float> a_;                // [T, B, G H]: pre-activations, then gates, then their gradients
    std::vector<float> u_;                // [T, B, G H], GRU: W_hh h_{t-1}, then its gradient
    std::vector<float> dh_, dc_;          // [B, H]
};

}  // namespace hand_written
