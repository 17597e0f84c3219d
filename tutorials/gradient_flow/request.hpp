#pragma once
/// The command line, understood: one of the program's four jobs, and what for.

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "gradient_flow/options.hpp"

namespace lab {

/// An option and the values that a sweep goes through.
struct Axis {
    std::string option;  ///< "gain"
    std::vector<std::string> values;
};

struct Request {
    enum class Job {
        demo,     ///< the cells side by side on a text: experiment.hpp
        sweep,    ///< runs of any task, over any options: sweep.hpp
        compare,  ///< a report over runs that are there: comparison.hpp
        report,   ///< one of them in full: run_report.hpp
    };
    Job job = Job::demo;
    Options options;         ///< of an axis its first value
    std::vector<Axis> axes;  ///< of a sweep: the cells always, then options with several values; seeds are last
    std::string resume;      ///< the folder of a sweep to go on with; nothing else is known of it here
    std::vector<std::string> compare;  ///< folders of runs and sweeps
    std::string report;                ///< the folder of a run
};

/// Without --task and with one value for each option it is the demo. Gives nothing where help was asked for, which is
/// then on `help`. Throws ebb::ValueError, in one line that names the option, for anything that `check` refuses or that
/// is no option.
std::optional<Request> parse_request(const std::vector<std::string>& arguments, std::ostream& help);

/// The arguments that repeat a sweep, without where its results go.
std::vector<std::string> arguments_of(const Options& options, const std::vector<Axis>& axes);

}  // namespace lab
