import sys

import numpy as np

from lren_tf.runtime.versions import loaded_versions, versions


def test_versions():
    found = versions()
    assert list(found) == ["lren_tf", "python", "tensorflow", "keras", "numpy", "scipy"]
    assert found["numpy"] == np.__version__


def test_loaded_versions(monkeypatch):
    for name in ("tensorflow", "keras", "skimage"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = loaded_versions()
    assert list(found)[:4] == ["lren_tf", "python", "numpy", "scipy"]
    assert not {"tensorflow", "keras", "scikit-image"} & set(found)
    assert "tensorflow" not in sys.modules
