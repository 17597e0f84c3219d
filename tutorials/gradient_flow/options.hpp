#pragma once
/// What can be chosen on the command line, and the rules for it.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace lab {

enum class Cell { tanh, lstm, gru };
enum class Precision { float32, float64 };

/// How the recurrent matrix starts: each [H, H] block of it, one a gate.
enum class Init {
    uniform,     ///< U(-1/sqrt(H), 1/sqrt(H)), as PyTorch does
    normal,      ///< N(0, 1/H): spectral radius near 1 for large H
    orthogonal,  ///< every singular value is 1
    identity,    ///< the unit matrix (Le, Jaitly, Hinton 2015)
};

struct Options {
    std::vector<Cell> cells{Cell::tanh, Cell::lstm, Cell::gru};
    std::size_t hidden = 64;     ///< H
    std::size_t embedding = 32;  ///< how many numbers stand for a character
    std::size_t length = 128;    ///< T, of the sequences that are trained on and measured
    std::size_t batch = 32;      ///< B
    std::size_t steps = 500;
    double learning_rate = 4e-3;
    double clip = 1;  ///< the largest norm of all gradients together; 0 for no clipping
    Init init = Init::uniform;
    std::optional<double> gain;             ///< the recurrent matrix times this
    std::optional<double> spectral_radius;  ///< the recurrent matrix scaled to this
    double input_scale = 1;                 ///< what enters the cell besides its state, W_ih x + b, times this
    std::optional<double> forget_bias;      ///< of the gate that keeps: LSTM's forget gate, GRU's update gate
    std::uint64_t seed = 1;
    Precision precision = Precision::float32;
    std::size_t threads = 0;  ///< 0: one for each core
    std::string text;         ///< a file; empty for the default
    std::string out = "out/gradient_flow";
};

/// "tanh", "LSTM", "GRU": for people; "tanh", "lstm", "gru": on the command line and in names of probes.
const char* title_of(Cell cell);
const char* name_of(Cell cell);
const char* name_of(Init init);
const char* name_of(Precision precision);

/// The options in `arguments` (without the program's name). Nothing where help was asked for, which is then on `help`.
/// Throws ebb::ValueError, in one line that names the option, for anything that `check` refuses or that is no option.
std::optional<Options> parse_options(const std::vector<std::string>& arguments, std::ostream& help);

/// Throws ebb::ValueError for a size of 0, a negative gain, and so on.
void check(const Options& options);

/// A command that repeats the run, in the folder of Ebb.
std::string command_line(const Options& options);

}  // namespace lab
