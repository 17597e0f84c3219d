#include "gradient_flow/options_json.hpp"

#include <algorithm>
#include <string>

#include "gradient_flow/values.hpp"
#include <fmt/format.h>

namespace lab {

using json = nlohmann::ordered_json;

json as_json(const Options& options) {
    json result = json::object();
    for (const Field& field : fields()) {
        if (field.kind == Field::Kind::place || field.kind == Field::Kind::threads) continue;
        std::string key = field.name;
        std::replace(key.begin(), key.end(), '-', '_');
        const std::string value = field.get(options);
        json& entry = result[key];
        if (value.empty()) continue;  // null
        if (field.kind == Field::Kind::list) {
            entry = split_at_commas(value);
        } else if (field.kind == Field::Kind::file) {
            entry = value;
        } else {
            const json number = json::parse(value, nullptr, false);
            entry = number.is_number() ? number : json(value);
        }
    }
    return result;
}

json as_json(const tutorial::Corpus& corpus) {
    return {{"name", corpus.name},
            {"characters", corpus.text.size()},
            {"alphabet", corpus.alphabet.size()},
            {"training_characters", corpus.training_size},
            {"fnv1a_64", fmt::format("{:016x}", corpus.hash)}};
}

json as_json(const SeriesFile& series) {
    return {{"name", series.path},
            {"rows", series.rows()},
            {"columns", series.names},
            {"fnv1a_64", fmt::format("{:016x}", series.hash)}};
}

}  // namespace lab
