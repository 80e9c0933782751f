"""The text of an ENVI header, entry by entry: nothing in it is dropped silently.

It is read as ENVI and GDAL read it. A brace ends at the brace that closes it, whatever follows on
the line; `;` begins a comment; blanks and underscores in names are the same, and so is their case;
of an entry that comes twice the last one counts. What cannot be read is reported by a `UserWarning`
with its line, or refused if a value would be lost.
"""

from __future__ import annotations

import difflib
import math
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.failures import damaged, failure, other_content
from lren_tf.io.base.source import Source

WHAT = "ENVI header"
CORRECT = "correct the header or take the entry out"
"""Remedy for an entry that cannot be understood."""
_LARGEST_BYTES = 32 << 20
_MOST_LINES = 100_000

HONOURED = frozenset({
    "samples", "lines", "bands", "header offset", "data type", "interleave", "byte order",
    "file type", "file compression", "bbl", "data ignore value", "reflectance scale factor",
    "data gain values", "data offset values", "wavelength", "wavelength units", "band names",
    "map info", "coordinate system string", "projection info", "pixel size", "geo points",
    "rpc info", "x start", "y start", "major frame offsets", "minor frame offsets",
})  # fmt: skip
"""Entries that change what is read, or say where it lies."""

_HARMLESS = frozenset({
    "description", "default bands", "default stretch", "fwhm", "sensor type", "z plot range",
    "z plot titles", "z plot average", "spectra names", "class names", "class lookup", "classes",
    "acquisition time", "dem file", "dem band", "cloud cover", "sun azimuth", "sun elevation",
    "read procedures", "complex function", "product type", "security tag", "timestamp",
    "solar irradiance", "radiance units", "data units", "values", "history", "interleaves",
})  # fmt: skip
_NOTHING = frozenset({"", "nan", "-nan", "none", "null", "n/a", "na", "unknown", "undefined"})


class Header(dict[str, "str | list[str]"]):
    """Entries by name: a text, or the list of what braces enclose.

    Attributes:
        file: where they stand.
        lines: the line of each, from 1.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.lines: dict[str, int] = {}

    def where(self, entry: str) -> str:
        """`'data type' (line 7)`, for messages."""
        line = self.lines.get(entry)
        return f"'{entry}'" if line is None else f"'{entry}' (line {line})"

    def plain(self, entry: str) -> str:
        """The text of an entry with a single value: without braces, quotes and a comment."""
        value = self.get(entry, "")
        text = ", ".join(part for part in value if part) if isinstance(value, list) else value
        return " ".join(text.split(";")[0].strip().strip("\"'").split())

    def said(self, entry: str) -> str:
        """The beginning of `plain`, for messages."""
        return self.plain(entry)[:60]

    def number(self, entry: str) -> float | None:
        """The number of an entry, or None where it has none.

        Raises:
            InputError: it is none, or not finite.
        """
        text = self.plain(entry)
        if entry not in self or text.lower() in _NOTHING:
            return None
        number = as_number(text)
        if number is None or not math.isfinite(number):
            raise InputError(
                received=f"{self.file.name}: {self.where(entry)} is '{text[:60]}'",
                expected="a number",
                remedy=CORRECT,
            )
        return number

    def numbers(self, entry: str, length: int, what: str = "band") -> np.ndarray | None:
        """The numbers [length] of a list with one entry for each band, or None where it has none.

        Raises:
            InputError: there are more or less, or something in it is no finite number.
        """
        values = self.listed(entry)
        if not values:
            return None
        if len(values) != length:
            raise InputError(
                received=f"{self.file.name}: '{entry}' has {len(values)} entries for {length} "
                f"{what}s",
                expected=f"one for each {what}",
                remedy=CORRECT,
            )
        numbers = [as_number(value) for value in values]
        if not all(number is not None and math.isfinite(number) for number in numbers):
            raise damaged(
                self.file, WHAT, f"'{entry}' holds something that is no number", "numbers", CORRECT
            )
        return np.array(numbers, np.float64)

    def listed(self, entry: str) -> list[str]:
        """Items of a list, without an empty end as in `{1, 2, }`."""
        value = self.get(entry, [])
        if not isinstance(value, list):
            value = self.plain(entry).split(",")
        while value and not value[-1].strip():
            value = value[:-1]
        return value


def as_number(text: str) -> float | None:
    """The number in a text as headers write it, or None: `1.0D4`, `-9999,`, `"0.5"` do too."""
    plain = text.strip().strip("\"'{}").strip().rstrip(",").strip()
    plain = re.sub(r"^([-+]?[0-9.]+)[dD]([-+]?[0-9]+)$", r"\1e\2", plain)
    if "_" in plain:
        return None  # which Python allows in numbers
    try:
        return float(plain)
    except ValueError:
        return None


def read_header(source: Source) -> Header:
    """The entries of a header.

    Raises:
        InputError: the file is none, far too long, or a brace is not closed.
    """
    file, size = source.path, source.size
    if size > _LARGEST_BYTES:
        raise damaged(
            file, WHAT, f"{size} bytes are no text header", "a text of some lines",
            "pass the header that belongs to the image",
        )  # fmt: skip
    try:
        content = source.start_over().read()
    except OSError as error:
        raise failure(file, WHAT, error) from error
    lines = _text(content).splitlines()
    if not lines or not lines[0].startswith("ENVI"):
        if _looks_like_esri(lines):
            raise damaged(
                file, WHAT, "it is one of ESRI's for raw rasters", "ENVI's",
                "convert the image, with gdal_translate -of ENVI",
            )  # fmt: skip
        raise other_content(file, WHAT) or damaged(
            file, WHAT, "it does not begin with ENVI", "the header of an ENVI image",
            "pass one, or make ENVI its first line",
        )  # fmt: skip
    if len(lines) > _MOST_LINES:
        raise damaged(
            file, WHAT, f"it has {len(lines)} lines", f"{_MOST_LINES} at most",
            "pass the header that belongs to the image",
        )  # fmt: skip
    return _entries(file, lines)


def note_what_is_lost(header: Header) -> None:
    """Tell, by a `UserWarning`, of entries that look like others misspelt."""
    known = HONOURED | _HARMLESS
    for entry in header:
        if entry in known:
            continue
        near = difflib.get_close_matches(entry, HONOURED, 1, 0.85)
        if near and near[0] not in header:
            warnings.warn(
                f"{header.file.name}: {header.where(entry)} is no entry of an ENVI header and is "
                f"not used; if '{near[0]}' is meant, correct it.",
                stacklevel=3,
            )


def unused_entries(header: Header) -> list[str]:
    """Entries that nothing here knows."""
    return [entry for entry in header if entry not in HONOURED | _HARMLESS]


def _looks_like_esri(lines: list[str]) -> bool:
    """Return whether a text is the other kind of .hdr, of names and values alone."""
    names = {line.split()[0].upper() for line in lines[:40] if line.split()}
    return len(names & {"NROWS", "NCOLS", "NBANDS", "NBITS", "BYTEORDER", "LAYOUT"}) >= 2


def _text(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # as older programs wrote units and names


def _entries(file: Path, lines: list[str]) -> Header:
    header = Header(file)
    strange: list[str] = []
    twice: list[str] = []
    at = 1
    while at < len(lines):
        line, number = lines[at].strip(), at + 1
        at += 1
        if not line or line.startswith(";"):
            continue
        name, sign, value = line.partition("=")
        entry = " ".join(name.replace("_", " ").split()).lower()
        if not sign or not entry:
            strange.append(f"line {number} ({line[:40]!r})")
            continue
        value = value.strip()
        found: str | list[str] = value
        if value.startswith("{"):
            inside, at, rest = _braced(file, entry, number, lines, at, value)
            if rest and not rest.startswith(";"):
                strange.append(f"what follows the brace on line {at} ({rest[:40]!r})")
            found = inside.strip()
            if entry != "description":
                found = [part.strip() for part in inside.split(",")]
        if entry in header and header[entry] != found and entry in HONOURED:
            twice.append(f"'{entry}' (lines {header.lines[entry]} and {number})")
        header[entry], header.lines[entry] = found, number
    if strange:
        warnings.warn(
            f"{file.name}: {_some(strange)} cannot be read as an entry and {_is(strange)} not "
            "used.",
            stacklevel=5,
        )
    if twice:
        warnings.warn(
            f"{file.name}: {_some(twice)} {_is(twice)} said twice; the last one is used.",
            stacklevel=5,
        )
    return header


def _braced(
    file: Path, entry: str, number: int, lines: list[str], at: int, value: str
) -> tuple[str, int, str]:
    """Return the text in a brace, the next line to read, and what follows the brace."""
    parts: list[str] = []
    depth, line, first = 0, value, at
    while True:
        for place, sign in enumerate(line):
            depth += (sign == "{") - (sign == "}")
            if sign == "}" and depth == 0:
                parts.append(line[:place])
                return "\n".join(parts)[1:], at, line[place + 1 :].strip()
        parts.append(line)
        while at < len(lines) and lines[at].lstrip().startswith(";"):
            at += 1
        if at >= len(lines):
            break
        line, at = lines[at].strip(), at + 1
    # A brace in free text that is never closed: the first that closes ends the entry.
    whole = [value, *(text.strip() for text in lines[first:])]
    for index, text in enumerate(whole):
        before, sign, rest = text.partition("}")
        if sign:
            return "\n".join([*whole[:index], before])[1:], first + index, rest.strip()
    raise damaged(
        file, WHAT, f"the brace of '{entry}' on line {number} is not closed",
        "one that is", "close it, or take the entry out",
    )  # fmt: skip


def _some(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return ", ".join(texts[:3]) + more


def _is(texts: list[str]) -> str:
    return "is" if len(texts) == 1 else "are"
