"""Executes a notebook from top to bottom and fails on its first error.

usage: run.py NOTEBOOK.ipynb    (the server's address in SCOREHOUSE_URL)
"""

import pathlib
import sys

import nbformat
from nbclient import NotebookClient

path = pathlib.Path(sys.argv[1])
notebook = nbformat.read(path, as_version=4)
client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}})
client.execute()
print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells ran")
