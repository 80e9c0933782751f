"""Finished results, identified by the content of the files, the settings and the version.

The report of a scene is the last of its files to be renamed into place, so if it exists, all files
do. It holds a key: a hash of the contents of every file that was read, of the settings, and of the
package's version. If neither the size nor the modification time of those files has changed, they
are not read again to check the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lren_tf.errors import InputError
from lren_tf.records import json_text
from lren_tf.runtime.files import atomic_path
from lren_tf.version import __version__

ENTRY = "batch"
"""Key of a report under which a `Result` is identified."""
_BLOCK_BYTES = 1 << 20
_SETTLED_NS = 2_000_000_000
"""A file that was written less than this ago may be written again with the same time."""


@dataclass(frozen=True)
class Result:
    """One result: what it depends on, and the report that says that it is there.

    Attributes:
        report: path of the report.
        settings: everything that changes the result and is no file; JSON can hold it.
        files: the files that it is made from, by what they are.
    """

    report: Path
    settings: Mapping[str, Any]
    files: Mapping[str, Sequence[Path]]

    def found(self) -> dict[str, Any] | None:
        """The report, if it is there and nothing has changed; None where one has to look closer.

        Reads none of the files.
        """
        report = self._report()
        if report is None or not self._same(report[ENTRY]):
            return None
        for what, stamps in self._stamps().items():
            for stamp, known in zip(stamps, report[ENTRY]["files"][what], strict=True):
                if not known["settled"] or stamp != (known["bytes"], known["time"]):
                    return None
        return report

    def is_there(self) -> bool:
        """Return whether the report is there and nothing has changed; nothing is written.

        Reads files that may have changed since, as :meth:`entry` does.

        Raises:
            InputError: as of :meth:`entry`.
        """
        report = self._report()
        if report is None or not self._same(report[ENTRY]):
            return False
        return self.found() is not None or self.entry()["key"] == report[ENTRY].get("key")

    def found_by(self, entry: Mapping[str, Any]) -> dict[str, Any] | None:
        """The report, if it is that of files with the same contents; else None.

        Args:
            entry: of the files as they are now.
        """
        report = self._report()
        if report is None or entry["key"] != report[ENTRY].get("key"):
            return None
        # So that next time nothing has to be read.
        report[ENTRY] = entry
        with atomic_path(self.report) as temporary:
            temporary.write_text(json_text(report), encoding="ascii")
        return report

    def entry(self) -> dict[str, Any]:
        """Entry of the report that identifies the result.

        Raises:
            InputError: a file cannot be read.
        """
        now = time.time_ns()
        files = {}
        for what, paths in self.files.items():
            files[what] = [_file_record(path, now) for path in paths]
        content = {what: [each["sha256"] for each in found] for what, found in files.items()}
        known = {"files": content, "settings": _plain(self.settings), "version": __version__}
        key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
        return {**known, "key": key, "files": files}

    def check_unchanged(self, entry: Mapping[str, Any]) -> None:
        """Refuse a result whose files were changed while it was made.

        Args:
            entry: from before.

        Raises:
            InputError: one was.
        """
        for what, paths in self.files.items():
            for path, before in zip(paths, entry["files"][what], strict=True):
                if _stamp(path) != (before["bytes"], before["time"]):
                    raise InputError(
                        f"{path} was changed while it was worked on; expected files that stay as "
                        "they are, run the same command again."
                    )

    def _report(self) -> dict[str, Any] | None:
        """The report, if it is one of a batch and its files are there."""
        report = read_report(self.report)
        if report is None or not isinstance(report.get(ENTRY), dict):
            return None
        named = report.get("files")
        if not isinstance(named, dict):
            return None
        there = (placed(self.report, str(name)).exists() for name in named.values())
        return report if all(there) else None

    def _same(self, entry: Mapping[str, Any]) -> bool:
        return (
            entry.get("version") == __version__
            and entry.get("settings") == _plain(self.settings)
            and isinstance(entry.get("files"), dict)
            and {what: len(found) for what, found in entry["files"].items()}
            == {what: len(paths) for what, paths in self.files.items()}
        )

    def _stamps(self) -> dict[str, list[tuple[int, int] | None]]:
        return {what: [_stamp(path) for path in paths] for what, paths in self.files.items()}


def read_report(path: Path) -> dict[str, Any] | None:
    """A report, or None where there is none that can be read."""
    try:
        report = json.loads(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def placed(report: Path, named: str) -> Path:
    """A file that a report names; beside the report, if it was moved with it."""
    beside = report.parent / Path(named).name
    return beside if beside.exists() else Path(named)


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back."""
    return json.loads(json_text(value))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Bytes and time of the last change, in nanoseconds; None where there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _file_record(path: Path, now: int) -> dict[str, Any]:
    """Content, size and time of a file.

    Args:
        now: time of the clock in nanoseconds, from before the file is read.

    Returns:
        The record. `settled` is False of a file younger than `_SETTLED_NS`, which may change once
        more and keep its time.
    """
    stamp, content = _stamp(path), hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                content.update(block)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); expected a file."
        ) from error
    if stamp is None:
        raise InputError(f"{path} does not exist; expected a file, check the path.")
    size, changed = stamp
    return {
        "path": str(path),
        "sha256": content.hexdigest(),
        "bytes": size,
        "time": changed,
        "settled": now - changed > _SETTLED_NS,
    }
