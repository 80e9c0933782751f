"""What a user of Keras calls: predict, evaluate, compile, and the arguments that mean nothing."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene, metrics
from lren_tf.data.standardisation import fit_scaler
from lren_tf.model import keras_arguments
from lren_tf.model.keras_arguments import METHODS, UNSUPPORTED, callback_list, check_arguments
from tests.model.conftest import read_only
from tests.model.small_models import SCENE, SMALL

NAMES = ("latent", "reconstruction", "assignments")


def untrained(pixels=SCENE.pixels):
    """A model with initial weights and the standardisation of a scene, without a training."""
    model = LREN("release", **SMALL)
    model.build((None, pixels.shape[1]))
    model.scaler_state.store(fit_scaler(pixels, "minmax_zscore"))
    return model


@pytest.fixture(scope="module")
def network():
    return untrained()


@pytest.fixture(scope="module")
def table(network):
    return {name: value.numpy() for name, value in network(SCENE.pixels).items()}


def assert_same(found, table, grid=(12, 11)):
    for name in NAMES:
        rows = table[name].reshape(*grid, -1)
        np.testing.assert_allclose(found[name], rows, atol=1e-5, err_msg=name)


class TestOutputs:
    def test_predict_and_a_call_take_images_scenes_and_lists(self, network, table):
        assert_same(network.predict(SCENE.cube, verbose=0), table)
        for data in (SCENE.cube, SCENE, tf.constant(SCENE.cube), SCENE.cube.tolist()):
            assert_same(network(data), table)
        assert_same(network(SCENE.cube[None]), table, (1, 12, 11))
        assert_same(network.predict_on_batch(SCENE.cube), table)

    def test_predict_takes_a_table_by_batches_and_what_keras_makes_batches_of(
        self, network, table
    ):
        batches = tf.data.Dataset.from_tensor_slices(SCENE.pixels).batch(50)
        for data, size in ((SCENE.pixels, 50), (SCENE, 50), (batches, None)):
            found = network.predict(data, batch_size=size, verbose=0)
            assert_same(found, table, (12, 11) if data is SCENE else (132,))

    def test_predict_tells_callbacks_and_takes_one_alone(self, network):
        seen = []
        told = keras.callbacks.LambdaCallback()
        told.on_predict_batch_end = lambda batch, logs: seen.append(batch)
        network.predict(SCENE.pixels, batch_size=70, verbose=0, callbacks=told)
        assert seen == [0, 1]

    def test_a_path_with_its_key(self, network, table, tmp_path):
        np.savez(tmp_path / "two.npz", first=SCENE.cube, other=SCENE.cube[::-1])
        assert_same(network.predict(tmp_path / "two.npz", key="first", verbose=0), table)

    def test_pixels_without_data_have_no_outputs(self, network, table):
        hidden = np.zeros(SCENE.cube.shape, bool)
        hidden[3, 4, 5] = True
        masked = np.ma.array(np.where(hidden, 1e6, SCENE.cube), mask=hidden)
        scene = Scene(SCENE.cube, valid=~hidden.any(axis=2))
        expected = {name: rows.copy() for name, rows in table.items()}
        for rows in expected.values():
            rows[3 * 11 + 4] = np.nan
        for data in (masked, scene):
            assert_same(network(data), expected)
            assert_same(network.predict(data, verbose=0), expected)

    @pytest.mark.parametrize(
        ("offset", "kind"),
        [
            (1e6, np.float64),
            pytest.param(2**28, np.int64, marks=pytest.mark.slow),
            pytest.param(-1e7, np.float64, marks=pytest.mark.slow),
        ],
    )
    def test_standardisation_comes_before_any_rounding_to_float32(self, offset, kind):
        near = np.rint(SCENE.pixels.astype(np.float64) * 1000)
        far = (near + offset).astype(kind)
        expected = untrained(near)(near)["latent"].numpy()
        model = untrained(far)
        batches = tf.data.Dataset.from_tensor_slices(far).batch(66)
        for found in (
            model.predict(far, verbose=0), model.predict_on_batch(far),
            model.predict(batches, verbose=0), model(far),
        ):  # fmt: skip
            np.testing.assert_allclose(found["latent"], expected, atol=1e-4)

    def test_before_a_training_there_are_none(self):
        unbuilt, built = LREN(**SMALL), LREN(**SMALL)
        built.build((None, 20))
        for model in (unbuilt, built):
            for call in (model, model.predict, model.predict_on_batch, model.evaluate):
                with pytest.raises(InputError, match="has not been fitted; call fit, or load"):
                    call(SCENE)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (SCENE.pixels[0], r"shape \(20,\) and dtype float32; expected numbers as samples ×"),
            (SCENE.pixels[:, :7], "7 bands; the model was "),
            (SCENE.cube[..., :7], "7 bands; the model was "),
            (np.full((3, 20), "a"), r"shape \(3, 20\) and dtype .*; expected numbers"),
            (3.0, "expected numbers as samples"),
            (None, "expected numbers as samples"),
        ],
    )
    def test_what_is_no_pixels_is_refused_in_one_sentence(self, network, data, said):
        for call in (network, network.predict, network.predict_on_batch):
            with pytest.raises(InputError, match=said) as refusal:
                call(data)
            assert str(refusal.value).count("\n") == 0


class TestEvaluate:
    def test_it_judges_the_scores_by_the_truth_of_the_scene(self, tmp_path, capsys):
        model = read_only("release")
        expected = metrics.evaluate(model.score(SCENE), SCENE.truth)
        assert model.evaluate(SCENE) == expected
        assert capsys.readouterr().out == ""
        assert model.evaluate(SCENE.cube, SCENE.truth, verbose=1) == expected
        assert capsys.readouterr().out.startswith("auc_pd_pf ")
        table = model.evaluate(SCENE.pixels, SCENE.truth.reshape(-1), return_dict=False)
        assert table == list(expected.values())
        np.savez(tmp_path / "scene.npz", cube=SCENE.cube, truth=SCENE.truth)
        assert model.evaluate(tmp_path / "scene.npz") == expected

    def test_without_truth_or_with_another_one_it_says_so(self):
        model = read_only("release")
        with pytest.raises(InputError, match="evaluate was given data without ground truth"):
            model.evaluate(SCENE.cube)
        with pytest.raises(InputError, match="shape"):
            model.evaluate(SCENE, SCENE.truth[:3])


class TestArguments:
    # An argument of Keras is one of LREN, or listed as one that means nothing here.
    @pytest.mark.parametrize("method", UNSUPPORTED)
    def test_every_argument_of_keras_is_taken_or_explained(self, method):
        of_keras = set(inspect.signature(getattr(keras.Model, method)).parameters)
        ours = set(inspect.signature(getattr(LREN, method)).parameters)
        passed_on = {
            "compile": {"run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"}
        }.get(method, set())
        assert of_keras - {"self", "kwargs"} <= ours | set(UNSUPPORTED[method]) | passed_on

    @pytest.mark.parametrize(
        ("method", "name"), [(m, name) for m, names in UNSUPPORTED.items() for name in names]
    )
    def test_one_that_means_nothing_is_refused_in_one_sentence(self, method, name):
        model = LREN(**SMALL)
        data = () if method == "compile" else (SCENE,)
        if method == "predict":
            model = untrained()
        for value in (0.5, [1, 2]):
            with pytest.raises(InputError, match=f"{method} was given {name}, which ") as refusal:
                getattr(model, method)(*data, **{name: value})
            assert str(refusal.value).count(". ") == 0
        assert not model.compiled

    def test_the_values_that_keras_gives_them_are_taken(self):
        for method, names in UNSUPPORTED.items():
            signature = inspect.signature(getattr(keras.Model, method)).parameters
            defaults = {n: signature[n].default for n in names if n != "shuffle"}
            check_arguments(method, defaults)
            check_arguments(method, dict.fromkeys(names))

    def test_a_misspelt_one_is_a_type_error_as_elsewhere_in_python(self):
        with pytest.raises(TypeError, match=r"LREN.fit\(\) got an unexpected keyword.*'epoch'"):
            LREN(**SMALL).fit(SCENE, epoch=3)

    def test_a_target_is_refused_by_position_too(self):
        with pytest.raises(InputError, match="fit was given y, which is a target"):
            LREN(**SMALL).fit(SCENE.pixels, SCENE.pixels)

    @pytest.mark.parametrize("name", METHODS)
    def test_a_method_that_makes_no_sense_says_what_to_call(self, name):
        before = (model := untrained()).get_weights()
        with pytest.raises(InputError, match=f"^{name} .*; expected another method: call ") as said:
            getattr(model, name)("int8" if name == "quantize" else SCENE.pixels)
        assert str(said.value).count(". ") == 0
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_callbacks_come_one_alone_in_a_list_or_as_keras_own_list(self):
        one, other = keras.callbacks.Callback(), keras.callbacks.TerminateOnNaN()
        assert callback_list(None) == callback_list([]) == []
        assert callback_list(one) == callback_list((one,)) == [one]
        assert callback_list([one, other]) == [one, other]
        assert callback_list(keras.callbacks.CallbackList([one])) == [one]
        for wrong in (3, [one, print], keras.callbacks.EarlyStopping, "stop"):
            with pytest.raises(InputError, match="expected instances of"):
                LREN(**SMALL).fit(SCENE, callbacks=wrong)


class TestCompile:
    def test_without_an_optimiser_it_takes_that_of_the_settings(self):
        for preset, kind in (("paper", keras.optimizers.SGD), ("release", keras.optimizers.Adam)):
            model = LREN(preset, **SMALL, learning_rate=0.25)
            model.compile()
            assert type(model.optimizer) is kind
            assert float(model.optimizer.learning_rate) == 0.25

    def test_steps_per_execution_are_counted(self):
        for wrong in (0, -1, 1.5, "two"):
            with pytest.raises(InputError, match="setting 'steps_per_execution' is"):
                LREN(**SMALL).compile(steps_per_execution=wrong)

    def test_the_reasons_are_sentences(self):
        for names in keras_arguments.UNSUPPORTED.values():
            for reason, advice, _ in names.values():
                assert not reason.endswith(".") and not advice.endswith(".")
