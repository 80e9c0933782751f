"""A detection as one HTML page: maps, list, spectra and contributions, without a network."""

from lren_tf.viewer.view import View, page_view, view

__all__ = ["View", "page_view", "view"]
