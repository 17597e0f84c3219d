#include <ebb/core/blas.hpp>
#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/finite.hpp>
#include <ebb/core/shape.hpp>

#include <algorithm>
#include <limits>

#include <cblas.h>
#include <fmt/format.h>

// LAPACK is Fortran: every argument is a pointer, matrices are column-major, and each text argument has its length
// appended at the end of the list. OpenBLAS holds these routines, but not every package of it has their C header.
extern "C" {
void dgeqrf_(const blasint* m, const blasint* n, double* a, const blasint* lda, double* tau, double* work,
             const blasint* lwork, blasint* info);
void dorgqr_(const blasint* m, const blasint* n, const blasint* k, double* a, const blasint* lda, const double* tau,
             double* work, const blasint* lwork, blasint* info);
void dgesdd_(const char* jobz, const blasint* m, const blasint* n, double* a, const blasint* lda, double* s, double* u,
             const blasint* ldu, double* vt, const blasint* ldvt, double* work, const blasint* lwork, blasint* iwork,
             blasint* info, std::size_t jobz_length);
void dgeev_(const char* jobvl, const char* jobvr, const blasint* n, double* a, const blasint* lda, double* wr,
            double* wi, double* vl, const blasint* ldvl, double* vr, const blasint* ldvr, double* work,
            const blasint* lwork, blasint* info, std::size_t jobvl_length, std::size_t jobvr_length);
}

namespace ebb::linalg {
namespace {

/// A copy for LAPACK to work in. Row-major elements, read by columns, are the transposed matrix, which has the same
/// singular values and eigenvalues.
struct Work {
    blasint rows;
    blasint columns;
    std::vector<double> elements;
};

template <class T>
Work checked(const char* call, const Array<T>& a, bool square) {
    const Shape shape = Shape::of(a.shape());
    if (shape.rank() != 2 || shape.size() == 0)
        fail<ShapeError>(
            fmt::format("{}: a is {}: expected a matrix of at least one row and one column", call, to_string(shape)));
    if (square && shape[0] != shape[1])
        fail<ShapeError>(fmt::format("{}: a is {}: expected a square matrix", call, to_string(shape)));
    const auto limit = static_cast<std::size_t>(std::numeric_limits<blasint>::max());
    // The product as well: LAPACK counts elements of its workspace with the same integer.
    if (shape.size() > limit)
        fail<ValueError>(fmt::format("{}: a is {}: LAPACK counts at most {} elements", call, to_string(shape), limit));
    check_finite(call, "a", a);
    hold_blas_to_one_thread();
    return {static_cast<blasint>(shape[0]), static_cast<blasint>(shape[1]), std::vector<double>(a.begin(), a.end())};
}

void check_info(const char* call, const char* routine, blasint info) {
    if (info != 0) fail<Error>(fmt::format("{}: LAPACK's {} did not converge: info is {}", call, routine, info));
}

/// Calls a LAPACK routine twice: with a length of -1, when it only says how much workspace it wants, and in earnest.
template <class Routine>
void with_workspace(const Routine& routine) {
    double wanted = 0;
    blasint length = -1;
    routine(&wanted, &length);
    length = static_cast<blasint>(wanted);
    std::vector<double> workspace(static_cast<std::size_t>(length));
    routine(workspace.data(), &length);
}

std::vector<double> singular_values_of(const char* call, Work given) {
    const blasint m = given.columns, n = given.rows, k = std::min(m, n), one = 1;
    std::vector<double> sigma(static_cast<std::size_t>(k));
    std::vector<blasint> integers(8 * sigma.size());
    blasint info = 0;
    with_workspace([&](double* work, const blasint* length) {
        dgesdd_("N", &m, &n, given.elements.data(), &m, sigma.data(), nullptr, &one, nullptr, &one, work, length,
                integers.data(), &info, 1);
    });
    check_info(call, "dgesdd", info);
    return sigma;
}

std::vector<std::complex<double>> eigenvalues_of(const char* call, Work given) {
    const blasint n = given.rows, one = 1;
    std::vector<double> real(static_cast<std::size_t>(n)), imaginary(real.size());
    blasint info = 0;
    with_workspace([&](double* work, const blasint* length) {
        dgeev_("N", "N", &n, given.elements.data(), &n, real.data(), imaginary.data(), nullptr, &one, nullptr, &one,
               work, length, &info, 1, 1);
    });
    check_info(call, "dgeev", info);
    std::vector<std::complex<double>> lambda(real.size());
    for (std::size_t i = 0; i < lambda.size(); ++i) lambda[i] = {real[i], imaginary[i]};
    // Stable: LAPACK gives the pairs next to each other, the one above the real axis first.
    std::stable_sort(lambda.begin(), lambda.end(),
                     [](const auto& left, const auto& right) { return std::abs(left) > std::abs(right); });
    return lambda;
}

}  // namespace

template <class T>
QR qr(const Array<T>& a) {
    const Work given = checked("qr", a, false);
    const blasint m = given.rows, n = given.columns, k = std::min(m, n);
    const auto rows = static_cast<std::size_t>(m), columns = static_cast<std::size_t>(n);
    const auto rank = static_cast<std::size_t>(k);
    std::vector<double> factors(rows * columns);  // column-major
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) factors[j * rows + i] = given.elements[i * columns + j];
    std::vector<double> tau(rank);
    blasint info = 0;
    with_workspace([&](double* work, const blasint* length) {
        dgeqrf_(&m, &n, factors.data(), &m, tau.data(), work, length, &info);
    });
    check_info("qr", "dgeqrf", info);

    QR result{Array<double>::from_shape({rows, rank}), Array<double>::from_shape({rank, columns})};
    std::vector<double> sign(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        sign[i] = factors[i * rows + i] < 0 ? -1 : 1;
        for (std::size_t j = 0; j < columns; ++j)
            result.r.data()[i * columns + j] = j < i ? 0 : sign[i] * factors[j * rows + i];
    }
    with_workspace([&](double* work, const blasint* length) {
        dorgqr_(&m, &k, &k, factors.data(), &m, tau.data(), work, length, &info);
    });
    check_info("qr", "dorgqr", info);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < rank; ++j) result.q.data()[i * rank + j] = sign[j] * factors[j * rows + i];
    return result;
}

template <class T>
SVD svd(const Array<T>& a) {
    Work given = checked("svd", a, false);
    // Of A', which LAPACK sees, A' = V diag(sigma) U': its left vectors, by columns, are V' by rows, and U likewise.
    const blasint m = given.columns, n = given.rows, k = std::min(m, n);
    const auto rank = static_cast<std::size_t>(k);
    SVD result{Array<double>::from_shape({static_cast<std::size_t>(n), rank}), std::vector<double>(rank),
               Array<double>::from_shape({rank, static_cast<std::size_t>(m)})};
    std::vector<blasint> integers(8 * rank);
    blasint info = 0;
    with_workspace([&](double* work, const blasint* length) {
        dgesdd_("S", &m, &n, given.elements.data(), &m, result.sigma.data(), result.vt.data(), &m, result.u.data(), &k,
                work, length, integers.data(), &info, 1);
    });
    check_info("svd", "dgesdd", info);
    return result;
}

template <class T>
std::vector<double> singular_values(const Array<T>& a) {
    return singular_values_of("singular_values", checked("singular_values", a, false));
}

template <class T>
std::vector<std::complex<double>> eigenvalues(const Array<T>& a) {
    return eigenvalues_of("eigenvalues", checked("eigenvalues", a, true));
}

template <class T>
double spectral_radius(const Array<T>& a) {
    return std::abs(eigenvalues_of("spectral_radius", checked("spectral_radius", a, true)).front());
}

template <class T>
double spectral_norm(const Array<T>& a) {
    return singular_values_of("spectral_norm", checked("spectral_norm", a, false)).front();
}

#define EBB_INSTANTIATE(T)                                                   \
    template QR qr(const Array<T>&);                                         \
    template SVD svd(const Array<T>&);                                       \
    template std::vector<double> singular_values(const Array<T>&);           \
    template std::vector<std::complex<double>> eigenvalues(const Array<T>&); \
    template double spectral_radius(const Array<T>&);                        \
    template double spectral_norm(const Array<T>&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::linalg
