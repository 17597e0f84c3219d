/// The generators against the definitions of their papers.

#include <ebb/core/error.hpp>

#include <array>
#include <cmath>
#include <fstream>
#include <set>
#include <string>

#include "gradient_flow/memory_tasks.hpp"
#include "gradient_flow/series_task.hpp"
#include "support/temporary_folder.hpp"
#include "tutorials/gradient_flow/lab.hpp"
#include <doctest/doctest.h>

using namespace lab;

namespace {

Batch drawn(const Task& task, std::size_t B, std::uint64_t seed = 1) {
    Batch batch = empty_batch(task.ports(), task.steps(), task.targets(), B);
    ebb::Generator generator(seed);
    task.draw(generator, batch);
    return batch;
}

template <class Call>
std::string message_of(Call call) {
    try {
        call();
    } catch (const ebb::Error& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("adding: one mark in each half, the target their sum, and 1 costs a sixth") {
    for (const std::size_t T : {2u, 7u, 50u}) {
        const AddingTask task(T);
        constexpr std::size_t B = 2000;
        const Batch batch = drawn(task, B);
        std::set<std::size_t> first_places, second_places;
        double mean_square = 0;
        for (std::size_t b = 0; b < B; ++b) {
            double sum = 0, marks = 0;
            for (std::size_t t = 0; t < T; ++t) {
                const double number = batch.numbers(t, b, 0), mark = batch.numbers(t, b, 1);
                REQUIRE((number >= 0 && number < 1));
                REQUIRE((mark == 0 || mark == 1));
                if (mark == 1) (marks == 0 ? first_places : second_places).insert(t);
                sum += mark * number;
                marks += mark;
            }
            REQUIRE(marks == 2);
            REQUIRE(batch.values(0, b, 0) == doctest::Approx(sum).epsilon(1e-15));
            mean_square += std::pow(batch.values(0, b, 0) - 1, 2) / B;
        }
        // All of the first half, all of the second, and nothing else.
        CHECK(first_places.size() == T / 2);
        CHECK(*first_places.rbegin() == T / 2 - 1);
        CHECK(second_places.size() == T - T / 2);
        CHECK(*second_places.begin() == T / 2);
        CHECK(task.baseline().loss == doctest::Approx(0.16667).epsilon(1e-4));
        CHECK(mean_square == doctest::Approx(task.baseline().loss).epsilon(0.1));
    }
    CHECK(message_of([] { AddingTask(1); }) ==
          "gradient_flow: --length is 1: expected at least 2 for --task adding: a step to mark in each half");
}

TEST_CASE("copying: ten symbols, blanks, a cue, and the symbols again at the last ten steps") {
    const CopyingTask task(30);
    CHECK(task.steps() == 50);
    CHECK(task.targets() == 50);
    const Batch batch = drawn(task, 200);
    std::array<int, 8> count{};
    for (std::size_t b = 0; b < 200; ++b)
        for (std::size_t t = 0; t < 50; ++t) {
            const std::int64_t in = batch.symbols(t, b), out = batch.classes(t, b);
            if (t < 10) {
                REQUIRE((in >= 0 && in < 8));
                ++count[static_cast<std::size_t>(in)];
                CHECK(batch.classes(40 + t, b) == in);
            } else {
                CHECK(in == (t == 39 ? CopyingTask::cue : CopyingTask::blank));
            }
            if (t < 40) CHECK(out == CopyingTask::blank);
        }
    for (const int n : count) CHECK(std::abs(n - 250) < 80);
    // Certain of the blanks, and 1/8 for each symbol at the end.
    CHECK(task.baseline().loss == doctest::Approx(10 * std::log(8.0) / 50).epsilon(1e-14));
    CHECK(message_of([] { CopyingTask(0); }) ==
          "gradient_flow: --length is 0: expected at least 1 for --task copying: the cue");
}

TEST_CASE("temporal order: two symbols at their places, and the class says in which order") {
    for (const std::size_t T : {10u, 25u, 100u}) {
        CAPTURE(T);
        const TemporalOrderTask task(T);
        const Batch batch = drawn(task, 400);
        std::array<int, 4> count{};
        for (std::size_t b = 0; b < 400; ++b) {
            std::vector<std::size_t> places;
            std::int64_t code = 0;
            for (std::size_t t = 0; t < T; ++t) {
                const std::int64_t symbol = batch.symbols(t, b);
                REQUIRE((symbol >= 0 && symbol < 6));
                if (symbol >= 2) continue;
                places.push_back(t);
                code = 2 * code + symbol;
            }
            REQUIRE(places.size() == 2);
            CHECK((10 * places[0] >= T - 9 && 10 * places[0] < 2 * T));
            CHECK((10 * places[1] >= 4 * T - 9 && 10 * places[1] < 5 * T));
            CHECK(batch.classes(0, b) == code);
            ++count[static_cast<std::size_t>(code)];
        }
        for (const int n : count) CHECK(std::abs(n - 100) < 45);
        CHECK(task.baseline().loss == doctest::Approx(std::log(4.0)));
    }
    CHECK(message_of([] { TemporalOrderTask(9); }) ==
          "gradient_flow: --length is 9: expected at least 10 for --task order: tenths of it are where the two symbols "
          "stand");
}

TEST_CASE("echo: the bit of so many steps before") {
    for (const std::size_t delay : {0u, 3u, 19u}) {
        const EchoTask task(20, delay);
        REQUIRE(task.targets() == 20 - delay);
        const Batch batch = drawn(task, 50);
        double ones = 0;
        for (std::size_t b = 0; b < 50; ++b)
            for (std::size_t t = 0; t < 20; ++t) {
                REQUIRE((batch.symbols(t, b) == 0 || batch.symbols(t, b) == 1));
                ones += static_cast<double>(batch.symbols(t, b)) / 1000;
                // Target k belongs to step k + delay.
                if (t >= delay) CHECK(batch.classes(t - delay, b) == batch.symbols(t - delay, b));
            }
        CHECK(ones == doctest::Approx(0.5).epsilon(0.1));
        CHECK(task.baseline().loss == doctest::Approx(0.693147).epsilon(1e-6));
    }
    CHECK(message_of([] { EchoTask(20, 20); }) ==
          "gradient_flow: --delay is 20, --length is 20: expected a delay below the length");
}

TEST_CASE("samples are the same in every call, and none is the other's or the training's") {
    const EchoTask task(40, 3);
    CHECK(task.test_sample(8).symbols == task.test_sample(8).symbols);
    CHECK(task.test_sample(8).symbols != task.training_sample(8).symbols);
    CHECK(drawn(task, 8, 5).symbols == drawn(task, 8, 5).symbols);
    CHECK(drawn(task, 8, 5).symbols != drawn(task, 8, 6).symbols);
}

TEST_CASE("a series: the next row, scaled by what is trained on") {
    // Rows r of (r, 100 - 2 r), 40 of them: 36 are trained on.
    SeriesFile file{"made", {"up", "down"}, {}, 0};
    for (int r = 0; r < 40; ++r) file.values.insert(file.values.end(), {double(r), 100.0 - 2 * r});
    const SeriesTask task(file, 3);
    const double deviation = std::sqrt((36.0 * 36 - 1) / 12);  // of 0, ..., 35, whose mean is 17.5
    const Batch test = task.test_sample(10);
    REQUIRE(test.numbers.shape(1) == 1);  // the four held-out rows hold one sequence and what follows it
    for (std::size_t t = 0; t < 3; ++t) {
        const double row = 36 + static_cast<double>(t);
        CHECK(test.numbers(t, 0, 0) == doctest::Approx((row - 17.5) / deviation));
        CHECK(test.numbers(t, 0, 1) == doctest::Approx(-(row - 17.5) / deviation));
        CHECK(test.values(t, 0, 0) == doctest::Approx((row + 1 - 17.5) / deviation));
    }
    // Every step changes by 1: the last value again is wrong by 1 / deviation.
    CHECK(task.baseline().loss == doctest::Approx(1 / (deviation * deviation)));
    // No training sequence reaches the held-out rows.
    const Batch batch = drawn(task, 500);
    double largest = -10, smallest = 10;
    for (std::size_t b = 0; b < 500; ++b) {
        largest = std::max(largest, batch.values(2, b, 0));
        smallest = std::min(smallest, batch.numbers(0, b, 0));
    }
    CHECK(largest == doctest::Approx((35 - 17.5) / deviation));
    CHECK(smallest == doctest::Approx(-17.5 / deviation));

    CHECK(
        message_of([&] { SeriesTask(file, 4); }) ==
        "gradient_flow: made has 40 rows, of which the last tenth (4) is held out: expected more than 4 held out, the "
        "sequence length: take a longer series or a smaller --length");
    for (std::size_t r = 0; r < 40; ++r) file.values[2 * r + 1] = 7;
    CHECK(message_of([&] { SeriesTask(file, 3); }) ==
          "gradient_flow: made, down: all of its first nine tenths is 7: expected a column that changes");
}

TEST_CASE("a CSV file: headers, quotes, columns by name and number") {
    const TemporaryFolder folder;
    const std::string path = folder / "file.csv";
    const auto read = [&](const std::string& content, const std::string& columns = {}) {
        std::ofstream(path, std::ios::binary) << content;
        return read_series(path, columns);
    };
    const SeriesFile plain = read("1,2\n\n3, 4.5e1 \r\n");
    CHECK(plain.names == std::vector<std::string>{"column 1", "column 2"});
    CHECK(plain.values == std::vector<double>{1, 2, 3, 45});
    const SeriesFile titled = read(
        "\xef\xbb\xbf"
        "date,\"t, C\",rain\n2020-01-01,\"-1.5\",+2\n2020-01-02,0,3\n",
        "rain,2");
    CHECK(titled.names == std::vector<std::string>{"rain", "t, C"});
    CHECK(titled.values == std::vector<double>{2, -1.5, 3, 0});
    CHECK(titled.rows() == 2);
    CHECK(titled.hash != plain.hash);

    const auto refusal = [&](const std::string& content, const std::string& columns = {}) {
        return message_of([&] { read(content, columns); });
    };
    const std::string call = "read_series: " + path;
    CHECK(refusal("a,b\n1,2\n\n3,x\n") == call + ", line 4, b: the cell is 'x': expected a number");
    CHECK(refusal("1,2\n3,\n") == call + ", line 2, column 2: the cell is '': expected a number");
    CHECK(refusal("1,2\n3,nan\n") == call + ", line 2, column 2: the cell is 'nan': expected a number");
    CHECK(refusal("1,2\n3,1.5abc\n") == call + ", line 2, column 2: the cell is '1.5abc': expected a number");
    CHECK(refusal("1,2\n3\n") == call + ", line 2: the line has 1 cells, the first one 2: expected as many");
    CHECK(refusal("a,b\n1,2\n", "c") == call + " has no column 'c': expected one of a, b, or a number from 1 to 2");
    CHECK(refusal("a,b\n1,2\n", "3") == call + " has no column '3': expected one of a, b, or a number from 1 to 2");
    CHECK(refusal("a,b\n") == call + " has no rows below its header: expected numbers");
    CHECK(refusal("\n \n") == call + " has no rows: expected numbers");
    CHECK(refusal("") == "read_text_file: \"" + path + "\": is empty, expected a text");
}
