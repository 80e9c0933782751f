"""Names of devices, and refusals that say what there is instead."""

import pytest
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.runtime.device import resolve_device

GPUS = len(tf.config.list_logical_devices("GPU"))


def pretend(monkeypatch, **counts):
    """Let TensorFlow report as many devices of each kind as given."""
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [None] * counts.get(kind, 0)
    )


@pytest.mark.parametrize(
    "name",
    ["/CPU:0", "CPU:0", "cpu", "/cpu:0", "CPU", "device:CPU:0", "/device:CPU:0", "/DEVICE:cpu:0"],
)
def test_every_spelling_of_the_cpu(name):
    assert resolve_device(name) == "/CPU:0"


def test_none_takes_the_first_gpu_else_the_cpu(monkeypatch):
    pretend(monkeypatch, CPU=1)
    assert resolve_device() == resolve_device(None) == "/CPU:0"
    pretend(monkeypatch, CPU=1, GPU=2)
    assert resolve_device() == "/GPU:0"


@pytest.mark.parametrize("name", ["gpu:1", "/GPU:1", "/device:GPU:1"])
def test_a_gpu_by_its_index(monkeypatch, name):
    pretend(monkeypatch, CPU=1, GPU=2)
    assert resolve_device(name) == "/GPU:1"


def test_the_cpu_can_be_asked_for_beside_a_gpu(monkeypatch):
    pretend(monkeypatch, CPU=1, GPU=1)
    assert resolve_device("cpu") == "/CPU:0"


@pytest.mark.parametrize("name", ["", "tpu", "GPU:", "GPU:x", "cuda:0", "GPU:-1", "/GPU:0 ", 0])
def test_other_names_are_refused_with_an_example(name):
    with pytest.raises(InputError) as refusal:
        resolve_device(name)
    assert str(refusal.value) == (
        f"device {name!r} is unknown; expected a name such as /CPU:0 or /GPU:0."
    )


@pytest.mark.skipif(GPUS > 0, reason="this machine has a GPU")
@pytest.mark.parametrize("name", ["/GPU:0", "gpu"])
def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(name):
    with pytest.raises(InputError) as refusal:
        resolve_device(name)
    assert str(refusal.value) == (
        f"device {name!r} was asked for, but TensorFlow finds 0 GPUs here; leave device= out to "
        "take what there is, or install the extra 'gpu'."
    )


def test_an_index_past_the_last_device_is_refused(monkeypatch):
    pretend(monkeypatch, CPU=1, GPU=1)
    with pytest.raises(InputError, match="finds 1 GPU here"):
        resolve_device("/GPU:1")
    with pytest.raises(InputError, match="finds 1 CPU here"):
        resolve_device("/CPU:1")


def test_the_name_is_one_tensorflow_takes():
    with tf.device(resolve_device()):
        assert resolve_device().strip("/") in tf.constant(0.0).device
