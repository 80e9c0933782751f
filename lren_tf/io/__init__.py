"""Reading scenes and maps from files, one module per format."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.mat import mat_variables, read_mat
from lren_tf.io.numpy import npy_variables, npz_variables, read_npy, read_npz
from lren_tf.io.variable import Variable, existing_file, listed
from lren_tf.scene import Scene

__all__ = ["load_map", "load_scene"]

# Compared in lower case without underscores and hyphens.
_TRUTH_NAMES = frozenset(
    {"map", "mask", "gt", "groundtruth", "truth", "gtmap", "mapgt", "label", "labels"}
)


@dataclass(frozen=True)
class _Format:
    """The two calls every format offers."""

    variables: Callable[[Path], list[Variable]]
    read: Callable[[Path, str], np.ndarray]


_FORMATS = {
    ".mat": _Format(mat_variables, read_mat),
    ".npy": _Format(npy_variables, read_npy),
    ".npz": _Format(npz_variables, read_npz),
}


def load_scene(
    path: str | os.PathLike[str], key: str | None = None, truth_key: str | None = None
) -> Scene:
    """Read a scene from a `.mat`, `.npy` or `.npz` file.

    Args:
        path: the file; its stem becomes the scene's name.
        key: the variable that holds the cube. Without it, the only 3-D numeric variable.
        truth_key: the variable that holds the truth; `""` for none. Without it, among the
            2-D variables of the cube's rows × columns: the one with a usual name (map, mask,
            gt, groundtruth, truth, label); else the only one that marks a minority of the
            pixels with a single non-zero value; else there is no truth.

    Returns:
        A `Scene` with cube [H, W, B] in the stored dtype and truth [H, W] bool or None.

    Raises:
        InputError: the file is missing, damaged or of another format; the cube or the truth
            is missing, ambiguous, not real numbers, or of the wrong shape.
    """
    file, form, variables = _opened(path)
    cube_variable = _cube_variable(file, variables, key)
    cube = form.read(file, cube_variable.name)
    others = [variable for variable in variables if variable is not cube_variable]
    truth = _truth(file, form, others, cube_variable, truth_key)
    return Scene(cube, truth, name=file.stem, source=str(file))


def load_map(path: str | os.PathLike[str], key: str | None = None) -> np.ndarray:
    """Read a score map or a truth map from a `.mat`, `.npy` or `.npz` file.

    Args:
        path: the file.
        key: the variable that holds the map. Without it, the only 2-D variable.

    Returns:
        [H, W] bool, integer or float array in C order, values as stored.

    Raises:
        InputError: the file is missing, damaged or of another format; the map is missing,
            ambiguous, empty, not real numbers, or not 2-D.
    """
    file, form, variables = _opened(path)
    if key is not None:
        variable = _named(file, variables, key, "key")
    else:
        found = [v for v in variables if v.readable and len(v.shape) == 2]
        if len(found) != 1:
            problem = "several variables are" if found else "no variable is"
            remedy = "Pass key= to choose one" if found else "Save the map as one"
            raise InputError(
                f"{file.name}: {problem} rows × columns; expected one map. {remedy} "
                f"(found: {listed(found or variables)})."
            )
        variable = found[0]
    if len(variable.shape) != 2 or 0 in variable.shape:
        raise InputError(_wrong_shape(file, variables, variable, "rows × columns"))
    return np.ascontiguousarray(form.read(file, variable.name))


def _opened(path: str | os.PathLike[str]) -> tuple[Path, _Format, list[Variable]]:
    file = existing_file(path)
    form = _FORMATS.get(file.suffix.lower())
    if form is None:
        raise InputError(
            f"{file.name} ends in '{file.suffix}'; expected one of {', '.join(_FORMATS)}, convert "
            "the file."
        )
    return file, form, form.variables(file)


def _cube_variable(file: Path, variables: list[Variable], key: str | None) -> Variable:
    if key is not None:
        variable = _named(file, variables, key, "key")
    else:
        cubes = [v for v in variables if v.numeric and len(v.shape) == 3]
        if len(cubes) > 1:
            raise InputError(
                f"{file.name}: several variables are rows × columns × bands; expected one cube. "
                f"Pass key= to choose one (found: {listed(cubes)})."
            )
        if cubes:
            variable = cubes[0]
        elif len(variables) == 1:
            variable = variables[0]
        else:
            raise InputError(
                f"{file.name}: no numeric variable is rows × columns × bands; expected one cube. "
                f"Save it as a 3-D array (found: {listed(variables)})."
            )
    if not variable.numeric:
        called = f"variable '{variable.name}'" if variable.name else "the array"
        raise InputError(
            f"{file.name}: {called} is of type {variable.kind}; expected a real numeric cube, save "
            "it as one or choose another variable."
        )
    if len(variable.shape) != 3 or 0 in variable.shape:
        raise InputError(_wrong_shape(file, variables, variable, "rows × columns × bands"))
    return variable


def _truth(
    file: Path,
    form: _Format,
    variables: list[Variable],
    cube: Variable,
    truth_key: str | None,
) -> np.ndarray | None:
    if truth_key == "":
        return None
    expected = cube.shape[:2]
    if truth_key is not None:
        variable = _named(file, variables, truth_key, "truth_key")
        if variable.shape != expected:
            raise InputError(_wrong_truth(file, variable, cube, "Pass another truth_key="))
        return form.read(file, variable.name)

    # A truth that cannot be read, say a sparse one, is refused by the read, not passed over.
    found = [v for v in variables if v.shape == expected and _has_truth_name(v)]
    if not found:
        layers = [v for v in variables if v.shape == expected and v.readable]
        found = [v for v in layers if _marks_a_minority(form.read(file, v.name))]
    if len(found) > 1:
        raise InputError(
            f"{file.name}: several variables could be the truth; expected one. Pass truth_key= "
            f'to choose one, or truth_key="" for none (found: {listed(found)}).'
        )
    if found:
        return form.read(file, found[0].name)
    misfits = [v for v in variables if v.readable and _has_truth_name(v) and v.shape != (1, 1)]
    if misfits:
        raise InputError(_wrong_truth(file, misfits[0], cube, 'Pass truth_key="" to do without'))
    return None


def _has_truth_name(variable: Variable) -> bool:
    return variable.name.lower().replace("_", "").replace("-", "") in _TRUTH_NAMES


def _marks_a_minority(values: np.ndarray) -> bool:
    """Whether an array with a name that says nothing looks like a truth.

    Latitudes, scores and class maps take many values, a mask of valid pixels marks most.
    """
    marked = values[values != 0]
    return 0 < marked.size < values.size / 2 and bool((marked == marked[0]).all())


def _named(file: Path, variables: list[Variable], name: str, argument: str) -> Variable:
    names = [variable.name for variable in variables]
    if file.suffix.lower() == ".npy":
        raise InputError(
            f"{file.name} holds one unnamed array; expected no {argument}=, leave '{name}' out."
        )
    if name not in names:
        raise InputError(
            f"{file.name} has no variable '{name}'; expected one of its other variables. Pass "
            f"another {argument}= (found: {', '.join(names) or 'nothing'})."
        )
    return variables[names.index(name)]


def _wrong_shape(file: Path, variables: list[Variable], wrong: Variable, expected: str) -> str:
    if not wrong.name:
        return (
            f"{file.name}: the array has shape {wrong.shape}; expected {expected}, reshape it "
            "first."
        )
    names = ", ".join(variable.name for variable in variables)
    return (
        f"{file.name}: variable '{wrong.name}' has shape {wrong.shape}; expected {expected}. "
        f"Pass key= to choose another variable (found: {names})."
    )


def _wrong_truth(file: Path, truth: Variable, cube: Variable, remedy: str) -> str:
    return (
        f"{file.name}: the truth '{truth.name}' has shape {truth.shape}; expected "
        f"{cube.shape[:2]}, the rows × columns of '{cube.name}'. {remedy}."
    )
