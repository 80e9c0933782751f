"""Methods of a benchmark: detectors with their settings, and score maps of other programs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lren_tf import datasets, detectors
from lren_tf.errors import InputError
from lren_tf.io.load import scene_stem
from lren_tf.records import json_text
from lren_tf.runtime.files import as_path

if TYPE_CHECKING:
    from lren_tf.detectors import Detector

MAPS = "maps:"
"""Beginning of the key of a folder of score maps."""
_ELSEWHERE = ("seed", "device")
"""Settings that a method has not: the benchmark gives the seeds, and the device is no choice
between results."""
_MAP_ENDINGS = ("", "_score")


@dataclass(frozen=True)
class Method:
    """One row of a leaderboard.

    Attributes:
        key: by which the record of a benchmark knows it.
        title: what tables call it.
        detector: name of the detector; None of score maps.
        settings: those that differ from the detector's defaults, ready for JSON.
        maps: folder of score maps, absolute; None of a detector.
        seeds: seeds to run, 1 or more: the detector's own and those after it. One where
            nothing is drawn.
        chosen_with_truth: True if the settings, or the maps, were chosen with the truth of the
            scenes; None of the defaults, for which the question does not come up.
    """

    key: str
    title: str
    detector: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    maps: str | None = None
    seeds: int = 1
    chosen_with_truth: bool | None = None

    def record(self) -> dict[str, Any]:
        """All attributes but the key, for JSON."""
        return {n: v for n, v in asdict(self).items() if n != "key"}

    @property
    def slug(self) -> str:
        """Name for files, different for different keys."""
        if self.detector is not None and not self.settings:
            return self.detector
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:8]
        return f"{self.detector or 'maps'}-{digest}"

    @property
    def label(self) -> str:
        """Title, with the preset or variant of a detector that has some.

        Raises:
            InputError: as `made`.
        """
        return self.title if self.detector is None else _title(self.made(), self.settings)

    def took_part(self, content: Mapping[str, Any]) -> bool:
        """Return whether the truth of a scene took part in choosing what the method is.

        That is declared of settings and of score maps for all scenes of the benchmark, and of
        defaults by the detector (`chosen_on`) for some.

        Args:
            content: of the scene, see :class:`~lren_tf.benchmark.scenes.JudgedScene`.

        Raises:
            InputError: as `made`, or the detector names a scene that nobody knows.
        """
        if self.chosen_with_truth or self.detector is None:
            return bool(self.chosen_with_truth)
        return content["truth_sha256"] in _truths_of(self.made())

    def with_seeds(self, seeds: int) -> Method:
        """Return the method with another number of seeds."""
        return replace(self, seeds=seeds)

    def made(self, seed: int | None = None) -> Detector:
        """The detector, of a method that has one.

        Raises:
            InputError: there is no such detector, or not with these settings.
        """
        if self.detector is None:
            raise InputError(f"{self.title} has score maps; expected a detector.")
        seeded = {} if seed is None else {"seed": seed}
        return detectors.create(self.detector, **self.settings, **seeded)

    def drawn(self) -> list[int | None]:
        """The seeds of its runs; None where nothing is drawn.

        Raises:
            InputError: as `made`.
        """
        if self.detector is None:
            return [None]
        detector = self.made()
        if not detector.draws:
            return [None]
        first = int(detector.get_config()["seed"])
        return [first + number for number in range(self.seeds)]

    def map_of(self, scene: str) -> Path:
        """The file of the score map of a scene: ``SCENE.*``, or ``SCENE_score.*``.

        Raises:
            InputError: there is none, or more than one.
        """
        folder = Path(str(self.maps))
        stems = [f"{scene}{ending}" for ending in _MAP_ENDINGS]
        try:
            listed = sorted(folder.iterdir())
        except OSError as error:
            raise InputError(
                f"{folder} cannot be listed ({error.strerror or error}); expected the folder of "
                "score maps that the benchmark began with, put it back."
            ) from error
        found = [path for path in listed if path.is_file() and scene_stem(path) in stems]
        # The header stands for nothing that the file of values does not.
        values = [path for path in found if path.suffix.lower() not in (".hdr", ".json")]
        if len(values) != 1:
            what = f"{len(values)} files" if values else "no file"
            raise InputError(
                f"{folder} holds {what} that can be the score map of {scene}; expected one, "
                f"called {scene} or {scene}_score with the ending of its format."
            )
        return values[0]


def detector_method(
    name: str,
    settings: Mapping[str, Any],
    seeds: int = 1,
    chosen_with_truth: bool | None = None,
) -> Method:
    """A method that is a detector; settings that have their default's value are left out.

    Args:
        name: of the detector.
        settings: by name; those of LREN's preset as `settings`.
        seeds: 1 or more.
        chosen_with_truth: counts where settings are left.

    Raises:
        InputError: an unknown detector, a setting that it has not or cannot have, a seed, a
            declaration that is missing, or one of the detector that names a scene nobody knows.
    """
    for setting in _ELSEWHERE:
        if setting in settings:
            raise InputError(
                f"setting {setting!r} of {name} was given to a benchmark; expected one of its "
                "other settings: --seeds gives the seeds, and the device is what there is."
            )
    made = detectors.create(name, **settings)
    _truths_of(made)
    values, defaults = _own(made), _own(detectors.create(name))
    changed = {n: v for n, v in values.items() if v != defaults[n]}
    if not changed:
        return Method(name, _title(made, {}), name, {}, None, seeds)
    text = ", ".join(f"{n}={v}" for n, v in sorted(_shown(changed).items()))
    _need_declaration(f"the settings {text} of {made.title}", chosen_with_truth)
    return Method(
        f"{name}({text})", _title(made, changed), name, changed, None, seeds, chosen_with_truth
    )


def maps_method(folder: str, chosen_with_truth: bool | None) -> Method:
    """A method that is a folder of score maps of another program.

    Raises:
        InputError: it is no folder that can be read, or the declaration is missing.
    """
    path = as_path(folder).absolute()
    if not path.is_dir():
        raise InputError(
            f"--against {folder} is no folder; expected one of score maps named by scene, check "
            "the path."
        )
    _need_declaration(f"the score maps in {folder}", chosen_with_truth)
    return Method(
        f"{MAPS}{path.name}", f"{path.name} (score maps)", maps=str(path),
        chosen_with_truth=chosen_with_truth,
    )  # fmt: skip


def _shown(changed: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name; those of LREN's preset are settings like any other."""
    shown = dict(changed)
    return shown | (shown.pop("settings", None) or {})


def _title(made: Detector, changed: Mapping[str, Any]) -> str:
    shown = _shown(changed)
    shown.pop(made.named_by, None)
    parts = [str(getattr(made, made.named_by))] if made.named_by else []
    parts += [f"{n}={v}" for n, v in sorted(shown.items())]
    return f"{made.title} ({', '.join(parts)})" if parts else made.title


def _truths_of(made: Detector) -> list[str]:
    """SHA-256 of the truths of the scenes that a detector names."""
    known = {**datasets.BENCHMARKS, **datasets.FURTHER}
    found = []
    for scene in made.chosen_on:
        if scene not in known and not re.fullmatch("[0-9a-f]{64}", scene):
            raise InputError(
                f"{made.title} says that its defaults were chosen on {scene!r}; expected the "
                f"SHA-256 of a truth, or one of {', '.join(known)}."
            )
        found.append(known[scene].truth_sha256 if scene in known else scene)
    return found


def _own(made: Detector) -> dict[str, Any]:
    """Settings without those of the benchmark, as JSON gives them back."""
    found: dict[str, Any] = json.loads(json_text(made.get_config()))
    return {n: v for n, v in found.items() if n not in _ELSEWHERE}


def _need_declaration(what: str, chosen_with_truth: bool | None) -> None:
    if chosen_with_truth is None:
        raise InputError(
            f"nothing says whether {what} were chosen with the truth of the scenes; expected "
            "--chosen-with-truth yes or no."
        )
