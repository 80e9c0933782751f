"""Quality flags of products: names, which of them leave pixels out, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from lren_tf.errors import Argument, InputError

Flags = Mapping[str, Callable[[], np.ndarray]]
"""Names of flags, each with a call that reads the flagged pixels [H, W] bool."""

NO_FLAGS = "none"
"""Value of the argument `mask_bands` if no flag leaves a pixel out."""

# Words that say only that a layer is a flag.
_EMPTY_WORDS = frozenset({"flag", "flags", "mask", "beta", "quality"})


def flag_name(text: str) -> str:
    """The name of a flag in any spelling: `Dilated Cloud Flag` is `dilated-cloud`."""
    parts = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(part for part in parts if part not in _EMPTY_WORDS)


def parse_flags(mask_bands: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """The names of flags that a caller asks for.

    Args:
        mask_bands: names, in text with commas or one by one; `"none"` for no flag at all; None
            for those that a product leaves out by itself.

    Returns:
        Names as `flag_name` writes them; None for None.

    Raises:
        InputError: no name, or something else than names.
    """
    if mask_bands is None:
        return None
    try:
        given = mask_bands.split(",") if isinstance(mask_bands, str) else list(mask_bands)
        names = tuple(dict.fromkeys(flag_name(name) for name in given))
    except (TypeError, AttributeError):
        names = ()
    if names == (NO_FLAGS,):
        return ()
    if not names or not all(names):
        raise InputError(
            argument="mask_bands",
            received=f"mask_bands is {mask_bands!r}",
            expected=("names of flags, such as ", Argument("mask_bands", "cloud,cirrus"),
                      f", or {NO_FLAGS}"),
        )  # fmt: skip
    return names


def chosen_flags(
    file: Path,
    available: Sequence[str],
    usual: Iterable[str],
    asked: tuple[str, ...] | None,
) -> tuple[str, ...]:
    """The flags that leave pixels out, in the order of the file.

    Args:
        file: for the message.
        available: the flags that the file has.
        usual: those that leave pixels out unless the caller says something else.
        asked: from `parse_flags`.

    Raises:
        InputError: the file has no flag that is asked for.
    """
    wanted = set(usual) if asked is None else set(asked)
    unknown = wanted.difference(available)
    if asked is not None and unknown:
        raise InputError(
            argument="mask_bands",
            received=f"{file.name} has no flag called '{sorted(unknown)[0]}'",
            expected=f"some of {', '.join(available)}" if available else "a product with flags",
            remedy=("pass other " if available else "leave out ", Argument("mask_bands")),
        )
    return tuple(name for name in available if name in wanted)


def unflagged(
    file: Path,
    flags: Flags,
    usual: Iterable[str],
    asked: tuple[str, ...] | None,
) -> tuple[np.ndarray | None, str]:
    """Pixels without any of the chosen flags, and the sentence about it for `lren-tf info`.

    Args:
        file: whose flags they are; named in the sentence.
        flags: all of them.
        usual, asked: as for `chosen_flags`.

    Returns:
        [H, W] bool, or None where no flag is chosen; and the sentence, empty where the file
        has no flags.

    Raises:
        InputError: as `chosen_flags`; also where every pixel is flagged.
    """
    names = tuple(flags)
    chosen = chosen_flags(file, names, usual, asked)
    if not chosen:
        text = f"no flag of {file.name} leaves a pixel out (it has {', '.join(names)})"
        return None, text if names else ""
    valid = ~np.logical_or.reduce([flags[name]() for name in chosen])
    if not valid.any():
        raise InputError(
            argument="mask_bands",
            received=f"{file.name}: every pixel is flagged {' or '.join(chosen)}",
            expected="at least one that is not",
            remedy=("name other flags with ", Argument("mask_bands"), f", or {NO_FLAGS}"),
        )
    return valid, flagged_text(file, names, chosen, 1 - float(valid.mean()))


def flagged_text(file: Path, names: Sequence[str], chosen: Sequence[str], share: float) -> str:
    """The sentence about pixels that flags leave out.

    Args:
        file: whose flags they are.
        names: all its flags.
        chosen: those that count.
        share: of the pixels that they leave out.
    """
    rest = [name for name in names if name not in chosen]
    unused = f"; not used: {', '.join(rest)}" if rest else ""
    return f"{share:.1%} of the pixels left out by {file.name}: {', '.join(chosen)}{unused}"
