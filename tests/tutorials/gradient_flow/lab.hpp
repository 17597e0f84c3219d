#pragma once
/// What the tests of the demo share.

#include <string>

#include "gradient_flow/options.hpp"
#include "support/corpus.hpp"

/// Words of a small language, drawn by a generator of their own: the same text everywhere.
inline std::string invented_text(std::size_t size) {
    const std::string_view words[] = {"a ", "tape ", "runs ", "back ", "in ", "time, ", "and ", "ebbs.\n"};
    std::string text;
    for (unsigned state = 12345; text.size() < size;) {
        state = state * 1664525u + 1013904223u;
        text += words[state >> 29];
    }
    return text;
}

inline tutorial::Corpus invented_corpus() {
    return tutorial::make_corpus("invented", invented_text(4000));
}

/// A run of a second.
inline lab::Options small_options() {
    lab::Options options;
    options.hidden = 8;
    options.embedding = 5;
    options.length = 12;
    options.batch = 4;
    options.steps = 25;
    return options;
}
