#pragma once
/// Options as JSON, for the files that say how to repeat a run.

#include "gradient_flow/options.hpp"
#include "gradient_flow/series_file.hpp"
#include "support/corpus.hpp"
#include <nlohmann/json.hpp>

namespace lab {

/// {"cells": ["lstm"], "hidden": 64, "gain": null, ...}: all that decides what comes out.
nlohmann::ordered_json as_json(const Options& options);

/// What was read from files, by which it is known again: name, size and hash.
nlohmann::ordered_json as_json(const tutorial::Corpus& corpus);
nlohmann::ordered_json as_json(const SeriesFile& series);

}  // namespace lab
