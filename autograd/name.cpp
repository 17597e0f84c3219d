#include <ebb/autograd/name.hpp>

#include <mutex>
#include <unordered_set>

namespace ebb {

Name::Name(std::string_view text) {
    if (text.empty()) return;
    // Never destroyed: a name may be read while other globals go away.
    static auto& table = *new std::unordered_set<std::string>();
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    text_ = &*table.emplace(text).first;
}

const std::string& Name::text() const noexcept {
    static const std::string none;
    return text_ ? *text_ : none;
}

}  // namespace ebb
