#pragma once
/// What can be chosen on the command line.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace characters {

enum class Batching { streams, windows };

struct Options {
    std::size_t embedding = 32;
    std::size_t hidden = 128;
    std::size_t length = 64;  ///< T, of the pieces that are trained on
    std::size_t batch = 32;   ///< B
    std::size_t steps = 2000;
    double learning_rate = 3e-3;
    double clip = 1;  ///< the largest norm of all gradients together; 0 for no clipping
    Batching batching = Batching::windows;
    std::size_t orders = 5;  ///< of the n-gram models beside it: 1 to this
    std::uint64_t seed = 1;
    std::string start = "The ";  ///< what the sample continues
    std::size_t characters = 300;
    double temperature = 0.7;
    std::size_t top_k = 0;
    double top_p = 1;
    std::string text;  ///< a file; empty for the licences of Debian
    std::string save;  ///< a file for the model; empty for none
};

/// The options in `arguments` (without the program's name). Nothing where help was asked for, which is then on `help`.
/// Throws ebb::ValueError, in one line that names the option, for a wrong value and for what is no option.
std::optional<Options> parse_options(const std::vector<std::string>& arguments, std::ostream& help);

}  // namespace characters
