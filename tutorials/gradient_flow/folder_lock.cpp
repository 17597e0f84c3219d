#include "gradient_flow/folder_lock.hpp"

#include <ebb/core/error.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace lab {

FolderLock::FolderLock(const std::string& folder)
    : file_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {  // NOLINT(*-vararg)
    if (file_ < 0 || ::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    const bool is_taken = errno == EWOULDBLOCK;
    ::close(std::exchange(file_, -1));
    if (is_taken)
        ebb::fail<ebb::FileError>(fmt::format(
            "gradient_flow: --out {} is where another process runs a sweep: expected a folder of its own, or "
            "to begin when that one has ended",
            folder));
}

FolderLock::~FolderLock() {
    if (file_ >= 0) ::close(file_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

}  // namespace lab
