"""What each process of tests/integration/test_distribution.py runs; not a test itself.

``python -m tests.integration.distributed mirrored|multiworker FOLDER CASE …``: trains the tiny
scene on the replicas of a strategy, and writes ``FOLDER/NUMBER.npz`` with losses, weights and
scores.
"""

from __future__ import annotations

import sys

import numpy as np

from lren_tf import LREN, InputError, datasets

SCENE = datasets.simulate(12, 11, 20, seed=1)
SMALL = {"hidden_units": 16, "estimator_units": 8, "latent_units": 4, "components": 3}
CASES = {
    "paper": ("paper", {"epochs": 20}),
    # Four steps an epoch, the last one of 12 pixels.
    "robust": ("robust", {"epochs": 5, "batch_size": 40, "members": 2}),
    "release": ("release", {"epochs": 5, "batch_size": 70, "training": "separate"}),
}


def trained(case: str, strategy=None) -> tuple[LREN, dict[str, np.ndarray]]:
    """A model of a case, and what is compared of it."""
    preset, settings = CASES[case]
    model = LREN(preset, strategy=strategy, **{**SMALL, **settings})
    history = model.fit(SCENE, verbose=0)
    found = {f"{case}/history/{name}": np.array(v) for name, v in history.history.items()}
    weights = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
    return model, {**found, f"{case}/weights": weights, f"{case}/score": model.score(SCENE)}


def main() -> None:
    """Train the cases; then what only several processes have to agree on."""
    kind, folder, *cases = sys.argv[1:]
    import tensorflow as tf

    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_visible_devices([], "GPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        strategy = tf.distribute.MirroredStrategy()
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    kept = {}
    for case in cases:
        model, found = trained(case, strategy)
        kept |= found
    workers = model.workers
    kept["replicas"], kept["processes"] = workers.replicas, workers.processes
    rows = np.arange(14.0).reshape(7, 2)  # odd: the shares differ
    kept["gathered"] = workers.gathered([[tf.constant(rows[s])] for s in workers.shares(
        np.arange(7))]).numpy()  # fmt: skip
    kept["alone"] = workers.gathered(
        [[tf.constant(rows[s])] for s in workers.shares(np.arange(1))]
    ).numpy()
    kept["exchanged"] = np.array(workers.exchanged(b"x" * (3 + 2 * workers.process)))
    if workers.processes > 1:
        kept["refused"] = np.array([refused_by_one(workers), *unlike(strategy, workers)])
    np.savez(f"{folder}/{workers.process}.npz", **kept)
    workers.meet()


def refused_by_one(workers) -> str:
    try:
        with workers.agreed():
            if workers.process == 1:
                raise InputError("the scene is too blue; expected another, choose one.")
    except InputError as error:
        return str(error)
    return "nothing"


def unlike(strategy, workers) -> list[str]:
    """Refusals of processes that were started with other data, or other settings."""
    said = []
    for epochs, cube in (
        (1 + workers.process, SCENE.cube), (1, SCENE.cube + 1e-3 * workers.process)
    ):  # fmt: skip
        try:
            LREN("paper", strategy=strategy, epochs=epochs, **SMALL).fit(cube, verbose=0)
            said.append("nothing")
        except InputError as error:
            said.append(str(error))
    return said


if __name__ == "__main__":
    main()
