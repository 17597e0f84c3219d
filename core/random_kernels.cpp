#include <ebb/core/random_kernels.hpp>
#include <ebb/core/simd.hpp>

// Compiled once per instruction set; simd.hpp says why everything here has internal linkage.
// Only integers: every instruction set gives the same bits.

namespace ebb {

namespace {

/// 64-bit lanes of which the lower halves count. `product` takes the lower halves and gives all 64 bits, so what is in
/// the upper halves of its operands does no harm, and nobody need clear it. (Compilers do not find this instruction by
/// themselves in a loop of several steps.)
struct Lanes {
#if defined(__AVX512F__)
    __m512i bits;
    static constexpr std::size_t width = 8;
    Lanes(__m512i all) : bits(all) {}
    explicit Lanes(std::uint64_t value) : bits(_mm512_set1_epi64(static_cast<long long>(value))) {}
    static Lanes load(const std::uint64_t* source) {
        return _mm512_loadu_si512(source);
    }
    void store(std::uint64_t* target) const {
        _mm512_storeu_si512(target, bits);
    }
    friend Lanes product(Lanes a, Lanes b) {
        return _mm512_mul_epu32(a.bits, b.bits);
    }
    friend Lanes operator^(Lanes a, Lanes b) {
        return _mm512_xor_si512(a.bits, b.bits);
    }
    friend Lanes upper_half(Lanes a) {
        return _mm512_srli_epi64(a.bits, 32);
    }
#elif defined(__AVX2__)
    __m256i bits;
    static constexpr std::size_t width = 4;
    Lanes(__m256i all) : bits(all) {}
    explicit Lanes(std::uint64_t value) : bits(_mm256_set1_epi64x(static_cast<long long>(value))) {}
    static Lanes load(const std::uint64_t* source) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source));
    }
    void store(std::uint64_t* target) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), bits);
    }
    friend Lanes product(Lanes a, Lanes b) {
        return _mm256_mul_epu32(a.bits, b.bits);
    }
    friend Lanes operator^(Lanes a, Lanes b) {
        return _mm256_xor_si256(a.bits, b.bits);
    }
    friend Lanes upper_half(Lanes a) {
        return _mm256_srli_epi64(a.bits, 32);
    }
#elif defined(__SSE2__)
    __m128i bits;
    static constexpr std::size_t width = 2;
    Lanes(__m128i all) : bits(all) {}
    explicit Lanes(std::uint64_t value) : bits(_mm_set1_epi64x(static_cast<long long>(value))) {}
    static Lanes load(const std::uint64_t* source) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(source));
    }
    void store(std::uint64_t* target) const {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(target), bits);
    }
    friend Lanes product(Lanes a, Lanes b) {
        return _mm_mul_epu32(a.bits, b.bits);
    }
    friend Lanes operator^(Lanes a, Lanes b) {
        return _mm_xor_si128(a.bits, b.bits);
    }
    friend Lanes upper_half(Lanes a) {
        return _mm_srli_epi64(a.bits, 32);
    }
#else
    std::uint64_t bits;
    static constexpr std::size_t width = 1;
    explicit Lanes(std::uint64_t value) : bits(value) {}
    static Lanes load(const std::uint64_t* source) {
        return Lanes(*source);
    }
    void store(std::uint64_t* target) const {
        *target = bits;
    }
    friend Lanes product(Lanes a, Lanes b) {
        return Lanes((a.bits & 0xFFFFFFFF) * (b.bits & 0xFFFFFFFF));
    }
    friend Lanes operator^(Lanes a, Lanes b) {
        return Lanes(a.bits ^ b.bits);
    }
    friend Lanes upper_half(Lanes a) {
        return Lanes(a.bits >> 32);
    }
#endif
};

/// The blocks `first` to `first + Lanes::width - 1`, into arrays of first and second numbers.
void blocks(std::uint64_t key, std::uint64_t stream, std::uint64_t first, std::uint64_t* first_numbers,
            std::uint64_t* second_numbers) {
    std::uint64_t counter[Lanes::width];
    for (std::size_t i = 0; i < Lanes::width; ++i) counter[i] = first + i;
    Lanes c0 = Lanes::load(counter);
    Lanes c1 = upper_half(c0);
    Lanes c2(stream);
    Lanes c3(stream >> 32);
    auto k0 = static_cast<std::uint32_t>(key);
    auto k1 = static_cast<std::uint32_t>(key >> 32);
    const Lanes m0(0xD2511F53);
    const Lanes m1(0xCD9E8D57);
    for (int round = 0; round < 10; ++round) {
        const Lanes p0 = product(m0, c0);
        const Lanes p1 = product(m1, c2);
        c0 = upper_half(p1) ^ c1 ^ Lanes(k0);
        c1 = p1;
        c2 = upper_half(p0) ^ c3 ^ Lanes(k1);
        c3 = p0;
        // The golden ratio and the square root of 3, less 1, in 32 bits.
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    std::uint64_t low[Lanes::width];
    std::uint64_t high[Lanes::width];
    c0.store(low);
    c1.store(high);
    for (std::size_t i = 0; i < Lanes::width; ++i) first_numbers[i] = (low[i] & 0xFFFFFFFF) | high[i] << 32;
    c2.store(low);
    c3.store(high);
    for (std::size_t i = 0; i < Lanes::width; ++i) second_numbers[i] = (low[i] & 0xFFFFFFFF) | high[i] << 32;
}

void philox(std::uint64_t key, std::uint64_t stream, std::uint64_t first, std::size_t count, std::uint64_t* numbers) {
    std::uint64_t first_numbers[Lanes::width];
    std::uint64_t second_numbers[Lanes::width];
    for (std::size_t done = 0; done < count; done += Lanes::width) {
        blocks(key, stream, first + done, first_numbers, second_numbers);
        const std::size_t wanted = count - done < Lanes::width ? count - done : Lanes::width;
        for (std::size_t i = 0; i < wanted; ++i) {
            numbers[2 * (done + i)] = first_numbers[i];
            numbers[2 * (done + i) + 1] = second_numbers[i];
        }
    }
}

constexpr RandomKernels table{&philox};

}  // namespace

template <>
const RandomKernels& kernels_for<RandomKernels, simd::compiled_for>() {
    return table;
}

}  // namespace ebb
