#include <ebb/core/error.hpp>

#include <fmt/format.h>

namespace ebb {
namespace {
thread_local const ErrorContext* innermost = nullptr;
}

ErrorContext::ErrorContext(const std::string& name, const char* type, std::int64_t time_step) noexcept
    : outer_(innermost), name_(name), type_(type), time_step_(time_step) {
    innermost = this;
}

ErrorContext::~ErrorContext() {
    innermost = outer_;
}

std::string with_error_context(std::string message) {
    for (const ErrorContext* context = innermost; context; context = context->outer_) {
        message += context->name_.empty() ? fmt::format("\n  while running {}", context->type_)
                                          : fmt::format("\n  while running {} ({})", context->name_, context->type_);
        if (context->time_step_ >= 0) message += fmt::format(", time step {}", context->time_step_);
    }
    return message;
}

}  // namespace ebb
