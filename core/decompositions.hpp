#pragma once
/// Decompositions of matrices, by the LAPACK inside OpenBLAS: what spectra, orthogonal weights and Lyapunov exponents
/// are made of. They compute in double; for a float matrix they give the numbers of its exact values.
///
/// Every function throws ShapeError for what is no matrix of at least one row and one column, ValueError for NaN or
/// infinity in it, and Error where an iteration does not converge. One BLAS thread (the default) gives the same bits in
/// every run on one machine; another processor may differ in the last ones.

#include <ebb/core/array.hpp>

#include <complex>
#include <vector>

namespace ebb::linalg {

struct QR {
    Array<double> q;  ///< [m, k], k = min(m, n): orthonormal columns, Q'Q = I
    Array<double> r;  ///< [k, n], upper triangular
};

/// A = Q R, by Householder reflections: A [m, n]. The signs are chosen so that the diagonal of R is not negative, which
/// makes the factors of a matrix of full rank unique.
template <class T>
QR qr(const Array<T>& a);

struct SVD {
    Array<double> u;            ///< [m, k], k = min(m, n): orthonormal columns
    std::vector<double> sigma;  ///< [k], falling
    Array<double> vt;           ///< [k, n]: V', orthonormal rows
};

/// A = U diag(sigma) V'. A singular vector is known up to its sign; u_i and v_i have theirs in common.
template <class T>
SVD svd(const Array<T>& a);

/// sigma_1 >= sigma_2 >= ... >= 0, min(m, n) of them: A = U diag(sigma) V'.
template <class T>
std::vector<double> singular_values(const Array<T>& a);

/// The roots of det(A - lambda I), by falling modulus; of a conjugate pair, the one above the real axis first. Throws
/// ShapeError unless A is square.
template <class T>
std::vector<std::complex<double>> eigenvalues(const Array<T>& a);

/// rho(A) = max |lambda|: the rate at which powers of A grow in the long run, |A^k|^(1/k) -> rho. Throws ShapeError
/// unless A is square.
template <class T>
double spectral_radius(const Array<T>& a);

/// ||A||_2 = sigma_1 = max |A x| / |x|: what one product can do at most; rho(A) <= ||A||_2.
template <class T>
double spectral_norm(const Array<T>& a);

}  // namespace ebb::linalg
