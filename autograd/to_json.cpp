#include <ebb/autograd/node_summary.hpp>
#include <ebb/autograd/to_json.hpp>

#include <ostream>
#include <sstream>

#include <nlohmann/json.hpp>

namespace ebb {
namespace {

using json = nlohmann::ordered_json;

const char* kind_text(NodeKind kind) {
    switch (kind) {
        case NodeKind::parameter:
            return "parameter";
        case NodeKind::variable:
            return "variable";
        case NodeKind::constant:
            return "constant";
        default:
            return "operation";
    }
}

}  // namespace

template <class T>
void to_json(const Tape<T>& tape, std::ostream& stream, const JsonOptions& options) {
    // Node by node: a tape of a million nodes is written without being held as JSON in between.
    stream << R"({"scalar": ")" << (sizeof(T) == 4 ? "float" : "double") << R"(", "nodes": [)";
    for (NodeIndex index = 0; index < tape.size(); ++index) {
        const NodeSummary s = summary(tape, index);
        const Node<T>& node = tape.node(index);
        json object = {{"index", s.index},
                       {"kind", kind_text(s.kind)},
                       {"operation", s.operation},
                       {"inputs", s.inputs},
                       {"shape", std::vector<std::size_t>(s.shape.begin(), s.shape.end())}};
        if (!s.name.empty()) object["name"] = s.name;
        if (s.time_step >= 0) object["time_step"] = s.time_step;
        if (node.probe) object["probe"] = true;
        object["value"] = s.value;
        if (s.gradient) object["gradient"] = *s.gradient;
        if (options.arrays) {
            const std::size_t size = s.shape.size();
            // A transposed array has no elements in this order until something needs them.
            if (node.value) object["value_array"] = std::vector<T>(node.value, node.value + size);
            if (const T* const gradient = tape.kept_gradient(node))
                object["gradient_array"] = std::vector<T>(gradient, gradient + size);
        }
        stream << (index == 0 ? "\n" : ",\n") << object.dump(-1, ' ', false, json::error_handler_t::replace);
    }
    stream << "\n]}\n";
}

template <class T>
std::string to_json(const Tape<T>& tape, const JsonOptions& options) {
    std::ostringstream stream;
    to_json(tape, stream, options);
    return stream.str();
}

#define EBB_INSTANTIATE(T)                                                    \
    template void to_json(const Tape<T>&, std::ostream&, const JsonOptions&); \
    template std::string to_json(const Tape<T>&, const JsonOptions&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
