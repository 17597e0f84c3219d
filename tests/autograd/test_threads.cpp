/// Independent tapes on several threads at once: run under ThreadSanitizer by `./run test --preset tsan`.

#include <ebb/autograd/anomaly.hpp>
#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/jacobian.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/print_tape.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/random.hpp>

#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Something of everything: names, parameters, hooks, both kinds of backward pass, a Jacobian, a printed tape.
std::vector<double> work(std::uint64_t seed) {
    manual_seed(seed);
    Parameter<double> w("weight" + std::to_string(seed % 3), uniform<double>({6, 6}, -1, 1));
    std::vector<double> results;
    Tape<double> tape;
    for (int step = 0; step < 20; ++step) {
        tape.clear();
        w.zero_grad();
        const auto x = tape.variable(uniform<double>({4, 6}, -1, 1)).named("x" + std::to_string(step % 5));
        auto h = x;
        for (int t = 0; t < 5; ++t) h = tanh(matmul(h, w) + x);
        h.register_hook([](const auto& dy) { return dy * 0.5; });
        const auto loss = sum(softmax(h, -1) * h);
        tape.backward(loss, {.retain_graph = true});
        const auto g = grad(loss, {x}, {.create_graph = true})[0];
        tape.backward(sum(g * g));
        const NoGrad off;
        results.push_back(loss.item());
        results.push_back(sum(tape.constant(w.grad())).item());
        results.push_back(sum(tape.constant(x.grad())).item());
        if (step % 10 == 0) {
            results.push_back(sum(jacobian([&](const auto& in) { return tanh(matmul(in, w)); }, x)).item());
            results.push_back(static_cast<double>(to_string(tape).size()));
        }
    }
    return results;
}

}  // namespace

TEST_CASE("tapes on several threads at once give what they give one after another") {
    constexpr std::size_t threads = 4;
    std::vector<std::vector<double>> alone(threads), together(threads);
    for (std::size_t k = 0; k < threads; ++k) std::thread([&, k] { alone[k] = work(k); }).join();
    std::vector<std::thread> running;
    for (std::size_t k = 0; k < threads; ++k) running.emplace_back([&, k] { together[k] = work(k); });
    for (std::thread& thread : running) thread.join();
    CHECK(together == alone);
    CHECK(alone[0] != alone[1]);
}

TEST_CASE("one set of weights may be read by many tapes at once") {
    const Parameter<double> w("w", Array<double>{{1, 2}, {3, 4}});
    Parameter<double> frozen = w;
    frozen.set_requires_grad(false);
    std::vector<double> results(4);
    std::vector<std::thread> running;
    for (std::size_t k = 0; k < results.size(); ++k)
        running.emplace_back([&, k] {
            Tape<double> tape;
            const auto x = tape.variable(Array<double>{{1, 1}});
            tape.backward(sum(matmul(x, frozen)));
            results[k] = x.grad()(0, 0) + 10 * x.grad()(0, 1);
        });
    for (std::thread& thread : running) thread.join();
    CHECK(results == std::vector<double>(4, 73));
}
