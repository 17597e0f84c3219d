#include <ebb/autograd/name.hpp>

#include <functional>
#include <mutex>
#include <unordered_set>

namespace ebb {
namespace {
struct HashOfText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
};
}  // namespace

Name::Name(std::string_view text) {
    if (text.empty()) return;
    // Never destroyed: a name may be read while other globals go away.
    static auto& table = *new std::unordered_set<std::string, HashOfText, std::equal_to<>>();
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    // Looked for as a view: a name that is there already, as in every step but the first, allocates nothing.
    const auto found = table.find(text);
    text_ = found != table.end() ? &*found : &*table.emplace(text).first;
}

const std::string& Name::text() const noexcept {
    static const std::string none;
    return text_ ? *text_ : none;
}

}  // namespace ebb
