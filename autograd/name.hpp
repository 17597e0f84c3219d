#pragma once
/// Names of nodes, parameters and probes: made once, compared and copied as a pointer ever after.

#include <string>
#include <string_view>

namespace ebb {

/// An interned string: equal texts are the same pointer. A node of a tape carries one without allocating.
class Name {
  public:
    Name() = default;
    /// Looks `text` up in the process-wide table, or adds it there.
    explicit Name(std::string_view text);

    const std::string& text() const noexcept;
    bool empty() const noexcept { return text_ == nullptr; }
    bool operator==(const Name& other) const noexcept = default;

  private:
    const std::string* text_ = nullptr;
};

}  // namespace ebb
