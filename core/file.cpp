#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ebb {

namespace {

// Some systems refuse to move more than 2 GiB at once.
constexpr std::size_t largest_transfer = std::size_t{1} << 30;

[[noreturn]] void fail(const char* call, const std::string& path, const std::string& what) {
    throw FileError(fmt::format("{}: \"{}\": {}", call, path, what));
}

/// With the system's own words for the last error.
[[noreturn]] void fail_by_system(const char* call, const std::string& path, const char* doing, int error) {
    fail(call, path, fmt::format("{}: {}", doing, std::generic_category().message(error)));
}

class Descriptor {
  public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    ~Descriptor() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return descriptor_; }
    bool is_open() const { return descriptor_ >= 0; }
    /// Whether closing reported no error: on network disks the writing itself may fail only here.
    bool close() {
        const int descriptor = descriptor_;
        descriptor_ = -1;
        return ::close(descriptor) == 0;
    }

  private:
    int descriptor_;
};

std::string read(const char* call, const std::string& path) {
    // Without blocking, since a pipe would wait for a writer here.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) fail_by_system(call, path, "cannot open", errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) fail_by_system(call, path, "cannot read", errno);
    if (S_ISDIR(status.st_mode)) fail(call, path, "is a folder, expected a file");
    if (!S_ISREG(status.st_mode)) fail(call, path, "is a device or a pipe, expected a file");

    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t length = 0;
    // Until the end, wherever that is: the size is 0 in /proc, and may change meanwhile.
    while (true) {
        if (length == bytes.size()) bytes.resize(length + std::max<std::size_t>(4096, length / 2));
        const ssize_t count =
            ::read(file.get(), bytes.data() + length, std::min(bytes.size() - length, largest_transfer));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_by_system(call, path, "cannot read", errno);
        if (count == 0) break;
        length += static_cast<std::size_t>(count);
    }
    bytes.resize(length);
    return bytes;
}

/// Where the first byte stands that is not part of a text; the size when all are.
std::size_t first_that_is_no_text(const std::string& bytes) {
    const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
    std::size_t i = 0;
    while (i < bytes.size()) {
        const unsigned lead = at(i);
        if (lead == 0) return i;
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t following = lead >= 0xC2 && lead <= 0xDF   ? 1
                                      : lead >= 0xE0 && lead <= 0xEF ? 2
                                      : lead >= 0xF0 && lead <= 0xF4 ? 3
                                                                     : 0;
        if (following == 0) return i;
        for (std::size_t k = 1; k <= following; ++k)
            if ((at(i + k) & 0xC0) != 0x80) return i;
        // Longer than needed, a half of a UTF-16 pair, or above the last code point.
        const unsigned second = at(i + 1);
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
            (lead == 0xF4 && second > 0x8F))
            return i;
        i += following + 1;
    }
    return i;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// The file behind a symbolic link, which would otherwise be replaced by the new file.
std::string behind_links(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return path;
    char* resolved = ::realpath(path.c_str(), nullptr);
    if (resolved == nullptr) return path;
    std::string target(resolved);
    std::free(resolved);
    return target;
}

/// A new file beside the target, which is removed unless it takes the target's place.
class TemporaryFile {
  public:
    TemporaryFile(const char* call, const std::string& path, const std::string& target)
        : call_(call), path_(path), target_(target), name_(unused_name(target)), file_(open()) {
        if (!file_.is_open())
            fail_by_system(call, path, fmt::format("cannot create a file in folder \"{}\"", folder_of(target)).c_str(),
                           errno);
        struct stat status {};
        // Without these permissions the file is still right, so an error here is none.
        if (::stat(target.c_str(), &status) == 0)
            static_cast<void>(::fchmod(file_.get(), status.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO)) == 0);
    }
    ~TemporaryFile() {
        if (!renamed_) ::unlink(name_.c_str());
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::write(file_.get(), bytes.data(), std::min(bytes.size(), largest_transfer));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) fail_by_system(call_, path_, "cannot write", errno);
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }

    void take_the_name() {
        // Before the name changes: after a crash the name must not belong to a file whose bytes never reached the disk.
        if (::fsync(file_.get()) != 0 || !file_.close()) fail_by_system(call_, path_, "cannot write", errno);
        if (::rename(name_.c_str(), target_.c_str()) != 0) fail_by_system(call_, path_, "cannot replace", errno);
        renamed_ = true;
        // Some file systems know no fsync of folders; the file is complete all the same.
        const Descriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (folder.is_open()) static_cast<void>(::fsync(folder.get()) == 0);
    }

  private:
    static std::string unused_name(const std::string& target) {
        static std::atomic<unsigned> counter = 0;
        const std::size_t slash = target.rfind('/');
        const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
        // Of a long name only a part, so that the new name is not too long for the file system.
        return fmt::format("{}.{}.{}.{}.tmp", target.substr(0, begin), target.substr(begin, 100), ::getpid(),
                           counter++);
    }
    int open() const { return ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }

    const char* call_;
    const std::string& path_;
    const std::string& target_;
    std::string name_;
    Descriptor file_;
    bool renamed_ = false;
};

}  // namespace

std::string read_file(const std::string& path) {
    return read("read_file", path);
}

std::string read_text_file(const std::string& path) {
    std::string text = read("read_text_file", path);
    if (text.empty()) fail("read_text_file", path, "is empty, expected a text");
    const std::size_t wrong = first_that_is_no_text(text);
    // A zero byte is UTF-8 as well, and yet no text has one.
    if (wrong < text.size())
        fail("read_text_file", path,
             text[wrong] == 0 ? fmt::format("byte {} is 0, as in binary files: expected a text in UTF-8", wrong)
                              : fmt::format("byte {} is 0x{:02x}: expected a text in UTF-8", wrong,
                                            static_cast<unsigned char>(text[wrong])));
    return text;
}

void write_file_atomically(const std::string& path, const std::string_view* parts, std::size_t count) {
    const char* call = "write_file_atomically";
    if (path.empty()) fail(call, path, "is no name of a file");
    const std::string target = behind_links(path);
    struct stat status {};
    if (::stat(target.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) fail(call, path, "is a folder, expected a file");
        if (!S_ISREG(status.st_mode)) fail(call, path, "is a device or a pipe, expected a file");
    }
    TemporaryFile file(call, path, target);
    for (std::size_t i = 0; i < count; ++i) file.write(parts[i]);
    file.take_the_name();
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
    write_file_atomically(path, &bytes, 1);
}

}  // namespace ebb
