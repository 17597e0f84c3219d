#include <ebb/core/error.hpp>
#include <ebb/layers/model_file.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ebb {

template <class T>
void save_safetensors(const std::string& path, const Module<T>& model,
                      const std::map<std::string, std::string>& metadata) {
    std::map<std::string, AnyArray> arrays;
    for (auto& [name, value] : model.state_dict()) arrays.emplace(name, std::move(value));
    save_safetensors(path, arrays, metadata);
}

template <class T>
LoadReport load_safetensors(const std::string& path, Module<T>& model, bool strict) {
    const ArrayFile file = load_safetensors(path);
    const StateDict<T> wanted = model.state_dict();
    StateDict<T> given;
    for (const std::string& name : file.names())
        // What the model does not have may be of any type: it is named as unexpected, or passed over.
        given.emplace(name, wanted.count(name) != 0 ? file.get_as<T>(name) : Array<T>());
    try {
        return model.load_state_dict(given, strict);
    } catch (const Error& error) {
        throw FileError(fmt::format("load_safetensors: {}: {}", path, error.what()));
    }
}

#define EBB_INSTANTIATE(T)                                                                                           \
    template void save_safetensors(const std::string&, const Module<T>&, const std::map<std::string, std::string>&); \
    template LoadReport load_safetensors(const std::string&, Module<T>&, bool);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb
