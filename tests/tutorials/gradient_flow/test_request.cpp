#include <ebb/core/error.hpp>

#include <sstream>
#include <string>
#include <vector>

#include "gradient_flow/request.hpp"
#include "gradient_flow/values.hpp"
#include <doctest/doctest.h>

using namespace lab;

namespace {

using Words = std::vector<std::string>;

Request parse(const Words& arguments) {
    std::ostringstream help;
    return parse_request(arguments, help).value();
}

std::string refusal(const Words& arguments) {
    try {
        parse(arguments);
    } catch (const ebb::ValueError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("lists and ranges") {
    CHECK(expand_values("--gain", "0.5:1.5:0.1") ==
          Words{"0.5", "0.6", "0.7", "0.8", "0.9", "1", "1.1", "1.2", "1.3", "1.4", "1.5"});
    CHECK(expand_values("--gain", "0:1:0.3") == Words{"0", "0.3", "0.6", "0.9"});
    CHECK(expand_values("--seed", "1:4") == Words{"1", "2", "3", "4"});
    CHECK(expand_values("--forget-bias", "0.3:-0.3:-0.1") == Words{"0.3", "0.2", "0.1", "0", "-0.1", "-0.2", "-0.3"});
    CHECK(expand_values("--hidden", "8,16:32:8,orthogonal,") == Words{"8", "16", "24", "32", "orthogonal", ""});
}

TEST_CASE("without a task and with one value each it is the demo, else a sweep over all combinations") {
    CHECK(parse({}).job == Request::Job::demo);
    CHECK(parse({"--cells", "gru,tanh", "--gain", "2"}).job == Request::Job::demo);
    const Request sweep = parse({"--seeds", "2", "--gain", "0.5,1", "--cells", "gru,tanh", "--hidden", "7:9"});
    CHECK(sweep.job == Request::Job::sweep);
    CHECK(sweep.options.out == "out/lab");
    REQUIRE(sweep.axes.size() == 4);
    CHECK(sweep.axes[0].option == "cells");
    CHECK(sweep.axes[0].values == Words{"gru", "tanh"});
    CHECK(sweep.axes[1].option == "hidden");
    CHECK(sweep.axes[2].values == Words{"0.5", "1"});
    CHECK(sweep.axes[3].option == "seed");  // fastest
    CHECK(sweep.axes[3].values == Words{"1", "2"});
    CHECK(*sweep.options.gain == 0.5);
    CHECK(parse({"--task", "text"}).job == Request::Job::sweep);
    CHECK(parse({"--seeds", "1"}).job == Request::Job::sweep);
    CHECK(parse({"--seed", "7", "--seeds", "2"}).axes.back().values == Words{"7", "8"});
    CHECK(parse({"--compare", "a", "b", "--out", "c"}).compare == Words{"a", "b"});
    CHECK(parse({"--resume", "a", "--threads", "3"}).resume == "a");
    CHECK(parse({"--report", "a/runs/b"}).job == Request::Job::report);
    CHECK(parse({"--report", "a/runs/b"}).options.out == "a/runs/b");
    CHECK(parse({"--report", "a/runs/b", "--out", "c"}).options.out == "c");

    // What repeats it is read back as the same.
    const Request again = parse(arguments_of(sweep.options, sweep.axes));
    CHECK(arguments_of(again.options, again.axes) == arguments_of(sweep.options, sweep.axes));
    REQUIRE(again.axes.size() == 4);
    for (std::size_t k = 0; k < 4; ++k) CHECK(again.axes[k].values == sweep.axes[k].values);
}

TEST_CASE("what does not go together is refused") {
    using Case = std::pair<Words, std::string>;
    for (const auto& [arguments, message] : std::vector<Case>{
             {{"--task", "parity"}, "--task is 'parity': expected one of text, adding, copying, order, echo, series"},
             {{"--task", "series"}, "--csv is not given: expected the file of the series, for --task series"},
             {{"--gain", "0.5:x"}, "--gain is '0.5:x': expected a range FIRST:LAST or FIRST:LAST:STEP of numbers"},
             {{"--gain", "1:2:3:4"}, "--gain is '1:2:3:4': expected a range FIRST:LAST or FIRST:LAST:STEP"},
             {{"--gain", "1:2:0"}, "--gain is '1:2:0': expected a step that leads from the first value to the last"},
             {{"--gain", "2:1"}, "--gain is '2:1': expected a step that leads from the first value to the last"},
             {{"--gain", "0:1:1e-5"}, "--gain is '0:1:1e-5': expected at most 10000 values"},
             {{"--gain", "1,2,1.0"}, "--gain is '1,2,1.0': expected each value once: 1 is there twice"},
             {{"--hidden", "8,x"}, "--hidden is 'x': expected a whole number from 1 to 4096"},
             {{"--hidden", "8:10:0.5"}, "--hidden is '8.5': expected a whole number from 1 to 4096"},
             {{"--seeds", "0"}, "--seeds is '0': expected a whole number from 1 to 10000"},
             {{"--seeds", "1.5"}, "--seeds is '1.5': expected a whole number from 1 to 10000"},
             {{"--seeds", "3", "--seed", "1,2"},
              "--seeds is given with several values for --seed: expected one of the two"},
             {{"--resume", "x", "--gain", "1"},
              "--gain is given with --resume: expected only --out and --threads beside it"},
             {{"--compare", "x", "--seeds", "2"},
              "--seeds is given with --compare: expected only --out and --threads beside it"},
             {{"--compare", "x", "--resume", "y"}, "--resume is given with --compare: expected one of the two"},
             {{"--report", "x", "--compare", "y"}, "--compare is given with --report: expected one of the two"},
             {{"--report", "x", "--steps", "3"},
              "--steps is given with --report: expected only --out and --threads beside it"},
         })
        CHECK(refusal(arguments) == "gradient_flow: " + message);
}
