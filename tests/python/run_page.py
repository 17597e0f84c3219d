"""Runs the Python of docs/python.md, as a notebook would, in a folder where page_data has run.

    run_page.py PAGE PAGE_DATA_PROGRAM PAGE_DATA_SOURCE [--draw]

Without --draw the blocks that need Matplotlib are left out. Prints "skipped: ..." where a package is missing.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def main():
    page_path, program, source = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
    draw = "--draw" in sys.argv
    try:
        import numpy  # noqa: F401
        if draw:
            import matplotlib
            matplotlib.use("Agg")
    except ImportError as error:
        print(f"skipped: {error}")
        return
    page = page_path.read_text()

    # The page shows the program that makes its data.
    shown = re.search(r"^ *// /{50,}\n(.*?)^ *// /{50,}$", source.read_text(), re.MULTILINE | re.DOTALL).group(1)
    assert blocks(page, "cpp") == [textwrap.dedent(shown)], f"{page_path.name} does not show {source.name} as it is"

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([program], check=True)
        names = {}
        for code in blocks(page, "python"):
            if draw or "plt." not in code:
                exec(compile(code, str(page_path), "exec"), names)
        assert len(names["flow"].files) > 30
        if draw:
            for figure in ("flow.png", "units.png"):
                assert pathlib.Path(figure).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", figure
        os.chdir("/")
    print("read")


main()
