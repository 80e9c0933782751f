"""``lren-tf benchmark``: scenes × methods × seeds, and the leaderboard of a folder."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lren_tf.benchmark.leaderboard import RANKED_BY, Ended, leaderboard
from lren_tf.benchmark.plan import RECORD, Plan, read_plan
from lren_tf.benchmark.run import Run
from lren_tf.benchmark.scenes import judged_scenes
from lren_tf.benchmark.tables import csv_text, markdown, page, tables
from lren_tf.cli.console import collected_notices, renamed, result, say, tell_files
from lren_tf.cli.options.benchmark_plan import here, tell_benchmark_plan
from lren_tf.cli.options.methods import methods_from
from lren_tf.cli.options.scene import reading_options
from lren_tf.cli.options.workers import WorkerOptions, tell_failure
from lren_tf.errors import InputError, TasksFailed
from lren_tf.records import json_text
from lren_tf.runtime.files import (
    as_path,
    atomic_paths,
    ensure_writable_folder,
    ensure_writable_target,
)
from lren_tf.runtime.folder_lock import exclusive_use, remove_temporary
from lren_tf.tasks.run import Outcome, run_tasks

_ENDINGS = ("csv", "md", "html", "json")
_NAMED = 5


def benchmark(arguments: argparse.Namespace) -> None:
    """Make every run of the folder that is not finished, then write the leaderboard.

    Raises:
        InputError: an option, a scene or the folder cannot be used.
        TasksFailed: no run succeeded.
        WorkerLost: the connection to the scheduler broke.
    """
    workers = WorkerOptions(arguments)
    out = as_path(arguments.out).absolute()
    ensure_writable_target(out / RECORD)
    with collected_notices():
        if arguments.dry_run:
            arguments.scenes = here(arguments.scenes)
        plan = _asked(arguments, read_plan(out))
        runs = _runs(plan, out)
    if arguments.dry_run:
        files = {ending: out / f"leaderboard.{ending}" for ending in _ENDINGS}
        tell_benchmark_plan(arguments, runs, {"plan": out / RECORD, **files}, workers.workers)
        return
    with (
        workers.engine() as engine,
        exclusive_use(ensure_writable_folder(out), "lren-tf benchmark"),
    ):
        plan.write(out)
        progress = _Progress(len(runs), arguments.debug)
        try:
            run_tasks([run.task() for run in runs], engine, told=progress.tell)
        except KeyboardInterrupt:
            ended = [progress.ended.get(run.record, Ended(run)) for run in runs]
            files = _write(plan, ended, out)
            raise KeyboardInterrupt(
                f"interrupted, {_done(ended)} of {len(runs)} runs are finished, see "
                f"{files['md']}; run the same command again for the rest."
            ) from None
        for folder in {run.record.parent for run in runs} | {out}:
            if folder.is_dir():
                remove_temporary(folder)
        ended = [progress.ended[run.record] for run in runs]
        _conclude(ended, _write(plan, ended, out), progress.before)


def _asked(arguments: argparse.Namespace, known: Plan) -> Plan:
    """The plan of the folder with what this call adds."""
    if not arguments.scenes and not known.scenes:
        raise InputError(
            f"no scene was given, and {arguments.out} holds no benchmark; expected scenes, pass "
            "files or names."
        )
    methods = methods_from(arguments, known.methods)
    plan = known.with_methods(methods)
    reading = reading_options(arguments)
    if arguments.scenes:
        with renamed(drop_water="drop_water_bands"):
            plan = plan.with_scenes(judged_scenes(arguments.scenes, reading))
    elif reading:
        raise InputError(
            "options that say how a file is read were given without a scene; expected scenes with "
            "them, leave them out."
        )
    for method in methods:
        if method.maps is not None:
            _need_a_map(plan, method)
    return plan


def _need_a_map(plan: Plan, method: Any) -> None:
    """Refuse a folder without a map of any scene; one that lacks some has failed there."""
    reasons = []
    for scene in plan.scenes:
        try:
            method.map_of(scene)
        except InputError as error:
            reasons.append(error)
    if len(reasons) == len(plan.scenes):
        raise reasons[0]


def _runs(plan: Plan, out: Path) -> list[Run]:
    """Every run of a plan: method by method, seed by seed."""
    return [
        Run(str(out), scene, method, seed)
        for method in plan.methods.values()
        for seed in method.drawn()
        for scene in plan.scenes.values()
    ]


@dataclass
class _Progress:
    """Printer of a line for every run that has ended.

    Attributes:
        ended: ends by the path of the record.
        before: number of runs that were finished before.
    """

    total: int
    debug: bool
    ended: dict[Path, Ended] = field(default_factory=dict)
    before: int = 0

    def tell(self, outcome: Outcome, again: bool) -> None:
        """Print the line of an outcome; `run_tasks` calls this."""
        tell_failure(outcome, again, debug=self.debug)
        if again:
            return
        (run,) = outcome.task.arguments
        self.ended[run.record] = Ended(run, outcome.value, outcome.failure)
        if not outcome.tries:
            self.before += 1
            return
        text = f"failed: {outcome.failure}"
        if outcome.failure is None:
            text = f"AUC(Pd,Pf) {outcome.value['metrics'][RANKED_BY]:.4f}"
            seconds = outcome.value["seconds"]
            text += "" if seconds is None else f", {seconds:.1f} s"
        say(f"[{len(self.ended)}/{self.total}] {outcome.task.name}: {text}")


def _write(plan: Plan, ended: Sequence[Ended], out: Path) -> dict[str, Path]:
    """Write the leaderboard in all its forms; the files by their endings."""
    from lren_tf import plots

    board = leaderboard(plan, ended)
    points = {
        row["title"]: (row["mean"]["seconds"]["mean"], row["mean"][RANKED_BY]["mean"])
        for row in board["methods"].values()
        if row["mean"].get("seconds") is not None
    }
    files = {ending: out / f"leaderboard.{ending}" for ending in _ENDINGS}
    picture = out / "leaderboard.png"
    if points:
        files = {"png": picture, **files}
    else:
        picture.unlink(missing_ok=True)
    texts = {
        "json": json_text(board), "csv": csv_text(board),
        "md": f"# Leaderboard\n\n{markdown(board)}",
        "html": page(board, picture.name if points else ""),
    }  # fmt: skip
    with atomic_paths(*files.values()) as temporary:
        for ending, path in zip(files, temporary, strict=True):
            if ending == "png":
                plots.save(plots.auc_against_seconds(points), path)
            else:
                path.write_text(texts[ending], encoding="utf-8")
    result(leaderboard=board)
    say(_printed(board))
    return files


def _printed(board: Mapping[str, Any]) -> str:
    """The first table, in columns."""
    first = tables(board)[0]
    lines = [first.header, *first.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(first.header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _done(ended: Sequence[Ended]) -> int:
    return sum(each.record is not None for each in ended)


def _conclude(ended: Sequence[Ended], files: Mapping[str, Path], before: int) -> None:
    failed = [each for each in ended if each.failure is not None]
    line = f"{len(ended)} run{'' if len(ended) == 1 else 's'}: {_done(ended)} done"
    line += f" ({before} of them before)" if before else ""
    line += f", {len(failed)} failed" if failed else ""
    say(line)
    result(runs=[
        {"name": each.run.name, "record": str(each.run.record), "failure": each.failure}
        for each in ended
    ])  # fmt: skip
    tell_files(files)
    if len(failed) == len(ended):
        named = "; ".join(f"{each.run.name} ({each.failure})" for each in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise TasksFailed(
            f"all runs failed: {named}{more}; expected one at least to be done, the same command "
            "tries them again."
        )
