"""Record of a benchmark's folder: which scenes, which methods, how many seeds.

A folder may gain scenes, methods and seeds with every call. The meaning of a name in it never
changes, since existing results would then stand for something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lren_tf.benchmark.methods import Method
from lren_tf.benchmark.scenes import JudgedScene
from lren_tf.errors import InputError
from lren_tf.records import json_text
from lren_tf.runtime.files import atomic_path

RECORD = "benchmark.json"
"""Name of the record in the folder."""
_FORMAT = 1


@dataclass(frozen=True)
class Plan:
    """Scenes and methods, by name and key, in the order in which they came."""

    scenes: dict[str, JudgedScene] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)

    def with_scenes(self, scenes: Iterable[JudgedScene]) -> Plan:
        """Return a plan that has these scenes too.

        Raises:
            InputError: one of them has the name of another scene.
        """
        merged = dict(self.scenes)
        for scene in scenes:
            for known in self.scenes.values():
                same = known.name == scene.name and _plain(known.content) == _plain(scene.content)
                if known.name.casefold() == scene.name.casefold() and not same:
                    raise InputError(
                        f"{scene.path} is not the scene that the benchmark calls {known.name} "
                        f"({_difference(known, scene)}); expected the same one, choose another "
                        "folder with --out or rename the file."
                    )
            # Where it lies now, and how it is read there.
            merged[scene.name] = scene
        return replace(self, scenes=merged)

    def with_methods(self, methods: Iterable[Method]) -> Plan:
        """Return a plan that has these methods too; of two numbers of seeds the larger counts.

        Raises:
            InputError: one of them is declared otherwise, or lies elsewhere.
        """
        merged = dict(self.methods)
        for method in methods:
            known = merged.get(method.key, method)
            if known.chosen_with_truth != method.chosen_with_truth:
                said = "yes" if known.chosen_with_truth else "no"
                raise InputError(
                    f"{method.title} was declared --chosen-with-truth {said} when it came into "
                    "the benchmark; expected the same, choose another folder with --out."
                )
            if known.maps != method.maps:
                raise InputError(
                    f"{method.title} are those of {known.maps} in the benchmark, and not of "
                    f"{method.maps}; expected one folder of a name, rename the other."
                )
            merged[method.key] = replace(method, seeds=max(known.seeds, method.seeds))
        return replace(self, methods=merged)

    def write(self, folder: Path) -> None:
        """Write the record.

        Raises:
            InputError: it cannot be written.
        """
        record = {
            "format": _FORMAT,
            "scenes": {scene.name: scene.record() for scene in self.scenes.values()},
            "methods": {method.key: method.record() for method in self.methods.values()},
        }
        with atomic_path(folder / RECORD) as temporary:
            temporary.write_text(json_text(record), encoding="ascii")


def read_plan(folder: Path) -> Plan:
    """Plan of a folder; an empty one where there is none.

    Raises:
        InputError: the folder has a record that is none of a benchmark.
    """
    path = folder / RECORD
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return Plan()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); expected the record of a benchmark, choose another "
            "folder with --out."
        ) from error
    try:
        record = json.loads(text)
        if record["format"] != _FORMAT:
            raise ValueError(f"its format is {record['format']!r}, not {_FORMAT}")
        return Plan(
            {name: JudgedScene(name, **held) for name, held in record["scenes"].items()},
            {key: Method(key, **held) for key, held in record["methods"].items()},
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not the record of a benchmark ({' '.join(str(error).split())}); expected "
            "one that lren-tf benchmark wrote, choose another folder with --out."
        ) from error


def _plain(content: Any) -> Any:
    return json.loads(json_text(content))


def _difference(one: JudgedScene, other: JudgedScene) -> str:
    if one.name != other.name:
        return "capital letters do not count"
    before, now = _plain(one.content), _plain(other.content)
    names = [name for name in before | now if before.get(name) != now.get(name)]
    return f"{', '.join(names)} differ"
