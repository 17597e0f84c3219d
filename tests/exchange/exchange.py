#!/usr/bin/python3
"""Models from Ebb to PyTorch and back: exchange.py PROGRAM, with the program of main.cpp.

Each model that the program writes is loaded into the torch module that its file names, name by name, and must give what
it gave. Then torch's own weights go into the same file, and the program must give what torch gives.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))


def results(module, x):
    """y, and the states of a recurrent one."""
    import torch

    if isinstance(module, torch.nn.ModuleDict):  # one after another; of a recurrent one the output goes on
        for part in module.values():
            x = part(x)
            x = x[0] if isinstance(x, tuple) else x
        return {"y": x}
    y = module(x)
    if not isinstance(y, tuple):
        return {"y": y}
    y, state = y
    return dict(zip("yhc", (y, *(state if isinstance(state, tuple) else (state,)))))


def main():
    try:
        import numpy as np
        import torch
    except ImportError as error:
        print(f"skipped: {sys.executable} has no torch ({error}); Debian's package is python3-torch")
        return 0
    import golden_file

    torch.manual_seed(3)
    failed, tensors = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "write", folder], check=True)
        paths = sorted(pathlib.Path(folder).glob("*.safetensors"))
        for path in paths:
            weights, example = golden_file.read(path), golden_file.read(path.with_suffix(".example"))
            metadata = golden_file.metadata(path)
            module = eval(metadata["torch"], vars(torch.nn))  # of our own program
            one = next(iter(weights.values()))
            module.to(torch.tensor(np.array(one)).dtype)
            own = {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}
            module.load_state_dict({name: torch.tensor(np.array(value)) for name, value in weights.items()})
            x = torch.tensor(np.array(example["x"]))
            tolerance = 1e-6 if one.dtype == np.float32 else 1e-12
            found = results(module, x)
            if found.keys() | {"x"} != example.keys():
                print(f"{path.stem}: {sorted(found)} of torch, {sorted(example)} of Ebb")
                failed += 1
            for name, value in found.items():
                difference = np.max(np.abs(value.detach().numpy() - example[name]))
                if not difference <= tolerance:
                    print(f"{path.stem}: {name} of Ebb's weights differs by {difference:.1e}")
                    failed += 1
            tensors += len(weights)

            module.load_state_dict({name: torch.tensor(value) for name, value in own.items()})
            golden_file.write(path, own, metadata)
            example = {"x": np.array(example["x"])}
            example.update((name, value.detach().numpy()) for name, value in results(module, x).items())
            golden_file.write(path.with_suffix(".example"), example, {})
        failed += subprocess.run([sys.argv[1], "check", folder]).returncode != 0
    print(f"{len(paths)} models with {tensors} tensors went to torch {torch.__version__} and back, {failed} differences")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
