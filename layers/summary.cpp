#include <ebb/layers/summary.hpp>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace ebb {
namespace {

struct Line {
    std::string name;
    std::string kind;  // a module's type or a parameter's shape
    std::string count;
};

/// 1234567 as "1,234,567", whatever the locale.
std::string grouped(std::size_t number) {
    std::string text = std::to_string(number);
    for (std::size_t place = text.size(); place > 3;) text.insert(place -= 3, ",");
    return text;
}

std::string last_of(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    return dot == std::string::npos ? path : path.substr(dot + 1);
}

}  // namespace

template <class T>
std::string summary(const Module<T>& model) {
    std::vector<Line> lines{{"module", "type, shape", "parameters"}};
    std::vector<Parameter<T>> seen;
    std::size_t trainable = 0, frozen = 0;
    for (const ModulePart<T>& part : model.modules()) {
        const auto depth =
            static_cast<std::size_t>(part.path.empty() ? 0 : 1 + std::count(part.path.begin(), part.path.end(), '.'));
        const std::string indent(2 * depth, ' ');
        lines.push_back({indent + (depth == 0 ? model.display_name() : last_of(part.path)), part.type, ""});
        for (const auto& [name, parameter] : part.parameters) {
            const auto same = [&p = parameter](const Parameter<T>& other) { return other.shares_with(p); };
            const bool again = std::any_of(seen.begin(), seen.end(), same);
            Line line{indent + "  " + name, to_string(parameter.shape()), grouped(parameter.size())};
            if (again) line.count = "(shared)";
            if (!parameter.requires_grad()) line.kind += " frozen";
            lines.push_back(line);
            if (again) continue;
            seen.push_back(parameter);
            (parameter.requires_grad() ? trainable : frozen) += parameter.size();
        }
    }
    const std::size_t body = lines.size();
    lines.push_back({"trainable", "", grouped(trainable)});
    if (frozen != 0) lines.push_back({"frozen", "", grouped(frozen)});

    std::size_t name_width = 0, kind_width = 0, count_width = 0;
    for (const Line& line : lines) {
        name_width = std::max(name_width, line.name.size());
        kind_width = std::max(kind_width, line.kind.size());
        count_width = std::max(count_width, line.count.size());
    }
    const std::string rule = std::string(name_width + kind_width + count_width + 4, '-') + "\n";
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i == 1 || i == body) text += rule;
        std::string line = fmt::format("{:<{}}  {:<{}}  {:>{}}", lines[i].name, name_width, lines[i].kind, kind_width,
                                       lines[i].count, count_width);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

template std::string summary(const Module<float>&);
template std::string summary(const Module<double>&);

}  // namespace ebb
