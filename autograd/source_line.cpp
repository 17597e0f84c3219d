#include <ebb/autograd/source_line.hpp>

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace ebb {
namespace {

constinit thread_local SourceLine line_at_work = SourceLine::unknown();

/// Whether a file is one of Ebb's: below the folder that it was built from, as compilers and their caches write that,
/// or an installed header.
bool is_ours(std::string_view file) {
    static constexpr std::string_view here = __FILE__, root = EBB_SOURCE_DIR "/", installed = "/include/ebb/";
    static constexpr std::string_view relative_root = here.substr(0, here.rfind("autograd/"));
    static constexpr std::array<std::string_view, 5> modules{"core/", "autograd/", "layers/", "optim/", "inspect/"};
    const auto is_in_module = [&](std::size_t place) {
        const std::string_view path = file.substr(place);
        return std::any_of(modules.begin(), modules.end(),
                           [&](const auto& module) { return path.starts_with(module); });
    };
    if (file.starts_with(root)) return is_in_module(root.size());
    if (file.starts_with(relative_root) && is_in_module(relative_root.size())) return true;
    const std::size_t place = file.rfind(installed);
    return place != std::string_view::npos && is_in_module(place + installed.size());
}

}  // namespace

std::string SourceLine::text() const {
    return known() ? fmt::format("{}:{}", file_, line_) : "an unknown line";
}

SourceLine CalledFrom::now() noexcept {
    return line_at_work;
}

void CalledFrom::enter(SourceLine at) noexcept {
    if (!at.known() || is_ours(at.file())) return;
    before_ = std::exchange(line_at_work, at);
    entered_ = true;
}

void CalledFrom::leave() noexcept {
    line_at_work = before_;
}

}  // namespace ebb
