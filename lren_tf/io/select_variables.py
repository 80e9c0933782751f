"""Selection of the cube, the ground truth and maps among the variables of a file."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np

from lren_tf.errors import Argument, InputError, Text
from lren_tf.io.base.axis_names import role_of
from lren_tf.io.base.band_tables import BandTable, is_table_of_bands
from lren_tf.io.base.metadata import in_nanometres, is_length
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.variable import Variable, listed

# Compared in lower case without underscores and hyphens.
_TRUTH_NAMES = frozenset(
    {"map", "mask", "gt", "groundtruth", "truth", "gtmap", "mapgt", "label", "labels"}
)
# What wavelengths are at least and at most in nanometres, where only their name says that they
# are some.
_PLAUSIBLE = 100.0, 100_000.0


def chosen_cube(reader: Reader, key: str | None) -> Variable:
    """The cube: the variable `key`, or the only 3-D numeric one.

    Raises:
        InputError: there is none, there are several, or it is no numeric cube.
    """
    file, variables = reader.file, reader.variables
    if key is not None:
        variable = _named(reader, variables, key, "key")
    else:
        cubes = [v for v in variables if v.numeric and len(v.shape) == 3]
        if len(cubes) > 1:
            raise InputError(
                argument="key",
                received=f"{file.name}: several variables are rows × columns × bands",
                expected="one cube",
                remedy=("pass ", Argument("key"), f" to choose one (found: {listed(cubes)})"),
            )
        if cubes:
            variable = cubes[0]
        elif len(variables) == 1:
            variable = variables[0]
        else:
            raise InputError(
                received=f"{file.name}: no numeric variable is rows × columns × bands",
                expected="one cube",
                remedy=f"{reader.without_cube} (found: {listed(variables)})",
            )
    if not variable.numeric:
        called = f"variable '{variable.name}'" if variable.name else "the array"
        raise InputError(
            argument="key",
            received=f"{file.name}: {called} is of type {variable.kind}",
            expected="a real numeric cube",
            remedy="save it as one or choose another variable",
        )
    if len(variable.shape) == 2 and reader.title in ("ENVI", "GeoTIFF"):
        raise InputError(
            received=f"{file.name} has one band, {variable.shape[0]} rows × {variable.shape[1]} "
            "columns",
            expected="an image of several bands",
            remedy="pass the cube and not a map of it, or the folder if each band is a TIFF of its "
            "own",
        )
    if len(variable.shape) != 3 or 0 in variable.shape:
        raise _wrong_shape(file, variables, variable, "rows × columns × bands")
    return variable


def chosen_map(reader: Reader, key: str | None, *, by_key: bool = True) -> Variable:
    """The map: the variable `key`, or the only 2-D one.

    Args:
        reader: of the file.
        key: what the caller names.
        by_key: whether a caller can name one.

    Raises:
        InputError: there is none, there are several, or it is not 2-D.
    """
    file, variables = reader.file, reader.variables
    if key is not None:
        variable = _named(reader, variables, key, "key")
    else:
        found = [v for v in variables if v.readable and len(v.shape) == 2]
        if len(found) != 1:
            problem = "several variables are" if found else "no variable is"
            named = bool(found) and by_key
            remedy = ("pass ", Argument("key"), " to choose one") if named else (
                "save the map in a file of its own",
            )
            raise InputError(
                argument="key" if named else None,
                received=f"{file.name}: {problem} rows × columns",
                expected="one map",
                remedy=(*remedy, f" (found: {listed(found or variables)})"),
            )
        variable = found[0]
    if len(variable.shape) != 2 or 0 in variable.shape:
        raise _wrong_shape(file, variables, variable, "rows × columns")
    return variable


def chosen_truth(
    reader: Reader, variables: list[Variable], cube: Variable, truth_key: str | None
) -> Variable | None:
    """The truth among the variables beside the cube, as `load_scene` says; None for none.

    Args:
        reader: of the file.
        variables: those beside the cube, rows × columns.
        cube: as rows × columns × bands.
        truth_key: what the caller names.

    Raises:
        InputError: there are several, or the one that is meant has another shape.
    """
    if truth_key == "":
        return None
    file, expected = reader.file, cube.shape[:2]
    if truth_key is not None:
        variable = _named(reader, variables, truth_key, "truth_key")
        if variable.shape != expected:
            raise _wrong_truth(
                file, variable, cube, ("pass another ", Argument("truth_key"))
            )
        return variable

    # A truth that cannot be read, say a sparse one, is refused by the read, not passed over.
    found = [v for v in variables if v.shape == expected and _has_truth_name(v)]
    if not found and not reader.product:
        layers = [v for v in variables if v.shape == expected and v.readable]
        found = [v for v in layers if _marks_a_minority(reader.read(v.name))]
    if len(found) > 1:
        raise InputError(
            argument="truth_key",
            received=f"{file.name}: several variables could be the truth",
            expected="one",
            remedy=(
                "pass ", Argument("truth_key"), " to choose one, or ", Argument("truth_key", '""'),
                f" for none (found: {listed(found)})",
            ),
        )  # fmt: skip
    if found:
        return found[0]
    misfits = [v for v in variables if v.readable and _has_truth_name(v) and v.shape != (1, 1)]
    if misfits:
        raise _wrong_truth(
            file, misfits[0], cube, ("pass ", Argument("truth_key", '""'), " to do without")
        )
    return None


def band_tables(reader: Reader, variables: list[Variable], cube: Variable) -> list[BandTable]:
    """The tables of wavelengths and widths in a file: attributes, then arrays.

    Args:
        reader: of the file, which has to be open when the tables are read.
        variables: those beside the cube.
        cube: as it is stored.
    """
    tables = list(cube.tables)
    for variable in variables:
        if not variable.numeric or len([n for n in variable.shape if n != 1]) != 1:
            continue
        # A coordinate of an axis lists lengths if its unit is one, whatever it is called; those
        # of rows and columns are metres on the ground.
        last = _last_name(variable)
        coordinate = last in map(str.lower, cube.dimensions)
        coordinate = coordinate and role_of(last) not in ("row", "column")
        if is_table_of_bands(variable.name) or (coordinate and is_length(variable.unit)):
            read = partial(reader.read, variable.name)
            tables.append(BandTable(variable.name, variable.shape, read, variable.unit))
    return tables


def chosen_wavelengths(
    file: Path, tables: list[BandTable], variables: list[Variable], cube: Variable
) -> np.ndarray | None:
    """Wavelengths [B] in nanometres from the table that fits the bands, or None.

    Of several that fit, one called `wavelength` or `wavelengths` comes first, then an attribute
    of the cube, then the array nearest to the cube; of those that stand there alike and differ
    none is taken. None is taken either where none fits. A `UserWarning` says so.

    Args:
        tables: from `band_tables`.
        variables: those beside the cube.
        cube: as rows × columns × bands.
    """
    bands = cube.shape[2]
    named = [table for table in tables if table.of_wavelengths or not is_table_of_bands(table.name)]
    fitting = sorted(
        (table for table in named if table.length == bands),
        key=lambda table: _rank(table, cube),
    )
    found: list[tuple[BandTable, np.ndarray]] = []
    for table in fitting:
        if found and _rank(table, cube) != _rank(found[0][0], cube):
            break
        values = _usable(table)
        if values is not None:
            found.append((table, values))
    if found:
        values = found[0][1]
        if all(np.allclose(values, other, rtol=1e-6) for _, other in found[1:]):
            return values
        listed = ", ".join(f"'{table.name}'" for table, _ in found)
        warnings.warn(
            f"{file.name}: {listed} list different wavelengths of the {bands} bands: none of them "
            "is taken.",
            stacklevel=3,
        )
        return None
    cubes = [v.shape for v in variables if v.numeric and len(v.shape) == 3]
    others = {shape[axis] for shape in cubes for axis in (0, 2)}
    strange = [t for t in named if t.exact and t.length != bands and t.length not in others]
    if strange and not fitting:
        listed = ", ".join(map(str, strange))
        warnings.warn(
            f"{file.name}: {listed} {'fits' if len(strange) == 1 else 'fit'} no axis of the cube "
            f"{cube.shape} that could be its {bands} bands: the scene has no wavelengths.",
            stacklevel=3,
        )
    return None


def _rank(table: BandTable, cube: Variable) -> tuple[bool, bool, int]:
    """The place of a table among those that fit; the smallest comes first."""
    here, there = (name.split("/")[:-1] for name in (table.name, cube.name))
    shared = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
    distance = 0 if table.attribute else len(here) + len(there) - 2 * (
        min(len(here), len(there)) if shared is None else shared
    )
    return not table.exact, not table.attribute, distance


def _usable(table: BandTable) -> np.ndarray | None:
    """The wavelengths of a table in nanometres; None for what can be none."""
    values = in_nanometres(table.read(), table.said_unit)
    if values is None or not (np.isfinite(values) & (values > 0)).all():
        return None
    low, high = _PLAUSIBLE
    plausible = table.exact or ((low <= values) & (values <= high)).all()
    return values if plausible else None


def _has_truth_name(variable: Variable) -> bool:
    return _last_name(variable).replace("_", "").replace("-", "") in _TRUTH_NAMES


def _last_name(variable: Variable) -> str:
    """Name of a variable without the path that leads to it in HDF5, in lower case."""
    return variable.name.rsplit("/", 1)[-1].lower()


def _marks_a_minority(values: np.ndarray) -> bool:
    """Return whether an array with a name that says nothing looks like a truth.

    Latitudes, scores and class maps take many values, a mask of valid pixels marks most.
    """
    marked = values[values != 0]
    return 0 < marked.size < values.size / 2 and bool((marked == marked[0]).all())


def _named(reader: Reader, variables: list[Variable], name: str, argument: str) -> Variable:
    file = reader.file
    names = [variable.name for variable in variables]
    name = name.strip("/") if name not in names else name
    if [variable.name for variable in reader.variables] == [""]:
        raise InputError(
            argument=argument,
            received=f"{file.name} holds one unnamed array",
            expected=("no ", Argument(argument)),
            remedy=f"leave '{name}' out",
        )
    if name not in names:
        raise InputError(
            argument=argument,
            received=f"{file.name} has no variable '{name}'",
            expected="one of its other variables",
            remedy=(
                "pass another ", Argument(argument), f" (found: {', '.join(names) or 'nothing'})"
            ),
        )  # fmt: skip
    return variables[names.index(name)]


def _wrong_shape(
    file: Path, variables: list[Variable], wrong: Variable, expected: str
) -> InputError:
    if not wrong.name:
        return InputError(
            received=f"{file.name}: the array has shape {wrong.shape}",
            expected=expected,
            remedy="reshape it first",
        )
    names = ", ".join(variable.name for variable in variables)
    return InputError(
        argument="key",
        received=f"{file.name}: variable '{wrong.name}' has shape {wrong.shape}",
        expected=expected,
        remedy=("pass ", Argument("key"), f" to choose another variable (found: {names})"),
    )


def _wrong_truth(file: Path, truth: Variable, cube: Variable, remedy: Text) -> InputError:
    return InputError(
        argument="truth_key",
        received=f"{file.name}: the truth '{truth.name}' has shape {truth.shape}",
        expected=f"{cube.shape[:2]}, the rows × columns of '{cube.name}'",
        remedy=remedy,
    )
