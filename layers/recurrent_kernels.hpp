#pragma once
/// The loops of the fused recurrent steps, over a batch of B rows. Rows of gates have G H numbers: gate after gate.

#include <cstddef>

namespace ebb {

/// One step of a cell over raw memory. What a cell does not have is not looked at.
template <class T>
struct RecurrentBlock {
    std::size_t batch = 0;           // B
    std::size_t hidden = 0;          // H
    T* gates = nullptr;              // [B, G H]; forward: pre-activations without `bias` in, activations out
    const T* bias = nullptr;         // [G H]
    const T* products = nullptr;     // [B, 3 H], GRU: W_hh h_{t-1}, without its bias
    const T* hidden_bias = nullptr;  // [3 H], GRU: b_hh
    T* h_n = nullptr;                // [B, H], GRU: W_hn h_{t-1} + b_hn
    const T* h_before = nullptr;     // [B, H]
    const T* c_before = nullptr;     // [B, H], LSTM
    T* h = nullptr;                  // [B, H]
    T* c = nullptr;                  // [B, H], LSTM

    // backward
    const T* dh = nullptr;      // [B, H]
    T* dc = nullptr;            // [B, H], LSTM: what reaches c_t other than through h_t in, the whole dL/dc_t out
    T* delta = nullptr;         // [B, G H]: the gradient of the pre-activations
    T* hidden_delta = nullptr;  // [B, 3 H], GRU: the gradient of the products
    T* d_before = nullptr;      // [B, H]: LSTM dc_{t-1}, GRU the part of dh_{t-1} around the products
    bool assign = false;        // d_before = ..., else += ...

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
