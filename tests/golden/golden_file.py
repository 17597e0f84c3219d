"""The safetensors format: 8 bytes of header length, a JSON header, the bytes of the arrays one after the other."""

import json
import struct

import numpy as np

_NAMES = {"float64": "F64", "float32": "F32", "int64": "I64"}
_TYPES = {name: np.dtype(dtype).newbyteorder("<") for dtype, name in _NAMES.items()}


def write(path, arrays, metadata):
    """arrays: name -> array; metadata: string -> string. The same arrays give the same bytes."""
    header = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in sorted(arrays):
        begin, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": _NAMES[arrays[name].dtype.name],
            "shape": list(arrays[name].shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(arrays):
            file.write(arrays[name].astype(_TYPES[header[name]["dtype"]]).tobytes())


def _parts(path):
    """The header, and the bytes of the arrays."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def metadata(path):
    """string -> string"""
    return _parts(path)[0].get("__metadata__", {})


def read(path):
    """name -> array"""
    header, data = _parts(path)
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], dtype=_TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays
