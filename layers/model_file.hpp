#pragma once
/// Models in files: the weights by their paths, in the safetensors format (core/safetensors.hpp), which PyTorch reads
/// and writes as well: `safetensors.torch.load_file` gives what a torch module of the same parts takes.

#include <ebb/core/safetensors.hpp>
#include <ebb/layers/module.hpp>

#include <map>
#include <string>

namespace ebb {

/// Writes the parameters of a model, atomically. Throws FileError when the file cannot be written.
template <class T>
void save_safetensors(const std::string& path, const Module<T>& model,
                      const std::map<std::string, std::string>& metadata = {});

/// Sets the parameters of a model to what a file holds, in float or double. Throws FileError, naming the file, when it
/// cannot be read or does not fit the model as `Module::load_state_dict` demands; then the model is as before.
template <class T>
LoadReport load_safetensors(const std::string& path, Module<T>& model, bool strict = true);

}  // namespace ebb
