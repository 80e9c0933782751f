"""MATLAB 7.3 files as MATLAB lays them out, for the tests."""

from datetime import datetime

import h5py
import numpy as np

_CLASSES = {"float64": "double", "float32": "single", "bool": "logical"}


def write_mat73(path, variables, matlab_class=True, signature=True):
    """HDF5 behind a 512-byte block; axes reversed, `MATLAB_class` on every dataset."""
    with h5py.File(path, "w", userblock_size=512) as hdf:
        for name, array in variables.items():
            array = np.asarray(array)
            stored = array.astype(np.uint8) if array.dtype == bool else array
            data = hdf.create_dataset(name, data=stored.T, compression="gzip")
            if matlab_class:
                kind = _CLASSES.get(array.dtype.name, array.dtype.name)
                data.attrs["MATLAB_class"] = np.bytes_(kind)
    if signature:
        text = f"MATLAB 7.3 MAT-file, Platform: test, Created on: {datetime.now():%c} HDF5 schema"
        with open(path, "rb+") as stream:
            stream.write(text.encode().ljust(124)[:124] + b"\x00\x02IM")
    return path
