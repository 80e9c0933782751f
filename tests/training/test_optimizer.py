"""The optimiser of a training: scaled losses, frozen weights, and what a callback changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, presets
from lren_tf.runtime.precision import single_precision
from lren_tf.training.optimizer import FirstConfig, FusedAdam, descend, make_optimizer
from tests.training.interrupted import SCENE, SMALL, new

GRADIENTS = [np.array([1e-3, -2.0], np.float32), np.array([[3.0]], np.float32)]


def moved(optimizer, frozen=()):
    """Values of two variables after two steps of an optimiser."""
    variables = [keras.Variable(np.ones_like(gradient)) for gradient in GRADIENTS]
    for number in frozen:
        variables[number].trainable = False
    optimizer.build(variables)
    for _ in range(2):
        descend(optimizer, [tf.constant(gradient) for gradient in GRADIENTS], variables)
    return [variable.numpy() for variable in variables]


class TestScaledLosses:
    @pytest.mark.parametrize("kind", [keras.optimizers.SGD, keras.optimizers.Adam])
    def test_an_optimiser_that_divides_by_a_scale_takes_the_same_steps(self, kind):
        expected = moved(kind(0.1))
        for scaled in (
            keras.optimizers.LossScaleOptimizer(kind(0.1)),
            keras.optimizers.LossScaleOptimizer(kind(0.1), initial_scale=4.0),
            kind(0.1, loss_scale_factor=1024.0),
        ):
            for one, other in zip(moved(scaled), expected, strict=True):
                np.testing.assert_array_equal(one, other)

    @pytest.mark.long
    @pytest.mark.parametrize("settings", [{}, {"training": "separate"}], ids=["joint", "separate"])
    def test_a_training_with_one_is_that_without(self, settings):
        weights = []
        for wrap in (lambda plain: plain, keras.optimizers.LossScaleOptimizer):
            model = LREN("release", **{**SMALL, "epochs": 2, **settings})
            model.compile(optimizer=wrap(keras.optimizers.Adam(1e-2)))
            model.fit(SCENE, verbose=0)
            weights.append([v.numpy() for v in model.trainable_variables])
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)


class TestFrozen:
    def test_frozen_variables_stay(self):
        plain = moved(keras.optimizers.Adam(0.1))
        first, second = moved(keras.optimizers.Adam(0.1), frozen=[0])
        np.testing.assert_array_equal(first, np.ones(2))
        np.testing.assert_array_equal(second, plain[1])
        for value in moved(keras.optimizers.Adam(0.1), frozen=[0, 1]):
            np.testing.assert_array_equal(value, np.ones_like(value))

    def test_a_frozen_layer_stays_the_others_move_and_it_moves_again(self):
        model = LREN("release", **SMALL)
        model.build((None, 20))
        model.encoder_hidden.trainable = False
        at_first = [layer.kernel.numpy() for layer in (model.encoder_hidden, model.encoder_latent)]
        model.fit(SCENE, epochs=1, verbose=0)
        np.testing.assert_array_equal(model.encoder_hidden.kernel, at_first[0])
        assert not np.array_equal(model.encoder_latent.kernel, at_first[1])
        model.encoder_hidden.trainable = True
        model.fit(SCENE, epochs=1, verbose=0)
        assert not np.array_equal(model.encoder_hidden.kernel, at_first[0])

    @pytest.mark.long
    def test_a_phase_whose_layers_are_all_frozen_moves_nothing(self):
        model = LREN("release", **{**SMALL, "epochs": 1}, training="separate")
        model.build((None, 20))
        for name in ("encoder_hidden", "encoder_latent", "decoder_hidden", "decoder_output"):
            getattr(model, name).trainable = False
        before = model.encoder_hidden.kernel.numpy(), model.estimator_hidden.kernel.numpy()
        model.fit(SCENE, verbose=0)
        np.testing.assert_array_equal(model.encoder_hidden.kernel, before[0])
        assert not np.array_equal(model.estimator_hidden.kernel, before[1])

    def test_a_model_with_nothing_to_train_is_refused(self):
        built, unbuilt = LREN("release", **SMALL), LREN("release", **SMALL)
        built.build((None, 20))
        layers = LREN("release", **SMALL)
        layers.build((None, 20))
        for layer in layers.layers:
            layer.trainable = False
        built.trainable = unbuilt.trainable = False
        for model in (built, unbuilt, layers):
            with pytest.raises(InputError, match="all layers of the model are frozen; expected"):
                model.fit(SCENE, epochs=1, verbose=0)

    @pytest.mark.long
    def test_another_set_of_frozen_layers_is_another_training(self, tmp_path):
        new().fit(SCENE, epochs=2, verbose=0, resume=tmp_path)
        other = new()
        other.build((None, 20))
        other.decoder_output.trainable = False
        with pytest.raises(InputError, match="another set of frozen weights"):
            other.fit(SCENE, epochs=2, verbose=0, resume=tmp_path)


class TestFirstConfig:
    def test_a_change_during_a_training_is_forgotten_one_after_it_counts(self):
        first, optimizer = FirstConfig(), keras.optimizers.Adam(0.25)
        begun = first.of(optimizer)
        optimizer.learning_rate = 0.125
        first.keep(begun, optimizer)
        assert first.of(optimizer) == begun
        optimizer.learning_rate = 0.5
        assert first.of(optimizer)["learning_rate"] == 0.5
        assert first.of(keras.optimizers.SGD(0.125))["class"] == "SGD"

    # Callbacks change the learning rate of the model's own optimiser, which a later call of fit
    # on the same object begins with.
    @pytest.mark.parametrize(
        "callback",
        [
            pytest.param(
                lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
                id="every epoch",
            ),
            pytest.param(
                lambda: keras.callbacks.ReduceLROnPlateau(
                    "loss", patience=1, min_delta=1e9, factor=0.5
                ),
                id="plateau", marks=pytest.mark.long,
            ),
        ],
    )  # fmt: skip
    def test_the_same_call_again_on_the_same_object_resumes(self, callback, tmp_path):
        model = new("release")

        def fit(**options):
            return model.fit(
                SCENE, epochs=3, verbose=0, resume=tmp_path, callbacks=callback(), **options
            )

        history = fit()
        assert model.optimizer.get_config()["learning_rate"] < 1e-4
        score = model.score(SCENE)
        again = fit()
        assert again.history == history.history
        np.testing.assert_array_equal(model.score(SCENE), score)
        model.optimizer.learning_rate = 0.5  # by hand
        with pytest.raises(InputError, match=r"another optimizer 'learning_rate' \(.*here it is 0"):
            fit()

    @pytest.mark.long
    def test_after_an_interruption_too(self, tmp_path):
        def halve():
            return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)

        def interrupt(epoch, logs):
            if epoch == 2:
                raise KeyboardInterrupt

        plain = new("release")
        plain.fit(SCENE, verbose=0, callbacks=halve())
        model = new("release")
        stop = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.fit(SCENE, verbose=0, resume=tmp_path, callbacks=[halve(), stop])
        model.fit(SCENE, verbose=0, resume=tmp_path, callbacks=halve())
        np.testing.assert_array_equal(model.score(SCENE), plain.score(SCENE))


@pytest.fixture
def restored_policy():
    policy, number = keras.config.dtype_policy(), keras.config.floatx()
    yield
    keras.config.set_floatx(number)
    keras.config.set_dtype_policy(policy)


class TestPrecision:
    @staticmethod
    def fitted():
        model = new("release")
        history = model.fit(SCENE, epochs=2, verbose=0)
        return model, [history.history, *(weight.tolist() for weight in model.get_weights())]

    @pytest.mark.parametrize(
        ("policy", "number"),
        [
            ("mixed_float16", "float16"),
            *(
                pytest.param(policy, number, marks=pytest.mark.long)
                for policy, number in [
                    ("mixed_bfloat16", "float32"), ("float64", "float64"), ("float16", "float16"),
                    ("bfloat16", "float32"),
                ]
            ),
        ],
    )  # fmt: skip
    def test_no_global_policy_changes_a_bit(self, policy, number, restored_policy):
        _, expected = self.fitted()
        keras.config.set_floatx(number)
        keras.config.set_dtype_policy(policy)
        model, found = self.fitted()
        assert keras.config.dtype_policy().name == policy and keras.config.floatx() == number
        assert found == expected
        assert not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        outputs = model(SCENE.pixels)
        assert {value.dtype.name for value in outputs.values()} == {"float32"}

    @pytest.mark.long
    def test_nor_one_that_is_set_when_a_saved_model_is_loaded(self, restored_policy, tmp_path):
        model = new("release")
        model.fit(SCENE, epochs=1, verbose=0)
        model.save(tmp_path / "model.keras")
        keras.config.set_dtype_policy("mixed_bfloat16")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.score(SCENE), model.score(SCENE))

    def test_it_is_restored_after_a_failure(self, restored_policy):
        keras.config.set_dtype_policy("mixed_bfloat16")
        keras.config.set_floatx("float16")
        with single_precision():
            assert keras.layers.Dense(1).compute_dtype == "float32"
        with pytest.raises(ZeroDivisionError), single_precision():
            _ = 1 / 0
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert keras.config.floatx() == "float16"


def compiled(optimizer, variable):
    return tf.function(lambda gradient: optimizer.apply([gradient], [variable]))


class TestFusedAdam:
    def test_several_members_have_it_and_one_has_keras(self):
        kinds = [type(make_optimizer(presets.PRESETS[name])) for name in ("release", "robust")]
        assert kinds == [keras.optimizers.Adam, FusedAdam]

    def test_its_steps_are_those_of_adam(self):
        draws = np.random.default_rng(0)
        start = draws.normal(size=(3, 7, 5)).astype(np.float32)
        slopes = draws.normal(size=(20, 3, 7, 5)).astype(np.float32)
        ends = []
        for kind in (keras.optimizers.Adam, FusedAdam):
            variable = keras.Variable(start)
            optimizer = kind(1e-2, beta_1=0.8, epsilon=1e-3)
            optimizer.build([variable])
            step = compiled(optimizer, variable)
            for slope in slopes:
                step(tf.constant(slope))
            operations = step.get_concrete_function(tf.constant(slope)).graph.get_operations()
            fused = any(operation.type == "ResourceApplyAdam" for operation in operations)
            assert fused == (kind is FusedAdam)
            ends.append([np.asarray(each) for each in (variable, *optimizer.variables)])
        assert np.abs(ends[0][0] - start).max() > 0.05
        for one, other in zip(*ends, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)

    def test_what_the_operation_cannot_do_keras_does(self):
        variable = keras.Variable([1.0, 2.0])
        optimizer = FusedAdam(0.1, amsgrad=True)
        optimizer.build([variable])
        optimizer.apply([tf.constant([1.0, -1.0])], [variable])
        np.testing.assert_allclose(variable, [0.9, 2.1], atol=1e-4)

    def test_it_is_saved_with_a_model(self):
        config = keras.optimizers.serialize(FusedAdam(0.01))
        assert isinstance(keras.optimizers.deserialize(config), FusedAdam)
