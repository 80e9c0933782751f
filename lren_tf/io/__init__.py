"""Reading scenes and maps from files, one module per format."""

from lren_tf.io.load import load_map, load_scene

__all__ = ["load_map", "load_scene"]
