#include <ebb/autograd/source_line.hpp>

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace ebb {
namespace {

constinit thread_local SourceLine line_at_work = SourceLine::unknown();

/// Whether a file is one of Ebb's: of the tree that this file lies in, or an installed header.
bool is_ours(std::string_view file) {
    static constexpr std::array<std::string_view, 5> modules{"core/", "autograd/", "layers/", "optim/", "inspect/"};
    static constexpr std::string_view here = __FILE__;
    constexpr std::string_view root = here.substr(0, here.rfind("autograd/"));
    const auto begins_with_module = [&](std::size_t place) {
        for (const std::string_view module : modules)
            if (file.substr(place).starts_with(module)) return true;
        return false;
    };
    if (file.starts_with(root) && begins_with_module(root.size())) return true;
    constexpr std::string_view installed = "/include/ebb/";
    const std::size_t place = file.rfind(installed);
    return place != std::string_view::npos && begins_with_module(place + installed.size());
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
