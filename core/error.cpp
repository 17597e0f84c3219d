#include <ebb/core/error.hpp>

#include <fmt/format.h>

namespace ebb {

constinit thread_local const ErrorContext* detail::innermost_context = nullptr;

std::string with_error_context(std::string message) {
    for (const ErrorContext* context = detail::innermost_context; context; context = context->outer_) {
        message += context->name_.empty() ? fmt::format("\n  while running {}", context->type_)
                                          : fmt::format("\n  while running {} ({})", context->name_, context->type_);
        if (context->time_step_ >= 0) message += fmt::format(", time step {}", context->time_step_);
    }
    return message;
}

}  // namespace ebb
