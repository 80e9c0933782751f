"""The command of a study: execute missing runs, then render."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from experiments import published
from experiments.runs import queue
from experiments.runs.run import (
    REFERENCE,
    RESULTS,
    Run,
    Workspace,
    available_scenes,
    is_finished,
)


def execute_missing(
    runs: Sequence[Run], space: Workspace, *, force: bool = False, processes: int | None = None
) -> None:
    """Execute the runs that are not finished, or all with ``force``, and print a line for each."""
    missing = [run for run in runs if force or not is_finished(run, space)]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before", flush=True)
    processes = queue.usable_processes() if processes is None else processes
    progress = queue.Progress([[run] for run in missing], processes)

    def ended(finished: queue.Finished) -> None:
        progress.count(finished)
        print(f"{progress.line()} {outcome(finished)}", flush=True)

    queue.execute([[run] for run in missing], space, ended, processes=processes)


def outcome(finished: queue.Finished) -> str:
    """Return one line: a run, its areas with the paper's where there are any, and its seconds."""
    record = finished.record
    if record["status"] != "finished":
        return f"{finished.run.label}: {record['status']}, {record['error']}"
    texts = [f"{a.symbol} {record['metrics'][name]:.4f}" for name, a in published.AREAS.items()]
    r = record.get("pearson_with_released_map")
    texts += [] if r is None else [f"r with the released map {r:.5f}"]
    return f"{finished.run.label}: {', '.join(texts)} ({finished.seconds:.0f} s)"


def carry_out(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    planned: Callable[[list[str]], Sequence[Run]],
    write: Callable[[Workspace, Sequence[str]], str],
    *,
    available: Callable[[], list[str]] | None = None,
    needs: str | None = "the real scenes",
    detectors: Sequence[str] = (),
    committed: bool = False,
) -> int:
    """Run a study's command; everything it writes is under ``results/``.

    Args:
        name: of its module.
        about: help text.
        arguments: of the command line; None for the program's.
        planned: the runs on data of these names.
        write: writes tables and figures of a workspace and returns the main table.
        available: names of the data at hand; None for the real scenes.
        needs: data without which no run is possible; None if some run always is.
        detectors: names among which ``--detectors`` chooses, of runs that have one; none for a
            study without that option.
        committed: whether runs whose committed record is still that of these settings and data
            are finished, and are in the tables.

    Returns:
        The exit code: 2 without data, else 0.
    """
    parser = argparse.ArgumentParser(prog=f"python -m experiments.studies.{name}",
                                     description=about)  # fmt: skip
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--force", action="store_true", help="run again what is finished")
    kinds.add_argument(
        "--tables", action="store_true", help="render the finished runs, execute nothing"
    )
    parser.add_argument("--processes", type=int, help="runs at a time; one a core by default")
    if detectors:
        parser.add_argument(
            "--detectors", metavar="NAME,NAME,…", type=lambda text: _chosen(text, detectors),
            default=tuple(detectors), help=f"run these only, of {', '.join(detectors)}",
        )  # fmt: skip
    options = parser.parse_args(arguments)
    space = replace(RESULTS, beneath=REFERENCE) if committed else RESULTS
    if not options.tables:
        names = (available or available_scenes)()
        if needs is not None and not names:
            print(f"This study needs {needs}, and none can be had here.")
            return 2
        runs = planned(names)
        if detectors:
            runs = [run for run in runs if getattr(run, "detector", None) in options.detectors]
        execute_missing(runs, space, force=options.force, processes=options.processes)
    print(f"\n{write(space, tuple(published.SCENES))}\n")
    print(f"wrote {RESULTS.tables} and {RESULTS.figures}")
    return 0


def _chosen(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Names in a list separated by commas."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no detector of this study; expected some of {', '.join(known)}"
            )
    return names
