"""The notebooks, run, as pages of the site.

``python -m experiments.rendering.site.notebooks`` runs them in ``build/notebooks``, but for those
that are there and younger than the package. In the repository they are stored without output.
"""

from __future__ import annotations

import html
import re
from functools import cache

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

from experiments.rendering.site.made import FOLDER, environment, is_current, sources
from experiments.rendering.site.repository import ROOT, rewritten

NOTEBOOKS = ROOT / "notebooks"
RUN = FOLDER / "notebooks"
NAMES = tuple(sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
SECONDS = 600
FRAME = re.compile(r'<iframe srcdoc="(.*?)" title="([^"]*)"[^>]*></iframe>', re.DOTALL)


def main() -> int:
    """Run what is not current."""
    RUN.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        stored, done = NOTEBOOKS / f"{name}.ipynb", RUN / f"{name}.ipynb"
        if is_current(done, [stored, *sources()]):
            continue
        notebook = nbformat.read(stored, as_version=4)
        client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": RUN}})
        client.execute(env=environment())
        nbformat.write(notebook, done)
        print(f"build/notebooks/{name}.ipynb", flush=True)
    return 0


def page(name: str) -> str:
    """Markdown of a notebook that has been run."""
    text, _ = converted(name)
    file = f"notebooks/{name}.ipynb"
    note = f"\n\n[Download the notebook]({name}.ipynb), as it is in the repository.\n"
    return rewritten(text, file, f"notebooks/{name}.md") + note


def files() -> dict[str, bytes]:
    """What the pages show and offer beside their text: file of the site -> content."""
    found = {
        f"notebooks/{name}.ipynb": (NOTEBOOKS / f"{name}.ipynb").read_bytes() for name in NAMES
    }
    for name in NAMES:
        found |= {f"notebooks/{file}": content for file, content in converted(name)[1].items()}
    return found


@cache
def converted(name: str) -> tuple[str, dict[str, bytes]]:
    """A notebook that has been run as Markdown, and the files that it shows."""
    notebook = nbformat.read(RUN / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        # What TensorFlow says of the machine it runs on, on the stream of errors.
        cell.outputs = [each for each in cell.get("outputs", []) if each.get("name") != "stderr"]
    resources = {"unique_key": name, "output_files_dir": f"{name}_files"}
    body, more = MarkdownExporter().from_notebook_node(notebook, resources)
    shown = dict(more["outputs"])

    def frame(match: re.Match[str]) -> str:
        file = f"{name}_files/page_{len(shown)}.html"
        shown[file] = html.unescape(match[1]).encode()
        return f'<iframe class="page-frame" src="{file}" title="{match[2]}"></iframe>'

    body = FRAME.sub(frame, body)
    return body.replace("![png](", "![What the cell above draws]("), shown


if __name__ == "__main__":
    raise SystemExit(main())
