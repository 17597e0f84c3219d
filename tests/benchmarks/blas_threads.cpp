/// What more than one BLAS thread does to results: random matrix products with one thread against two. The numbers of
/// docs/determinism.md come from here.

#include <ebb/core/blas.hpp>
#include <ebb/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace ebb;

template <class T>
void compare(const char* type) {
    constexpr int products = 400;
    Generator random(7);
    int different = 0;
    double worst = 0;
    for (int r = 0; r < products; ++r) {
        const std::size_t m = 1 + random.integer(300), n = 1 + random.integer(600), k = 1 + random.integer(900);
        const Transpose ta = random.bernoulli(0.5) ? Transpose::yes : Transpose::no;
        const Transpose tb = random.bernoulli(0.5) ? Transpose::yes : Transpose::no;
        std::vector<T> a(m * k), b(k * n), one(m * n), two(m * n);
        for (T& v : a) v = random.uniform<T>() * 2 - 1;
        for (T& v : b) v = random.uniform<T>() * 2 - 1;
        const auto product = [&](int threads, T* y) {
            set_num_threads(threads);
            gemm(ta, tb, m, n, k, T(1), a.data(), ta == Transpose::yes ? m : k, b.data(), tb == Transpose::yes ? k : n,
                 T(0), y, n);
        };
        product(1, one.data());
        product(2, two.data());
        double difference = 0, largest = 0;
        for (std::size_t i = 0; i < one.size(); ++i) {
            difference = std::max(difference, std::abs(static_cast<double>(one[i]) - static_cast<double>(two[i])));
            largest = std::max(largest, std::abs(static_cast<double>(one[i])));
        }
        different += difference > 0;
        worst = std::max(worst, difference / largest);
    }
    fmt::print("{}: {} of {} products differ in some bit; the largest difference is {:.1e} of the largest element\n",
               type, different, products, worst);
}

}  // namespace

int main() {
    compare<float>("float");
    compare<double>("double");
}
