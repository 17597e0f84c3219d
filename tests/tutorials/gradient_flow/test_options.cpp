#include <ebb/core/error.hpp>

#include <sstream>
#include <string>
#include <vector>

#include "gradient_flow/request.hpp"
#include <doctest/doctest.h>

using namespace lab;

namespace {

Options parse(const std::vector<std::string>& arguments) {
    std::ostringstream help;
    return parse_request(arguments, help).value().options;
}

std::string refusal(const std::vector<std::string>& arguments) {
    try {
        parse(arguments);
    } catch (const ebb::ValueError& error) {
        return error.what();
    }
    return "accepted";
}

/// Words of a command line without quotes around words that hold spaces.
std::vector<std::string> words(const std::string& line) {
    std::vector<std::string> result;
    std::istringstream stream(line);
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
}

}  // namespace

TEST_CASE("each bad value is refused, and the message says what was expected") {
    using Case = std::pair<std::vector<std::string>, std::string>;
    for (const auto& [arguments, message] : std::vector<Case>{
             {{"--hidden", "0"}, "--hidden is 0: expected a whole number from 1 to 4096"},
             {{"--hidden", "4097"}, "--hidden is 4097: expected a whole number from 1 to 4096"},
             {{"--hidden", "-3"}, "--hidden is '-3': expected a whole number from 1 to 4096"},
             {{"--hidden", "8.5"}, "--hidden is '8.5': expected a whole number from 1 to 4096"},
             {{"--hidden", "99999999999999999999"},
              "--hidden is '99999999999999999999': expected a whole number from 1 to 4096"},
             {{"--embedding", "0"}, "--embedding is 0: expected a whole number from 1 to 4096"},
             {{"--length", "0"}, "--length is 0: expected a whole number from 2 to 100000"},
             {{"--length", "1"}, "--length is 1: expected a whole number from 2 to 100000"},
             {{"--batch", "0"}, "--batch is 0: expected a whole number from 1 to 4096"},
             {{"--steps", "many"}, "--steps is 'many': expected a whole number from 0 to 100000000"},
             {{"--steps", "100000001"}, "--steps is 100000001: expected a whole number from 0 to 100000000"},
             {{"--steps", "-5"}, "--steps is '-5': expected a whole number from 0 to 100000000"},
             {{"--length", "-1"}, "--length is '-1': expected a whole number from 2 to 100000"},
             {{"--threads", "-1"}, "--threads is '-1': expected a whole number from 0 to 1024"},
             {{"--threads", "1025"}, "--threads is 1025: expected a whole number from 0 to 1024"},
             {{"--learning-rate", "-1"}, "--learning-rate is -1: expected a number, at least 0"},
             {{"--learning-rate", "nan"}, "--learning-rate is nan: expected a number, at least 0"},
             {{"--learning-rate", "1e-3x"}, "--learning-rate is '1e-3x': expected a number, at least 0"},
             {{"--clip", "-0.5"}, "--clip is -0.5: expected a number, at least 0"},
             {{"--gain", "-1"}, "--gain is -1: expected a number from 0 to 1000000"},
             {{"--gain", "inf"}, "--gain is inf: expected a number from 0 to 1000000"},
             {{"--gain", "1e300"}, "--gain is 1e+300: expected a number from 0 to 1000000"},
             {{"--gain", "1e999"}, "--gain is '1e999': expected a number from 0 to 1000000"},
             {{"--input-scale", "-1"}, "--input-scale is -1: expected a number from 0 to 1000000"},
             {{"--input-scale", "1e300"}, "--input-scale is 1e+300: expected a number from 0 to 1000000"},
             {{"--spectral-radius", "1e7"}, "--spectral-radius is 10000000: expected a number above 0, up to 1000000"},
             {{"--forget-bias", "-1e300"}, "--forget-bias is -1e+300: expected a number from -1000000 to 1000000"},
             {{"--spectral-radius", "0"}, "--spectral-radius is 0: expected a number above 0, up to 1000000"},
             {{"--spectral-radius", "inf"}, "--spectral-radius is inf: expected a number above 0, up to 1000000"},
             {{"--gain", "2", "--spectral-radius", "0.5"},
              "--gain is 2, --spectral-radius is 0.5: expected one of the two: both scale the recurrent matrix"},
             {{"--forget-bias", "nan"}, "--forget-bias is nan: expected a number from -1000000 to 1000000"},
             {{"--cells", "tanh,elman"}, "--cells is 'elman': expected one of tanh, lstm, gru"},
             {{"--cells", ""}, "--cells is '': expected one of tanh, lstm, gru"},
             {{"--cells", "gru,"}, "--cells is '': expected one of tanh, lstm, gru"},
             {{"--cells", "gru,gru"}, "--cells is gru,gru: expected each cell once"},
             {{"--init", "zeros"}, "--init is 'zeros': expected one of uniform, normal, orthogonal, identity"},
             {{"--precision", "half"}, "--precision is 'half': expected one of float, double"},
             {{"--out", ""}, "--out is empty: expected a folder"},
             {{"--seed", "-1"}, "--seed is '-1': expected a whole number from 0 to 18446744073709551615"},
             {{"--text", ""}, "--text is empty: expected the name of a file"},
             {{"--csv", ""}, "--csv is empty: expected the name of a file"},
             {{"--resume", ""}, "--resume is empty: expected a folder"},
             {{"--colour"}, "there is no option --colour: --help lists all"},
             {{"--lenght", "5"}, "there is no option --lenght: did you mean --length? --help lists all"},
             {{"--hidden-size", "0"}, "there is no option --hidden-size: did you mean --hidden? --help lists all"},
             {{"--hidden-size=0"}, "there is no option --hidden-size: did you mean --hidden? --help lists all"},
             {{"--spectral", "1"}, "there is no option --spectral: did you mean --spectral-radius? --help lists all"},
             {{"--seed", "1", "--seed", "2"}, "--seed is there 2 times: expected once"},
             {{"--hidden", "--out", "X"}, "--hidden has no value: expected --hidden N, and --out comes next"},
             {{"--hidden"}, "--hidden has no value: expected one after it: --help lists all options"},
             {{"extra"}, "'extra' belongs to no option: expected --OPTION VALUE: --help lists all"},
         })
        CHECK(refusal(arguments) == "gradient_flow: " + message);
}

TEST_CASE("options that are not given have their defaults, and help lists them all") {
    const Options options = parse({});
    CHECK(options.cells == std::vector{Cell::tanh, Cell::lstm, Cell::gru});
    CHECK(options.hidden == 64);
    CHECK(options.length == 128);
    CHECK(!options.gain);
    CHECK(!options.forget_bias);

    std::ostringstream help;
    CHECK(!parse_request({"--help"}, help));
    for (const char* option : {"--text", "--out", "--cells", "--hidden", "--embedding", "--length", "--batch",
                               "--steps", "--learning-rate", "--clip", "--init", "--gain", "--spectral-radius",
                               "--input-scale", "--forget-bias", "--seed", "--precision", "--threads",
                               // the ranges, too, and what replaces the text where it is missing
                               "Hidden units of each cell: a whole number from 1 to 4096", "own pages"})
        CHECK_MESSAGE(help.str().find(option) != std::string::npos, option);
}

TEST_CASE("the command line of a run repeats it") {
    const std::vector<std::vector<std::string>> lines{{},
                                                      {"--cells",         "gru,tanh",
                                                       "--hidden",        "9",
                                                       "--embedding",     "7",
                                                       "--length",        "33",
                                                       "--batch",         "3",
                                                       "--steps",         "5",
                                                       "--learning-rate", "0.0123",
                                                       "--clip",          "0",
                                                       "--init",          "identity",
                                                       "--gain",          "0.1",
                                                       "--input-scale",   "0.3",
                                                       "--forget-bias",   "-2.5",
                                                       "--seed",          "18446744073709551615",
                                                       "--precision",     "double",
                                                       "--out",           "x",
                                                       "--text",          "y"},
                                                      {"--init", "orthogonal", "--spectral-radius", "1.25"}};
    for (const auto& line : lines) {
        const std::string once = command_line(parse(line));
        // The shell's quotes are not needed here: no word holds a space.
        std::string unquoted;
        for (const char c : once)
            if (c != '\'') unquoted += c;
        std::vector<std::string> arguments = words(unquoted);
        REQUIRE(arguments[0] == "./run");
        REQUIRE(arguments[1] == "demo");
        arguments.erase(arguments.begin(), arguments.begin() + 2);
        CHECK(command_line(parse(arguments)) == once);
        for (std::size_t k = 0; k + 1 < line.size(); k += 2) {
            CAPTURE(line[k]);
            CHECK(unquoted.find(line[k] + " " + line[k + 1]) != std::string::npos);
        }
    }
    Options options;
    options.out = "it's here";
    CHECK(command_line(options).find("--out 'it'\\''s here'") != std::string::npos);
}
