"""The files of a run of ``detect``, each proved to be writable before anything is computed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from lren_tf.cli.options.library import (
    check_library_fits,
    check_library_options,
    library_endings,
)
from lren_tf.cli.options.outputs import MapOutput, refuse_to_replace, requested_format
from lren_tf.cli.options.scene import output_path, refuse_to_replace_another_scene
from lren_tf.cli.options.threshold import requested_threshold, threshold_endings
from lren_tf.data.georeference import Georeference
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.io.stac import check_stac, check_stac_installed
from lren_tf.runtime.files import ensure_writable_target

READ = ("scene", "truth", "mask", "background", "library", "review")
"""Options that name files to read."""


Entries = Callable[[], dict[str, Any]]


def no_entries() -> dict[str, Any]:
    """Return no further entries of a report."""
    return {}


class RunFiles:
    """Requested outputs and their files, each proved to be writable.

    Created before the scene is read, to refuse early what can be refused without it; `follow`
    then adds the files that depend on the scene.

    Attributes:
        arguments: of the command.
        explains: whether detections are explained.
        views: whether a page is written.
        threshold: the request for a threshold, or None.
        maps: the formats of score and mask.
        targets: the files, by what they are, in the order of writing.
        entries: makes further ones of the report, when everything else is written.

    Raises:
        InputError: an option or a file that cannot be used.
    """

    def __init__(self, arguments: argparse.Namespace, entries: Entries = no_entries) -> None:
        self.arguments = arguments
        self.entries = entries
        self._format = requested_format(arguments)
        self.threshold = requested_threshold(arguments)
        self.explains, self.views = bool(arguments.explain), bool(arguments.view)
        check_library_options(arguments)
        if arguments.stac:
            check_stac_installed()
        self._evidence: tuple[str, ...] = ()
        self._use(MapOutput(self._format))

    @property
    def needs_evidence(self) -> bool:
        """True if maps of the evidence are needed, beside the score."""
        return bool(self.arguments.evidence) or self.threshold is not None or self.views

    def show_evidence(self, names: tuple[str, ...]) -> None:
        """Add a map of each evidence where ``--evidence`` asks for them.

        Args:
            names: of the evidence that the scores are made of.

        Raises:
            InputError: ``--evidence`` was given, but they are made of none.
        """
        if not self.arguments.evidence:
            return
        if not names:
            raise InputError(
                "--evidence was given, but the model does not score by evidence; expected it with "
                "--preset robust, leave it out."
            )
        self._evidence = names
        self._use(self.maps)

    def follow(self, scene: Scene) -> None:
        """Take the format and the georeference of the scene's file.

        Raises:
            InputError: ``--stac`` without a georeference, or with maps of another format.
        """
        self.follow_format(scene.source_format, scene.georeference)
        check_library_fits(self.arguments, scene)
        if self.arguments.stac:
            if not self.maps.geotiff:
                raise InputError(
                    "--stac was given, but maps are not written as GeoTIFF; expected both, add "
                    "--format geotiff or leave --stac out."
                )
            check_stac(self.maps.grid)

    def follow_format(
        self, source_format: str | None, georeference: Georeference | None = None
    ) -> None:
        """Take the format of the scene's file.

        Args:
            source_format, georeference: of the scene.
        """
        self._use(MapOutput(self._format, source_format, georeference))

    def _use(self, maps: MapOutput) -> None:
        arguments, model = self.arguments, self.arguments.save_model
        if model is not None and not model.endswith(".keras"):
            raise InputError(
                f"--save-model is {model!r}; expected a name that ends in .keras, "
                "Keras' own format, add it."
            )
        self.maps = maps
        endings = maps.endings("score")
        for name in self._evidence:
            endings |= maps.endings(f"evidence_{name}")
        endings["picture"] = "_score.png"
        if self.views:
            endings["view"] = "_view.html"
        if self.threshold is not None:
            endings |= threshold_endings(maps, self.threshold)
        endings |= library_endings(arguments)
        if arguments.stac:
            endings["stac"] = "_stac.json"
        self.targets = {
            **{what: output_path(arguments, ending) for what, ending in endings.items()},
            **({} if model is None else {"model": ensure_writable_target(model)}),
            # Last, so that whatever a report names is there when the report is.
            "report": output_path(arguments, "_report.json"),
        }
        refuse_to_replace(self.targets, [getattr(arguments, name) for name in READ])
        refuse_to_replace_another_scene(arguments, self.targets["report"])
