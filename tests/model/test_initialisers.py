"""Initial weights of the release: TensorFlow 1's draws, whatever else the process draws."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS, TF1GlorotUniform

SHAPE = (30, 20)
# First row, first four entries of a [30, 20] matrix, graph seed 123, recorded from
# tf.raw_ops.RandomUniform in a fresh graph (TensorFlow 2.21, CPU).
RECORDED = {
    "encoder_hidden": [
        -0.030224859714508057, 0.09982579946517944, -0.019214540719985962, -0.01927781105041504,
    ],
    "encoder_latent": [
        -0.27819839119911194, -0.2849498391151428, 0.2642276883125305, 0.14057722687721252,
    ],
    "decoder_hidden": [
        -0.24027568101882935, -0.2702338695526123, -0.20691551268100739, 0.3348533511161804,
    ],
    "decoder_output": [
        0.12278309464454651, 0.008698523044586182, 0.17786294221878052, -0.21140843629837036,
    ],
    "estimator_hidden": [
        -0.05179372429847717, -0.27187320590019226, -0.07697394490242004, -0.24954912066459656,
    ],
    "estimator_output": [
        0.13090208172798157, 0.24031531810760498, -0.12546753883361816, -0.03643089532852173,
    ],
}


def stateful_draw(shape, graph_seed, operation_seed):
    """The draw TensorFlow 1 makes: the stateful operation in a graph of its own."""
    graph = tf.Graph()
    with graph.as_default(), tf.device("/CPU:0"):
        uniform = tf.raw_ops.RandomUniform(
            shape=list(shape), dtype=tf.float32, seed=graph_seed, seed2=operation_seed
        )
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(uniform)


def test_the_operation_seeds_are_those_of_the_released_program():
    assert RELEASE_OPERATION_SEEDS == {
        "encoder_hidden": 5,
        "encoder_latent": 22,
        "decoder_hidden": 38,
        "decoder_output": 55,
        "estimator_hidden": 162,
        "estimator_output": 180,
    }


@pytest.mark.parametrize("layer", RELEASE_OPERATION_SEEDS)
@pytest.mark.parametrize("graph_seed", [123, 1])
@pytest.mark.parametrize("shape", [SHAPE, (189, 400), (9, 7)])
def test_weights_equal_the_stateful_draw_bit_for_bit(layer, graph_seed, shape):
    operation_seed = RELEASE_OPERATION_SEEDS[layer]
    weights = TF1GlorotUniform(graph_seed, operation_seed)(shape).numpy()
    limit = math.sqrt(6 / sum(shape))
    uniform = stateful_draw(shape, graph_seed, operation_seed)
    # In float32 throughout, as u · (max − min) + min was computed.
    expected = uniform * np.float32(2 * limit) - np.float32(limit)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("layer", RELEASE_OPERATION_SEEDS)
def test_recorded_values_do_not_move_with_tensorflow(layer):
    weights = TF1GlorotUniform(123, RELEASE_OPERATION_SEEDS[layer])(SHAPE).numpy()
    np.testing.assert_array_equal(weights[0, :4], np.array(RECORDED[layer], np.float32))


def test_a_draw_does_not_depend_on_other_draws_or_on_global_seeds():
    first = TF1GlorotUniform(123, 5)
    alone = first(SHAPE).numpy()
    tf.random.set_seed(7)
    keras.utils.set_random_seed(8)
    TF1GlorotUniform(123, 22)((50, 50))
    tf.random.uniform([10])
    np.testing.assert_array_equal(first(SHAPE), alone)
    np.testing.assert_array_equal(TF1GlorotUniform(123, 5)(SHAPE), alone)


def test_different_seeds_give_different_weights():
    draws = [TF1GlorotUniform(g, o)(SHAPE).numpy() for g, o in [(123, 5), (123, 22), (1, 5)]]
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_weights_fill_the_glorot_interval():
    fan_in, fan_out = 400, 60
    limit = math.sqrt(6 / (fan_in + fan_out))
    weights = TF1GlorotUniform(123, 5)((fan_in, fan_out)).numpy()
    assert -limit <= weights.min() < -0.999 * limit
    assert 0.999 * limit < weights.max() < limit
    assert abs(weights.mean()) < 0.02 * limit
    np.testing.assert_allclose(weights.std(), limit / math.sqrt(3), rtol=0.01)


def test_the_dtype_asked_for_is_given():
    weights = TF1GlorotUniform(123, 5)(SHAPE, dtype="float64")
    assert weights.dtype == tf.float64
    np.testing.assert_array_equal(weights, tf.cast(TF1GlorotUniform(123, 5)(SHAPE), tf.float64))


def test_a_layer_with_it_survives_keras_serialisation():
    layer = keras.layers.Dense(20, kernel_initializer=TF1GlorotUniform(123, 22))
    # No custom_objects: the class is registered.
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert isinstance(again.kernel_initializer, TF1GlorotUniform)
    assert again.kernel_initializer.get_config() == {"graph_seed": 123, "operation_seed": 22}
    again.build((None, 30))
    np.testing.assert_array_equal(again.kernel, TF1GlorotUniform(123, 22)(SHAPE))
    np.testing.assert_array_equal(again.bias, np.zeros(20))
