"""What the studies' commands have in common: run what is missing, then render."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from experiments.runs.run import REAL, Run, available_scenes, execute_missing


def carry_out(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    planned: Callable[[list[str]], Sequence[Run]],
    rendered: Callable[[], None],
    *,
    available: Callable[[], list[str]] | None = None,
    needs: str | None = "the real scenes",
) -> int:
    """The command of a study.

    Args:
        name: of its module.
        about: what its help says.
        arguments: of the command line; None for the program's.
        planned: the runs on data of these names.
        rendered: writes and prints tables and figures of the results that are there.
        available: names of the data that can be had; None for the real scenes.
        needs: without which data nothing can be run; None if something always can.

    Returns:
        The exit code: 2 without data, else 0.
    """
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{name}", description=about)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--force", action="store_true", help="run again what is finished")
    kinds.add_argument(
        "--tables", action="store_true", help="render the results that are there, run nothing"
    )
    options = parser.parse_args(arguments)
    if not options.tables:
        names = (available or available_scenes)()
        if needs is not None and not names:
            print(f"This study needs {needs}, and none can be had here.")
            return 2
        execute_missing(planned(names), REAL, force=options.force)
    rendered()
    return 0
