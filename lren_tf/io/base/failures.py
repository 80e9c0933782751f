"""Errors of readers and their libraries as refusals, with a remedy for each cause.

`Copy or download it again` is used only for damaged files.
"""

from __future__ import annotations

import errno
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lren_tf.errors import InputError, Text
from lren_tf.io.base.content import content_of

# Loggers of third-party readers that write to stderr.
_TALKATIVE = ("rasterio", "spectral")
_LONGEST = 160
_START_BYTES = 512

# What libraries say of a cause that is no damage -> expected, remedy.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (r"unable to lock file|already open for (write|read)|SWMR",
     "a file that nobody is writing", "close the program that has it open, or copy the file first"),
    (r"missing codec|[Cc]odec .*not (supported|available|found)|compression .* is not supported",
     "a compression that is installed here",
     "save it with deflate or LZW, as gdal_translate -co COMPRESS=DEFLATE does"),
    (r"filter .* (not|un)(available|registered| registered| available)|can't open directory",
     "a compression that is installed here",
     "run pip install hdf5plugin, or save it with gzip, as h5repack -f GZIP=4 does"),
    (r"lie in other files", "values in the file itself",
     "save a copy that holds them, as h5repack does"),
    (r"is not compressed as NumPy does it|compression method is not supported",
     "an archive of numpy.savez or numpy.savez_compressed", "save it again with one of them"),
    (r"password|encrypted", "an archive without a password", "save it again without one"),
    (r"holds no plain array", "an array of numbers without fields",
     "save each field as an array of its own"),
)  # fmt: skip
# What a damaged file of a kind still is by its first bytes; of others nothing is concluded.
_OWN = {
    "HDF5 file": ("an HDF5 file",),
    "GeoTIFF": ("a TIFF file",),
    "MATLAB file": ("a MATLAB file", "an HDF5 file"),
    "NumPy .npy file": ("a NumPy .npy file",),
    "NumPy .npz archive": ("a ZIP archive",),
    "ENVI header": ("a text header of ENVI",),
}
# Of the operating system -> remedy.
_SYSTEM = {
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EIO: "check the disk or the network that it lies on",
    errno.ESTALE: "check the network that it lies on",
    errno.ETIMEDOUT: "check the network that it lies on",
    errno.ENOENT: "leave it where it is while it is read",
    errno.EMFILE: "close other files, or raise the limit of ulimit -n",
    errno.ENFILE: "close other programs",
}


def damaged(
    file: Path,
    what: str,
    error: BaseException | str,
    expected: Text = "a complete one",
    remedy: Text = "copy or download it again",
) -> InputError:
    """The refusal for content which the reader of its format cannot read.

    Args:
        what: what the file is not a readable one of.
        error: the reason, in the words of a library or of the reader.
        expected, remedy: where the file is not damaged, but of another kind.
    """
    return InputError(
        received=f"{file.name}: not a readable {what} ({_reason(error)})",
        expected=expected,
        remedy=remedy,
    )


def failure(file: Path, what: str, error: BaseException | str) -> InputError:
    """The refusal for what went wrong in a reader, by its cause.

    Memory and the operating system come first, then what a library says, then what the file
    is by its first bytes; what is left is damage.
    """
    if isinstance(error, MemoryError):
        return InputError(
            received=f"{file.name}: there is too little memory for its values ({_reason(error)})",
            expected="an image that fits",
            remedy="cut a part of it out, or free memory",
        )
    reason = _reason(error)
    for pattern, expected, remedy in _CAUSES:
        if re.search(pattern, reason):
            return damaged(file, what, error, expected, remedy)
    number = error.errno if isinstance(error, OSError) else None
    if number in _SYSTEM:
        return InputError(
            received=f"{file.name} cannot be read ({reason})",
            expected="a readable file",
            remedy=_SYSTEM[number],
        )
    return other_content(file, what) or damaged(file, what, error)


def other_content(file: Path, what: str) -> InputError | None:
    """The refusal for a file that is of another kind than its name says, or None."""
    try:
        with file.open("rb") as stream:
            found = content_of(stream.read(_START_BYTES))
    except OSError:
        return None
    if found is None or found.name in _OWN.get(what, (found.name,)):
        return None
    return damaged(file, what, f"it is {found.name}", "one", found.remedy)


@contextmanager
def reading(file: Path, what: str) -> Iterator[None]:
    """Turn whatever a third-party reader raises into an `InputError`, by `failure`.

    Readers of binary formats raise nearly any exception on damaged content; nothing but the
    call into such a reader belongs inside this block. What they would log or warn of on the
    way is not said: either the content is read, or the refusal says why not.
    """
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        raise failure(file, what, error) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _reason(error: BaseException | str) -> str:
    """Text of an exception, or of the one that it refers to, on one line."""
    while isinstance(error, BaseException) and "previous exception" in str(error):
        before = error.__cause__ or error.__context__
        if before is None:
            break
        error = before
    text = error if isinstance(error, str) else (str(error) or type(error).__name__)
    # Third-party reasons may run over several lines and end in a full stop.
    return " ".join(text.split()).rstrip(".")[:_LONGEST]
