"""A report template made of a few cells."""

from pathlib import Path

import nbformat


def template(path: Path, *cells: str, tags=("parameters",)):
    "Write a template; the first cell holds its parameters."
    nb = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    nb.cells = [nbformat.v4.new_markdown_cell("# A report\n\n> For a test."), *map(nbformat.v4.new_code_cell, cells)]
    nb.cells[1].metadata["tags"] = list(tags)
    nbformat.write(nb, path)
