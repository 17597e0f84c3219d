#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/core/safetensors.hpp>
#include <ebb/core/shape.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <tuple>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

static_assert(std::endian::native == std::endian::little, "the format is little-endian, and so are its bytes here");

namespace ebb {

namespace {

using nlohmann::json;

constexpr char metadata_key[] = "__metadata__";
constexpr std::size_t length_bytes = 8;
// What other readers of the format accept.
constexpr std::uint64_t longest_header = 100'000'000;
// An array's entry is an object, its shape a list in it: nothing is nested deeper.
constexpr int deepest = 3;

template <class T>
constexpr const char* dtype_of = nullptr;
template <>
constexpr const char* dtype_of<float> = "F32";
template <>
constexpr const char* dtype_of<double> = "F64";
template <>
constexpr const char* dtype_of<std::int64_t> = "I64";
template <>
constexpr const char* dtype_of<std::int32_t> = "I32";
template <>
constexpr const char* dtype_of<std::uint8_t> = "U8";
template <>
constexpr const char* dtype_of<bool> = "BOOL";

/// Calls function(T()) for the type T that `dtype` names; false when it names none.
template <class Function>
bool with_type_of(const std::string& dtype, Function function) {
    const auto call_if = [&](auto zero) {
        if (dtype != dtype_of<decltype(zero)>) return false;
        function(zero);
        return true;
    };
    return call_if(float()) || call_if(double()) || call_if(std::int64_t()) || call_if(std::int32_t()) ||
           call_if(std::uint8_t()) || call_if(bool());
}

/// The beginning of a JSON value, for messages.
std::string shortened(const json& value) {
    const std::string text = value.dump(-1, ' ', true);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

/// One file being read; every message names it.
class Reader {
  public:
    Reader(std::string_view bytes, const std::string& path) : bytes_(bytes) { file_.path = path; }

    ArrayFile read() {
        const json header = parse_header();
        if (!header.is_object()) fail(fmt::format("the header is {}, expected an object", shortened(header)));
        for (const auto& [name, entry] : header.items()) {
            if (name == metadata_key)
                read_metadata(entry);
            else
                read_entry(name, entry);
        }
        check_places();
        return std::move(file_);
    }

  private:
    struct Place {
        std::uint64_t begin, end;
        std::string name;
    };

    [[noreturn]] void fail(const std::string& what) const {
        throw FileError(fmt::format("load_safetensors: \"{}\": {}", file_.path, what));
    }
    [[noreturn]] void fail(const std::string& array, const std::string& what) const {
        fail(fmt::format("array \"{}\": {}", array, what));
    }

    json parse_header() {
        if (bytes_.size() < length_bytes)
            fail(fmt::format("the file has {} bytes, expected at least 8, the length of the header", bytes_.size()));
        std::uint64_t length = 0;
        std::memcpy(&length, bytes_.data(), length_bytes);
        const std::uint64_t rest = bytes_.size() - length_bytes;
        if (length > rest)
            fail(fmt::format("the header is {} bytes long by its first 8 bytes, but only {} follow", length, rest));
        if (length > longest_header)
            fail(fmt::format("the header is {} bytes long, expected at most {}", length, longest_header));
        const std::string_view text = bytes_.substr(length_bytes, length);
        data_ = bytes_.substr(length_bytes + length);

        // The parser keeps the last of two entries of one name; here that is an error.
        std::vector<std::set<std::string>> names;
        const auto check = [&](int depth, json::parse_event_t event, const json& value) {
            if (depth > deepest) fail(fmt::format("the header is nested deeper than {} levels", deepest));
            if (event == json::parse_event_t::object_start) names.emplace_back();
            if (event == json::parse_event_t::object_end) names.pop_back();
            if (event == json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second)
                fail(fmt::format("{} stands twice in the header", shortened(value)));
            return true;
        };
        try {
            return json::parse(text.begin(), text.end(), check);
        } catch (const json::parse_error& error) {
            fail(fmt::format("the header is not valid JSON at its byte {}", error.byte));
        } catch (const json::exception&) {
            // A number that no type can hold.
            fail("the header is not valid JSON: a number is out of range");
        }
    }

    void read_metadata(const json& entry) {
        if (!entry.is_object()) fail(fmt::format("{} is {}, expected an object", metadata_key, shortened(entry)));
        for (const auto& [name, value] : entry.items()) {
            if (!value.is_string())
                fail(fmt::format("metadata \"{}\" is {}, expected a string", name, shortened(value)));
            file_.metadata[name] = value.get<std::string>();
        }
    }

    const json& member(const std::string& name, const json& entry, const char* key) const {
        if (!entry.is_object() || !entry.contains(key))
            fail(name, fmt::format("its entry is {}, expected an object with dtype, shape and data_offsets",
                                   shortened(entry)));
        return entry[key];
    }

    void read_entry(const std::string& name, const json& entry) {
        const json& dtype = member(name, entry, "dtype");
        const json& extents = member(name, entry, "shape");
        const json& offsets = member(name, entry, "data_offsets");

        const auto is_count = [](const json& value) { return value.is_number_unsigned(); };
        if (!extents.is_array() || extents.size() > Shape::max_rank ||
            !std::all_of(extents.begin(), extents.end(), is_count))
            fail(name, fmt::format("shape is {}, expected a list of at most {} numbers, none negative",
                                   shortened(extents), Shape::max_rank));
        if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_count) ||
            offsets[0].get<std::uint64_t>() > offsets[1].get<std::uint64_t>())
            fail(name, fmt::format("data_offsets is {}, expected [begin, end] with begin <= end", shortened(offsets)));
        const Place place{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>(), name};
        if (place.end > data_.size())
            fail(name, fmt::format("data_offsets is [{}, {}], but the file holds {} bytes of arrays", place.begin,
                                   place.end, data_.size()));

        std::vector<std::uint64_t> shape;
        for (const json& extent : extents) shape.push_back(extent.get<std::uint64_t>());
        const bool known = dtype.is_string() && with_type_of(dtype.get<std::string>(), [&](auto zero) {
                               read_array<decltype(zero)>(place, shape, shortened(extents));
                           });
        if (!known)
            fail(name, fmt::format("dtype is {}, expected \"F32\", \"F64\", \"I64\", \"I32\", \"U8\" or \"BOOL\"",
                                   shortened(dtype)));
        places_.push_back(place);
    }

    template <class T>
    void read_array(const Place& place, const std::vector<std::uint64_t>& shape, const std::string& shape_text) {
        std::uint64_t bytes = sizeof(T);
        bool overflows = false;
        for (const std::uint64_t extent : shape) overflows |= __builtin_mul_overflow(bytes, extent, &bytes);
        // A factor 0 makes the product 0, whatever overflowed before it.
        if (std::find(shape.begin(), shape.end(), 0u) != shape.end()) {
            overflows = false;
            bytes = 0;
        }
        if (overflows) fail(place.name, fmt::format("shape is {}, which overflows", shape_text));
        const std::uint64_t available = place.end - place.begin;
        if (bytes != available)
            fail(place.name, fmt::format("shape {} of {} takes {} bytes, but data_offsets [{}, {}] is {}", shape_text,
                                         dtype_of<T>, bytes, place.begin, place.end, available));
        const char* source = data_.data() + place.begin;
        if constexpr (std::is_same_v<T, bool>) {
            // Any other byte in a bool is undefined behaviour.
            for (std::uint64_t i = 0; i < bytes; ++i)
                if (source[i] != 0 && source[i] != 1)
                    fail(place.name, fmt::format("element {} is the byte {}, expected 0 or 1", i,
                                                 static_cast<unsigned char>(source[i])));
        }
        Array<T> array = Array<T>::from_shape(typename Array<T>::shape_type(shape.begin(), shape.end()));
        if (bytes > 0) std::memcpy(array.data(), source, bytes);
        file_.arrays.emplace(place.name, std::move(array));
    }

    /// Every byte behind the header belongs to one array, and to one only.
    void check_places() {
        std::sort(places_.begin(), places_.end(),
                  [](const Place& a, const Place& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
        std::uint64_t end = 0;
        for (const Place& place : places_) {
            if (place.begin != end)
                fail(place.name,
                     fmt::format("begins at byte {} of the arrays, expected {}, where the one before it ends",
                                 place.begin, end));
            end = place.end;
        }
        if (end != data_.size())
            fail(fmt::format("the arrays end at byte {}, but the file holds {} bytes of them", end, data_.size()));
    }

    std::string_view bytes_;
    std::string_view data_;
    std::vector<Place> places_;
    ArrayFile file_;
};

}  // namespace

const char* dtype_name(const AnyArray& array) {
    return std::visit([](const auto& typed) { return dtype_of<typename std::decay_t<decltype(typed)>::value_type>; },
                      array);
}

bool ArrayFile::contains(const std::string& name) const {
    return arrays.contains(name);
}

std::vector<std::string> ArrayFile::names() const {
    std::vector<std::string> result;
    for (const auto& [name, array] : arrays) result.push_back(name);
    return result;
}

namespace {

const AnyArray& find(const ArrayFile& file, const std::string& name) {
    const auto found = file.arrays.find(name);
    if (found == file.arrays.end())
        throw FileError(fmt::format("\"{}\": there is no array \"{}\": it has {}", file.path, name,
                                    file.arrays.empty() ? "none" : fmt::format("{}", fmt::join(file.names(), ", "))));
    return found->second;
}

}  // namespace

template <class T>
const Array<T>& ArrayFile::get(const std::string& name) const {
    const AnyArray& array = find(*this, name);
    const auto* typed = std::get_if<Array<T>>(&array);
    if (typed == nullptr)
        throw FileError(
            fmt::format("\"{}\": array \"{}\" is {}, expected {}", path, name, dtype_name(array), dtype_of<T>));
    return *typed;
}

template <class T>
Array<T> ArrayFile::get_as(const std::string& name) const {
    static_assert(std::is_floating_point_v<T>);
    const AnyArray& array = find(*this, name);
    const auto converted = [](const auto& source) {
        Array<T> result = Array<T>::from_shape(source.shape());
        std::transform(source.data(), source.data() + source.size(), result.data(),
                       [](auto value) { return static_cast<T>(value); });
        return result;
    };
    if (const auto* floats = std::get_if<Array<float>>(&array)) return converted(*floats);
    if (const auto* doubles = std::get_if<Array<double>>(&array)) return converted(*doubles);
    throw FileError(fmt::format("\"{}\": array \"{}\" is {}, expected F32 or F64", path, name, dtype_name(array)));
}

const std::string& ArrayFile::get_metadata(const std::string& name) const {
    const auto found = metadata.find(name);
    if (found == metadata.end()) throw FileError(fmt::format("\"{}\": there is no metadata \"{}\"", path, name));
    return found->second;
}

void save_safetensors(const std::string& path, const std::map<std::string, AnyArray>& arrays,
                      const std::map<std::string, std::string>& metadata) {
    struct Item {
        const std::string* name;
        std::string_view bytes;
        std::size_t element;
        const AnyArray* array;
    };
    std::vector<Item> items;
    for (const auto& [name, array] : arrays) {
        if (name == metadata_key)
            throw ValueError(fmt::format("save_safetensors: \"{}\": an array cannot be called \"{}\"", path, name));
        std::visit(
            [&, &key = name, &any = array](const auto& typed) {
                const std::size_t element = sizeof(*typed.data());
                const char* bytes = reinterpret_cast<const char*>(typed.data());
                items.push_back({&key, std::string_view(bytes, typed.size() * element), element, &any});
            },
            array);
    }
    // The wide types first: then every array is aligned for its type, also where a reader maps the file into memory.
    std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.element > b.element; });

    json header = json::object();
    if (!metadata.empty()) header[metadata_key] = metadata;
    std::uint64_t end = 0;
    for (const Item& item : items) {
        const std::uint64_t begin = end;
        end += item.bytes.size();
        const json shape = std::visit(
            [](const auto& typed) { return std::vector<std::uint64_t>(typed.shape().begin(), typed.shape().end()); },
            *item.array);
        header[*item.name] = {{"dtype", dtype_name(*item.array)}, {"shape", shape}, {"data_offsets", {begin, end}}};
    }
    std::string text;
    try {
        text = header.dump();
    } catch (const json::exception&) {
        throw ValueError(fmt::format("save_safetensors: \"{}\": a name or metadata is not UTF-8", path));
    }
    text.resize((text.size() + 7) / 8 * 8, ' ');

    const std::uint64_t length = text.size();
    char length_field[length_bytes];
    std::memcpy(length_field, &length, length_bytes);
    std::vector<std::string_view> parts{std::string_view(length_field, length_bytes), text};
    for (const Item& item : items) parts.push_back(item.bytes);
    write_file_atomically(path, parts.data(), parts.size());
}

ArrayFile load_safetensors(const std::string& path) {
    return parse_safetensors(read_file(path), path);
}

ArrayFile parse_safetensors(std::string_view bytes, const std::string& path) {
    return Reader(bytes, path).read();
}

template const Array<float>& ArrayFile::get(const std::string&) const;
template const Array<double>& ArrayFile::get(const std::string&) const;
template const Array<std::int64_t>& ArrayFile::get(const std::string&) const;
template const Array<std::int32_t>& ArrayFile::get(const std::string&) const;
template const Array<std::uint8_t>& ArrayFile::get(const std::string&) const;
template const Array<bool>& ArrayFile::get(const std::string&) const;
template Array<float> ArrayFile::get_as(const std::string&) const;
template Array<double> ArrayFile::get_as(const std::string&) const;

}  // namespace ebb
