#pragma once
/// What can be chosen on the command line, and the rules for it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

enum class Cell { tanh, lstm, gru };
enum class Precision { float32, float64 };

/// What is learned: memory_tasks.hpp, text_task.hpp and series_task.hpp have their definitions.
enum class TaskName { text, adding, copying, order, echo, series };

/// How the recurrent matrix starts: each [H, H] block of it, one a gate.
enum class Init {
    uniform,     ///< U(-1/sqrt(H), 1/sqrt(H)), as PyTorch does
    normal,      ///< N(0, 1/H): spectral radius near 1 for large H
    orthogonal,  ///< every singular value is 1
    identity,    ///< the unit matrix (Le, Jaitly, Hinton 2015)
};

struct Options {
    TaskName task = TaskName::text;
    std::vector<Cell> cells{Cell::tanh, Cell::lstm, Cell::gru};
    std::size_t hidden = 64;     ///< H
    std::size_t embedding = 32;  ///< how many numbers stand for a character
    std::size_t length = 128;    ///< T, of the sequences that are trained on and measured
    std::size_t delay = 10;      ///< of the echo
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
    std::string csv;          ///< the file of the series
    std::string columns;      ///< of it, with commas between them; empty for all
    std::string out = "out/gradient_flow";
};

/// "tanh", "LSTM", "GRU": for people; "tanh", "lstm", "gru": on the command line and in names of probes.
const char* title_of(Cell cell);
const char* name_of(Cell cell);
const char* name_of(Init init);
const char* name_of(Precision precision);
const char* name_of(TaskName task);

/// One option of the command line, and the member that it stands for.
struct Field {
    enum class Kind {
        setting,  ///< one value, of which a sweep may go through several
        list,     ///< the cells: several values in one
        file,     ///< a file that is read, or what belongs to one
        place,    ///< where the results go
        threads,  ///< how fast it is done, and not what comes out
    };
    const char* name;  ///< "gain"
    const char* group;
    std::string type;  ///< "X", "uniform|normal|..."
    std::string help;
    Kind kind;
    /// Throws ebb::ValueError, naming the option, for what is no such value.
    std::function<void(Options&, const std::string&)> set;
    /// As `set` takes it; empty where it is not given.
    std::function<std::string(const Options&)> get;
};

/// All of them, in the order in which they are listed.
const std::vector<Field>& fields();
/// The one called `name`, without dashes. Throws std::out_of_range for any other.
const Field& field(std::string_view name);

/// Throws ebb::ValueError for a size of 0, a negative gain, and so on.
void check(const Options& options);

/// The option's value as text where it has a say: a delay has none in a task without one, and is empty there.
std::string said(const Field& field, const Options& options);

/// All that decides what comes out, as arguments; where it goes and the threads are left out.
std::vector<std::string> arguments_of(const Options& options);

/// A command that repeats the run, in the folder of Ebb.
std::string command_line(const Options& options);

/// "./run demo" and the arguments, quoted as a shell reads them back.
std::string command_line(const std::vector<std::string>& arguments);

}  // namespace lab
