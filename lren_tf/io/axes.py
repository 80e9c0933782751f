"""Axes of a stored array that are its rows, columns and bands, decided for every container.

An array is rows × columns × bands as it is stored unless evidence in its file says otherwise:

- the names of its axes (dimension scales of netCDF-4, labels, lists of names),
- the lengths of tables of wavelengths and their widths, arrays and attributes alike,
- the shapes of 2-D layers in the file that share its rows and columns.

If the evidence allows the stored order, nothing changes. If it agrees on another order, the array
is transposed; if it is contradictory, the file is refused. The caller's `axes` override all
evidence.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from lren_tf.errors import Argument, InputError
from lren_tf.io.base.axis_names import role_of
from lren_tf.io.base.band_tables import BandTable
from lren_tf.io.base.variable import Variable

Order = tuple[int, int, int]
"""Axes of a stored array: that of the rows, that of the columns, and that of the bands."""

AS_STORED: Order = (0, 1, 2)
_ORDERS: frozenset[Order] = frozenset((r, c, 3 - r - c) for r, c in permutations(range(3), 2))
_ROLES = ("row", "column", "band")
# Of 2-D arrays that share the rows and columns of an image, whatever else lies in the file.
_LAYER_NAMES = re.compile(
    r".*(lats?|lons?|latitudes?|longitudes?|elev|elevation|dem|altitude|height)"
    r"|.*(mask|cloud|clouds|quality|flags?|valid|gt|truth|groundtruth|labels?)"
    r"|map|mapgt|anomal.*|targets?"
)
_LAYER_KINDS = frozenset({"bool", "logical", "uint8", "int8"})


@dataclass(frozen=True)
class Axes:
    """The order of an array's axes, and what it was decided by.

    Attributes:
        order: see `Order`.
        reason: what says so, as a part of a sentence; empty where nothing had to be decided.
    """

    order: Order = AS_STORED
    reason: str = ""

    def turned(self, values: np.ndarray) -> np.ndarray:
        """A stored array as rows × columns × bands, a view."""
        return values if self.order == AS_STORED else values.transpose(self.order)

    def shape(self, stored: Sequence[int]) -> tuple[int, ...]:
        """The shape of `turned`."""
        return tuple(stored[axis] for axis in self.order)

    @property
    def text(self) -> str:
        """The order as `parse_axes` reads it: `band,row,column`."""
        return _text(self.order)


def parse_axes(axes: str | Iterable[str]) -> Order:
    """An order from the names of an array's axes, first axis first.

    Args:
        axes: such as `"band,row,column"`, in text or as names; `y`, `line`, `x`, `sample`,
            `wavelength` and other usual names do too.

    Raises:
        InputError: they are not one name of each kind.
    """
    refusal = InputError(
        argument="axes",
        received=f"axes is {axes!r}",
        expected=(
            "row, column and band in the order of the stored array, such as ",
            Argument("axes", "band,row,column"),
        ),
    )
    try:
        names = axes.split(",") if isinstance(axes, str) else [str(name) for name in axes]
    except TypeError:
        raise refusal from None
    roles = [role_of(name) for name in names]
    if sorted(str(role) for role in roles) != sorted(_ROLES):
        raise refusal
    return tuple(roles.index(role) for role in _ROLES)  # type: ignore[return-value]


def found_axes(
    file: Path,
    cube: Variable,
    layers: Iterable[Variable],
    tables: Iterable[BandTable],
    axes: str | Iterable[str] | None = None,
) -> Axes:
    """The order of the axes of a 3-D array, by the evidence of its file.

    What leaves several orders possible, the stored one among them, is told by a `UserWarning`.

    Args:
        file: for messages.
        cube: the array as it is stored.
        layers: the other arrays of the file; those of two axes are looked at.
        tables: tables of bands in the file.
        axes: what the caller says; nothing else then counts.

    Raises:
        InputError: the evidence disagrees, or `axes` cannot be read.
    """
    if axes is not None:
        return Axes(parse_axes(axes), "as asked for with axes")
    if cube.doubt is not None:
        raise cube.doubt
    names, named = _by_names(cube.dimensions)
    fitting, by_tables = _by_tables(cube.shape, tables)
    allowed = named & by_tables
    says = [text for text in (names, fitting) if text]
    if not allowed:
        raise _refusal(file, cube, f"{names}, but {fitting}")
    beside = [layer for layer in layers if layer.readable and len(layer.shape) == 2]
    strong = [layer for layer in beside if _is_layer(layer)]
    by_layers, shown = _by_layers(cube.shape, strong)
    agreed = allowed & by_layers
    if agreed and AS_STORED not in agreed:
        # Layers alone neither exchange rows and columns, for then they may be turned themselves,
        # nor choose between several axes of bands.
        alone = not says and (_only_swaps(agreed) or len({band for _, _, band in agreed}) > 1)
        if not alone:
            reason = " and ".join([*says, shown] if shown else says)
            return Axes(_one(file, cube, agreed, says), reason)
    elif not agreed and AS_STORED not in allowed:
        swapped = {(column, row, band) for row, column, band in by_layers}
        if not allowed & swapped:
            raise _refusal(file, cube, f"{' and '.join(says)}, but {shown}")
        return Axes(_one(file, cube, allowed, says), " and ".join(says))
    elif not agreed and fitting and not names and not _only_swaps(by_layers):
        raise _refusal(file, cube, f"{fitting} as it is stored, but {shown}")
    _note_doubt(file, cube, allowed, fitting, beside, bool(shown or names))
    return Axes()


def upright(layer: Variable) -> bool:
    """Return whether a 2-D layer is stored as rows × columns; False if names say otherwise."""
    roles = [role_of(name) for name in layer.dimensions]
    return not (len(roles) == 2 and (roles[0] == "column" or roles[1] == "row"))


def _by_names(dimensions: tuple[str, ...]) -> tuple[str, frozenset[Order]]:
    """Return what the names of the axes say, and the orders that they leave."""
    roles = [role_of(name) for name in dimensions]
    known = [role for role in roles if role is not None]
    if len(roles) != 3 or not known or len(set(known)) != len(known):
        return "", _ORDERS
    if len(known) == 2:  # the third is what is left
        roles[roles.index(None)] = next(role for role in _ROLES if role not in known)
    orders = {
        order
        for order in _ORDERS
        if all(role is None or order[_ROLES.index(role)] == axis for axis, role in enumerate(roles))
    }
    if len(orders) > 1:  # rows come before columns where nothing says otherwise
        orders = {order for order in orders if order[0] < order[1]}
    listed = ", ".join(name or "?" for name in dimensions)
    return f"its axes are called {listed}", frozenset(orders)


def _by_tables(shape: tuple[int, ...], tables: Iterable[BandTable]) -> tuple[str, frozenset[Order]]:
    fitting = [table for table in tables if table.length in shape and (table.length or 0) > 1]
    if not fitting:
        return "", _ORDERS
    lengths = {table.length for table in fitting}
    orders = frozenset(order for order in _ORDERS if shape[order[2]] in lengths)
    fit = "fits" if len(fitting) == 1 else "fit"
    return f"{_some(list(map(str, fitting)))} {fit} its bands", orders


def _by_layers(shape: tuple[int, ...], layers: Iterable[Variable]) -> tuple[frozenset[Order], str]:
    orders: set[Order] = set()
    seen: list[str] = []
    for layer in layers:
        found = {o for o in _ORDERS if (shape[o[0]], shape[o[1]]) == layer.shape}
        if found:
            orders |= found
            seen.append(f"'{layer.name.rsplit('/', 1)[-1]}'")
    if not orders:
        return _ORDERS, ""
    text = f"{_some(seen)} {'has' if len(seen) == 1 else 'have'} its rows and columns"
    return frozenset(orders), text


def _is_layer(layer: Variable) -> bool:
    if min(layer.shape) < 2:
        return False
    return layer.kind in _LAYER_KINDS or bool(_LAYER_NAMES.fullmatch(_plain_words(layer.name)))


def _some(names: list[str]) -> str:
    """The first two of several names, and how many there are besides."""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def _only_swaps(orders: Iterable[Order]) -> bool:
    """Return whether all that is asked for is to exchange rows and columns of the stored order."""
    return set(orders) <= {AS_STORED, (1, 0, 2)}


def _one(file: Path, cube: Variable, orders: Iterable[Order], says: Sequence[str]) -> Order:
    """The one order that is left; of rows and columns in either order the stored one."""
    left = set(orders)
    bands = {band for _, _, band in left}
    if len(bands) > 1:
        choices = " or ".join(map(_text, sorted(left)))
        raise _refusal(file, cube, f"{' and '.join(says)}, which leaves {choices}")
    return min(left)


def _refusal(file: Path, cube: Variable, evidence: str) -> InputError:
    return InputError(
        argument="axes",
        received=f"{file.name}: which axis of {_called(cube)} is which is not certain: {evidence}",
        expected="evidence that agrees",
        remedy=(
            "name row, column and band in the order of the stored shape, such as ",
            Argument("axes", "band,row,column"),
        ),
    )


def _note_doubt(
    file: Path,
    cube: Variable,
    allowed: frozenset[Order],
    fitting: str,
    beside: list[Variable],
    certain: bool,
) -> None:
    """Say what else the evidence would allow, where nothing decides between that and the rest."""
    if certain:
        return
    doubt, orders = "", allowed
    if fitting and len({band for _, _, band in allowed}) > 1:
        doubt = f"{fitting} along more than one axis"
    elif not fitting:
        weak = [layer for layer in beside if min(layer.shape) > 1 and len(set(layer.shape)) > 1]
        orders, shown = _by_layers(cube.shape, weak)
        if shown and AS_STORED not in orders and not _only_swaps(orders):
            doubt = f"{shown} only in another order of axes"
    if doubt:
        other = _text(min(order for order in orders if order[2] != AS_STORED[2]))
        warnings.warn(
            f"{file.name}: {_called(cube)} is taken as rows × columns × bands as it is stored, but "
            f"{doubt}; if it is stored otherwise, name its axes (--axes {other}).",
            stacklevel=4,
        )


def _called(cube: Variable) -> str:
    return f"'{cube.name}' {cube.shape}" if cube.name else f"the array {cube.shape}"


def _text(order: Order) -> str:
    return ",".join(_ROLES[order.index(axis)] for axis in range(3))


def _plain_words(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower().replace("_", "").replace("-", "")
