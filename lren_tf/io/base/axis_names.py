"""Names that axes of images have, and their meaning."""

from __future__ import annotations

import re

_NAMES = {
    "row": {
        "row", "rows", "y", "ydim", "line", "lines", "lat", "lats", "latitude", "latitudes",
        "north", "northing", "downtrack", "downtrackdim", "alongtrack", "alongtrackdim", "track",
        "numberoflines", "numrows", "nrows", "nlines", "nline", "height", "scanline", "scanlines",
        "numberofscans", "scan", "scans", "frame", "frames", "ny", "i", "projectionycoordinate",
        "azimuth", "imgy", "nrow",
    },
    "column": {
        "column", "columns", "col", "cols", "x", "xdim", "sample", "samples", "lon", "lons", "long",
        "longitude", "longitudes", "east", "easting", "crosstrack", "acrosstrack", "xtrack",
        "pixelsperline", "numcols", "ncols", "ncol", "nsamples", "nsample", "width", "pixel",
        "pixels", "groundpixel", "ccdpixels", "nx", "projectionxcoordinate", "imgx",
    },
    "band": {
        "band", "bands", "wavelength", "wavelengths", "channel", "channels", "spectral", "spectrum",
        "lambda", "wl", "wvl", "wavelength3d", "wavelengthbands", "spectralband", "spectralbands",
        "numberofbands", "numbands", "nbands", "nband", "bandnumber", "bandid", "bandsdim",
        "spectralchannel", "spectralchannels", "z", "zdim", "layer", "layers", "feature",
        "features", "b", "nwavelengths", "nwl", "wave", "waves", "frequency", "redbands",
        "bluebands", "swirbands", "vnirbands",
    },
}  # fmt: skip
_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names}


def role_of(name: str) -> str | None:
    """`row`, `column` or `band` by the name of an axis, in any spelling; None for another name."""
    return _ROLE_OF.get(re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower()))
