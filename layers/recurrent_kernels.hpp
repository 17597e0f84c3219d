#pragma once
/// The loops of the fused recurrent steps, over a batch of B rows. Rows of gates have G H numbers: gate after gate.

#include <cstddef>

namespace ebb {

/// One step of a cell over raw memory. What a cell does not have, and going forward all that is for backward, is not
/// looked at, and need not be set: there is one for every step, and clearing it takes as long as filling it.
template <class T>
struct RecurrentBlock {
    std::size_t batch;     // B
    std::size_t hidden;    // H
    T* gates;              // [B, G H]; forward: pre-activations without `bias` in, activations out
    const T* bias;         // [G H]
    const T* products;     // [B, 3 H], GRU: W_hh h_{t-1}, without its bias
    const T* hidden_bias;  // [3 H], GRU: b_hh
    T* h_n;                // [B, H], GRU: W_hn h_{t-1} + b_hn
    const T* h_before;     // [B, H]
    const T* c_before;     // [B, H], LSTM
    T* h;                  // [B, H]
    T* c;                  // [B, H], LSTM

    // backward
    const T* dh;      // [B, H]
    T* dc;            // [B, H], LSTM: what reaches c_t other than through h_t in, the whole dL/dc_t out
    T* delta;         // [B, G H]: the gradient of the pre-activations
    T* hidden_delta;  // [B, 3 H], GRU: the gradient of the products
    T* d_before;      // [B, H]: LSTM dc_{t-1}, GRU the part of dh_{t-1} around the products
    bool assign;      // d_before = ..., else += ...

    // Many passes back over one step: their gradients lie one after another, so far apart.
    std::size_t passes = 1;
    std::size_t dh_stride = 0, dc_stride = 0, delta_stride = 0, before_stride = 0;
};

template <class T>
using RecurrentKernel = void (*)(const RecurrentBlock<T>&);

template <class T>
struct RecurrentKernels {
    RecurrentKernel<T> tanh_forward, tanh_backward;
    RecurrentKernel<T> relu_forward, relu_backward;
    RecurrentKernel<T> lstm_forward, lstm_backward;
    RecurrentKernel<T> gru_forward, gru_backward;
};

}  // namespace ebb
