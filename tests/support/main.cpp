/// The main function of every test program: random order, whose seed is printed, numbers that do not depend on it, and
/// no success without a test.

#define DOCTEST_CONFIG_IMPLEMENT
#include <ebb/core/random.hpp>

#include <cstdio>
#include <random>

#include <doctest/doctest.h>

namespace {

unsigned test_cases_run = 0;

/// Counts the tests, and lets each draw the same numbers, whatever ran before it.
struct TestReporter : doctest::IReporter {
    explicit TestReporter(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& stats) override {
        test_cases_run = stats.numTestCasesPassingFilters;
    }
    void test_case_start(const doctest::TestCaseData&) override { ebb::manual_seed(1); }
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("test", 1, TestReporter);

}  // namespace

int main(int argc, char** argv) {
    const unsigned seed = std::random_device{}() % 100000;
    doctest::Context context;
    context.setOption("order-by", "rand");
    context.setOption("rand-seed", static_cast<int>(seed));
    context.applyCommandLine(argc, argv);
    std::printf("order: --rand-seed=%u unless given\n", seed);
    const int failed = context.run();
    if (context.shouldExit()) return failed;
    if (test_cases_run == 0) {
        std::fprintf(stderr, "no test case ran: the filter matches none\n");
        return 1;
    }
    return failed;
}
