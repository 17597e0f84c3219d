#!/usr/bin/python3
"""Makes the golden files: what PyTorch computes, for the tests to compare with. See README.md."""

import argparse
import importlib
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
# BLAS libraries and processors sum in different orders.
RELATIVE, ABSOLUTE = 1e-11, 1e-12


def topics():
    """A topic is a file topics/NAME.py with a function make(topic)."""
    return sorted(path.stem for path in (FOLDER / "topics").glob("*.py") if not path.stem.startswith("_"))


def make(name):
    from golden_case import Topic

    topic = Topic()
    importlib.import_module(f"topics.{name}").make(topic)
    return topic.arrays


def differences(arrays, golden):
    """What is not the same, as sentences."""
    import numpy as np

    for name in sorted(arrays.keys() | golden.keys()):
        if name not in golden:
            yield f"{name} is new"
        elif name not in arrays:
            yield f"{name} is not made any more"
        elif (arrays[name].shape, arrays[name].dtype) != (golden[name].shape, golden[name].dtype):
            yield (f"{name} is {arrays[name].dtype} {list(arrays[name].shape)}, "
                   f"was {golden[name].dtype} {list(golden[name].shape)}")
        elif not np.allclose(arrays[name], golden[name], rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True):
            yield f"{name} differs by {np.max(np.abs(arrays[name] - golden[name])):.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(topics())}; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the files that are there")
    arguments = parser.parse_args()
    for name in arguments.topics:
        if name not in topics():
            parser.error(f"there is no topic {name}: expected one of {', '.join(topics())}")
    try:
        import torch
    except ImportError as error:
        print(f"{'skipped: ' if arguments.check else ''}{sys.executable} has no torch ({error}); "
              "Debian's package is python3-torch")
        return 0 if arguments.check else 1
    import golden_file

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    failed = False
    for name in arguments.topics or topics():
        path = FOLDER / f"{name}.safetensors"
        arrays = make(name)
        if arguments.check:
            found = list(differences(arrays, golden_file.read(path))) if path.exists() else ["there is no file"]
            for difference in found:
                print(f"{path.name}: {difference}")
            print(f"{path.name}: {len(arrays)} arrays, {len(found)} differences")
            failed = failed or bool(found)
        else:
            golden_file.write(path, arrays, {"made_with": f"torch {torch.__version__}", "topic": name})
            print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size} bytes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
