"""`make reproduce`: every method of Tables 2 and 3 with one seed, verified against the committed.

Everything it writes is under ``results/``, which git ignores. RX comes first, then the preset
``release`` on Hydice, then the quick methods, then the long ones. Each run is written when it
ends, so an interrupted reproduction goes on where it was. The last thing printed is a table of
every figure here and in the committed results; the exit code is 1 where one is outside its
tolerance. With ``--all``: every seed and every study.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from statistics import mean

from experiments import verification
from experiments.rendering import everything, figures, report
from experiments.reporting.names import scene_title
from experiments.runs import queue
from experiments.runs.command import outcome
from experiments.runs.detector_run import DetectorRun
from experiments.runs.run import (
    REFERENCE,
    RESULTS,
    SIMULATED,
    Run,
    Workspace,
    available_scenes,
    is_finished,
)
from experiments.studies import catalogue, comparison
from lren_tf.runtime.startup import quiet_start

EARLY = "hydice"
"""The scene on which `release` runs first: the smallest with a released map."""
QUICK = 12.0
"""Mean committed seconds up to which a method runs before the long ones."""


def one_seed(scenes: Sequence[str]) -> list[Run]:
    """Return every method of the tables with its first seed on every scene."""
    return [run for scene in scenes for run in figures.shown_runs(scene)]


def ordered(runs: Sequence[Run]) -> list[list[Run]]:
    """Return runs as groups in the order of execution; AAE and AAE-RX share theirs."""
    groups: dict[object, list[Run]] = {}
    for run in runs:
        groups.setdefault(_group(run), []).append(run)
    times: dict[str, list[float]] = {}
    for run in runs:
        times.setdefault(_method(run), []).append(queue.expected_seconds(run) or 0.0)

    def rank(group: list[Run]) -> tuple[int, float]:
        run, seconds = group[0], mean(times[_method(group[0])])
        if _method(run) == "rx":
            return 0, 0.0
        if _method(run) == "release" and run.scene in (EARLY, "simulated"):
            return 1, 0.0
        return (2, seconds) if seconds <= QUICK else (3, -seconds)

    return sorted(groups.values(), key=rank)


def _method(run: Run) -> str:
    return run.detector if isinstance(run, DetectorRun) else getattr(run, "preset", "")


def _group(run: Run) -> object:
    """What runs of one group have in common."""
    if isinstance(run, DetectorRun) and run.detector == "rx":
        return "rx"
    if isinstance(run, DetectorRun) and run.detector in ("aae", "aae_rx") and not run.settings:
        return "aae", run.scene, run.seed
    return run


class Rows:
    """Prints the row of Table 2 of every method whose runs have all ended."""

    def __init__(
        self,
        scenes: Sequence[str],
        space: Workspace,
        runs: Sequence[Run],
        waiting: Sequence[Run],
    ) -> None:
        self._scenes, self._space = scenes, space
        self._waiting = set(waiting)
        self._rows = [
            row
            for row in comparison.rows(scenes)
            if {row.runs[scene][0] for scene in scenes} <= set(runs)
        ]
        print(f"\n{'Table 2, AUC(Pd,Pf)':20}" + self._line(map(scene_title, scenes)), flush=True)
        self.print_complete()

    def ended(self, run: Run) -> None:
        """Take a run that has ended into account."""
        self._waiting.discard(run)
        self.print_complete()

    def print_complete(self) -> None:
        """Print the rows that have become complete."""
        for row in list(self._rows):
            if self._waiting.isdisjoint(row.runs[scene][0] for scene in self._scenes):
                self._rows.remove(row)
                print(f"{row.title:20}{self._line(map(self._text(row), self._scenes))}", flush=True)

    def _text(self, row: comparison.Row) -> Callable[[str], str]:
        def text(scene: str) -> str:
            paper, here, _ = comparison.cell(row, scene, "pd_pf", self._space).texts()
            return here if paper == "–" else f"{paper} → {here}"

        return text

    @staticmethod
    def _line(texts: Iterable[str]) -> str:
        return "".join(f"{text:>22}" for text in texts)


def run_missing(
    runs: Sequence[Run],
    scenes: Sequence[str],
    space: Workspace,
    *,
    force: bool,
    processes: int | None,
) -> None:
    """Execute what is not finished; print each outcome, each complete row and what is left."""
    missing = [run for run in runs if force or not is_finished(run, space)]
    processes = queue.usable_processes() if processes is None else processes
    groups = ordered(missing)
    progress = queue.Progress(groups, processes)
    print(
        f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before; "
        f"{max(processes, 1)} at a time. {progress.line()}",
        flush=True,
    )
    rows = Rows(scenes, space, runs, missing)

    def ended(finished: queue.Finished) -> None:
        progress.count(finished)
        print(f"{progress.line()} {outcome(finished)}", flush=True)
        rows.ended(finished.run)

    queue.execute(groups, space, ended, processes=processes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, render and verify; 0 also when only the simulated scene could run."""
    parser = argparse.ArgumentParser(prog="python -m experiments.reproduce", description=__doc__)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--force", action="store_true", help="run again what is finished")
    kinds.add_argument(
        "--tables", action="store_true", help="render and verify the finished runs, run nothing"
    )
    parser.add_argument("--all", action="store_true", help="every seed and every study")
    parser.add_argument("--processes", type=int, help="runs at a time; one a core by default")
    options = parser.parse_args(arguments)
    scenes, space = available_scenes(), RESULTS
    if not scenes:
        scenes, space = ["simulated"], SIMULATED
        print(
            "No real scene can be had here: running the simulated one instead. Everything it "
            f"writes is under {SIMULATED.root} and marked as simulated.",
            flush=True,
        )
    with quiet_start():  # titles of the detectors need TensorFlow
        stages = [one_seed(scenes)]
    if options.all and space is not SIMULATED:
        # The failures ask the models that the trainings leave.
        stages += [catalogue.planned(scenes), catalogue.planned_last(scenes)]
    if not options.tables:
        try:
            for runs in stages:
                run_missing(
                    runs, scenes, space, force=options.force, processes=options.processes
                )
        except KeyboardInterrupt:
            print("\nInterrupted. The same command goes on from here.", flush=True)
            return 130
    return _conclude(scenes, space)


def _conclude(scenes: Sequence[str], space: Workspace) -> int:
    """Render everything that is there, verify it and say where it is."""
    texts = everything.write(space, scenes)
    page = report.write_report(space)
    for text in texts:
        print(f"\n{text}\n")
    print(f"Tables: {space.tables}\nFigures: {space.figures}\nEverything on one page: {page}")
    if space is SIMULATED:
        print("Simulated scene: there is no committed result to verify against.")
        return 0
    found = verification.verify(catalogue.everything(scenes), space, REFERENCE)
    print(f"\n{verification.write(found, space)}")
    if verification.passed(found):
        return 0
    print("At least one figure is outside its tolerance.")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
