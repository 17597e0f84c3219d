#pragma once
/// Arrays in one file for NumPy: `numpy.load("flow.npz")["lstm.h.grad_norm"]`.

#include <ebb/inspect/named_arrays.hpp>

#include <string>

namespace ebb::inspect {

/// Writes an NPZ file, atomically: a zip archive of .npy files (format 1.0, little-endian float64, C order), not
/// compressed, since noise does not compress and NumPy then reads it without unpacking. Throws ValueError for an empty
/// name, one with a zero byte or of more than 60,000 bytes, no arrays, more than 65,535 of them, or more than 4 GB in
/// all; FileError where it cannot write.
void save_npz(const std::string& path, const NamedArrays& arrays);

}  // namespace ebb::inspect
