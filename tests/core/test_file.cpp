#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <support/temporary_folder.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ebb;
namespace fs = std::filesystem;

namespace {

std::string by_stream(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
}

void to_stream(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

std::size_t entries_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// While in scope, file permissions count: root could read everything.
class NotRoot {
  public:
    NotRoot() : was_root_(::geteuid() == 0) {
        if (was_root_) REQUIRE(::seteuid(65534) == 0);
    }
    ~NotRoot() {
        if (was_root_) static_cast<void>(::seteuid(0) == 0);
    }

  private:
    bool was_root_;
};

}  // namespace

TEST_CASE("what is written is what is read, and what others read") {
    const TemporaryFolder folder;
    std::string bytes;
    for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7 % 256);
    write_file_atomically(folder / "data", bytes);
    CHECK(by_stream(folder / "data") == bytes);
    CHECK(read_file(folder / "data") == bytes);
    write_file_atomically(folder / "data", "short");
    CHECK(by_stream(folder / "data") == "short");
    write_file_atomically(folder / "data", "");
    CHECK(read_file(folder / "data").empty());
    const std::string_view parts[] = {"one", "", "two"};
    write_file_atomically(folder / "data", parts, 3);
    CHECK(read_file(folder / "data") == "onetwo");
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("a file whose size the system does not tell is read to its end") {
    CHECK(read_file("/proc/self/status").find("VmRSS") != std::string::npos);
}

TEST_CASE("files that cannot be read are named, with the reason") {
    const TemporaryFolder folder;
    const std::string missing = folder / "missing";
    CHECK_THROWS_WITH_AS(read_file(missing),
                         ("read_file: \"" + missing + "\": cannot open: No such file or directory").c_str(), FileError);
    CHECK_THROWS_WITH_AS(read_file(folder / ""),
                         ("read_file: \"" + (folder / "") + "\": is a folder, expected a file").c_str(), FileError);
    CHECK_THROWS_WITH_AS(read_file("/dev/zero"), "read_file: \"/dev/zero\": is a device or a pipe, expected a file",
                         FileError);
    const std::string pipe = folder / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0666) == 0);
    CHECK_THROWS_WITH_AS(read_file(pipe),
                         ("read_file: \"" + pipe + "\": is a device or a pipe, expected a file").c_str(), FileError);
    CHECK_THROWS_WITH_AS(read_file(""), "read_file: \"\": cannot open: No such file or directory", FileError);

    const std::string secret = folder / "secret";
    to_stream(secret, "x");
    fs::permissions(secret, fs::perms::none);
    fs::permissions(folder.path(), fs::perms::all);
    const NotRoot not_root;
    CHECK_THROWS_WITH_AS(read_file(secret), ("read_file: \"" + secret + "\": cannot open: Permission denied").c_str(),
                         FileError);
}

TEST_CASE("a text is neither empty nor binary") {
    const TemporaryFolder folder;
    const std::string path = folder / "text";
    const std::string prefix = "read_text_file: \"" + path + "\": ";
    for (const std::string text : {"plain\n\ttext", "z\xC3\xBCrich \xE2\x82\xAC \xF0\x9F\x8C\x8A", "\x7F"}) {
        to_stream(path, text);
        CHECK(read_text_file(path) == text);
    }
    to_stream(path, "");
    CHECK_THROWS_WITH_AS(read_text_file(path), (prefix + "is empty, expected a text").c_str(), FileError);
    to_stream(path, std::string("ab\0c", 4));
    CHECK_THROWS_WITH_AS(read_text_file(path),
                         (prefix + "byte 2 is 0, as in binary files: expected a text in UTF-8").c_str(), FileError);
    // A lone continuation, Latin-1, cut short, overlong, half of a UTF-16 pair, above U+10FFFF.
    for (const std::string wrong : {"\x80", "z\xFCrich", "\xE2\x82", "\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF",
                                    "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
        to_stream(path, "a" + wrong);
        CHECK_THROWS_AS(read_text_file(path), FileError);
    }
    CHECK_THROWS_WITH_AS(
        read_text_file(folder / "missing"),
        ("read_text_file: \"" + (folder / "missing") + "\": cannot open: No such file or directory").c_str(),
        FileError);
}

TEST_CASE("a file that cannot be written is named, with the reason, and nothing is left behind") {
    const TemporaryFolder folder;
    const std::string prefix = "write_file_atomically: ";
    const std::string lost = folder / "no_folder/file";
    CHECK_THROWS_WITH_AS(write_file_atomically(lost, "x"),
                         (prefix + "\"" + lost + "\": cannot create a file in folder \"" + (folder / "no_folder") +
                          "\": No such file or directory")
                             .c_str(),
                         FileError);
    fs::create_directory(folder / "folder");
    CHECK_THROWS_WITH_AS(write_file_atomically(folder / "folder", "x"),
                         (prefix + "\"" + (folder / "folder") + "\": is a folder, expected a file").c_str(), FileError);
    CHECK_THROWS_WITH_AS(write_file_atomically("/dev/null", "x"),
                         (prefix + "\"/dev/null\": is a device or a pipe, expected a file").c_str(), FileError);
    CHECK_THROWS_WITH_AS(write_file_atomically("", "x"), (prefix + "\"\": is no name of a file").c_str(), FileError);
    CHECK(entries_in(folder.path()) == 1);

    fs::create_directory(folder / "locked");
    fs::permissions(folder / "locked", fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_exec);
    fs::permissions(folder.path(), fs::perms::all);
    const NotRoot not_root;
    CHECK_THROWS_WITH_AS(write_file_atomically(folder / "locked/file", "x"),
                         (prefix + "\"" + (folder / "locked/file") + "\": cannot create a file in folder \"" +
                          (folder / "locked") + "\": Permission denied")
                             .c_str(),
                         FileError);
}

TEST_CASE("when the disk is full the old file stays as it was") {
    const TemporaryFolder folder;
    const std::string path = folder / "data";
    write_file_atomically(path, "the old content");
    // A limit on the size of files stands in for the full disk.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit limit = before;
    limit.rlim_cur = 100'000;
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    std::string message;
    try {
        write_file_atomically(path, std::string(200'000, 'x'));
    } catch (const FileError& error) {
        message = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(message == "write_file_atomically: \"" + path + "\": cannot write: File too large");
    CHECK(by_stream(path) == "the old content");
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("permissions and symbolic links survive") {
    const TemporaryFolder folder;
    const std::string path = folder / "data";
    to_stream(path, "old");
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
    fs::create_symlink("data", folder / "link");
    write_file_atomically(folder / "link", "new");
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(by_stream(path) == "new");
    CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read));

    const mode_t mask = ::umask(027);
    write_file_atomically(folder / "fresh", "x");
    ::umask(mask);
    CHECK((fs::status(folder / "fresh").permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read));
}

TEST_CASE("names as long as the file system has them, and names without a folder") {
    const TemporaryFolder folder;
    const std::string name(255, 'n');
    write_file_atomically(folder / name, "x");
    CHECK(by_stream(folder / name) == "x");
    const fs::path before = fs::current_path();
    fs::current_path(folder.path());
    write_file_atomically("plain", "y");
    fs::current_path(before);
    CHECK(by_stream(folder / "plain") == "y");
}

TEST_CASE("who reads while others write sees one whole file") {
    const TemporaryFolder folder;
    const std::string path = folder / "data";
    write_file_atomically(path, std::string(50'000, 'a'));
    std::vector<std::thread> writers;
    for (const char letter : {'b', 'c'})
        writers.emplace_back([&path, letter] {
            for (int i = 0; i < 50; ++i) write_file_atomically(path, std::string(50'000, letter));
        });
    int torn = 0;
    for (int i = 0; i < 200; ++i) {
        const std::string bytes = read_file(path);
        torn += bytes != std::string(50'000, bytes.empty() ? '?' : bytes[0]);
    }
    for (std::thread& writer : writers) writer.join();
    CHECK(torn == 0);
    CHECK(entries_in(folder.path()) == 1);
}
