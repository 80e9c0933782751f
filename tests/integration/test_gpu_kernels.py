"""Everything a model runs has a GPU kernel, checked on machines without a GPU.

The full TensorFlow wheel registers its GPU kernels everywhere. Each operation that `fit`,
`score` and a call execute, nested functions included, is looked up with its dtypes. An
operation without one would run on the CPU, with a copy there and back in every step.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

from lren_tf import LREN, solve_low_rank
from lren_tf.datasets import simulate
from lren_tf.low_rank.solve import LOSSES, ORDERS

SMALL = {"hidden_units": 16, "estimator_units": 8}

# Graphs are recorded when they are first run: every test takes a length of its own.
PIXELS = itertools.count(4321)

# Operations that may lack a GPU kernel, some only with these types, each with the reason.
WITHOUT_KERNEL = {
    "DatasetCardinality": "counts the batches once per fit, on the host",
    "TensorDataset": "the batches are kept on the host and sent one at a time",
    "RangeDataset": "as TensorDataset",
    "MapDataset": "as TensorDataset",
    "VarHandleOp(dtype=DT_INT32)": "the fault flag, which the host reads after every step, and "
    "the indices of atoms, written once per fit: TensorFlow keeps int32 variables on the host",
}


def gpu_kernels(op):
    return [
        kernel for kernel in get_registered_kernels_for_op(op).kernel
        if kernel.device_type in ("GPU", "DEFAULT")
    ]


pytestmark = pytest.mark.skipif(
    not any(kernel.device_type == "GPU" for kernel in gpu_kernels("MatMul")),
    reason="this TensorFlow registers no GPU kernels",
)


def executed(function):
    """Every node that a call runs, as (operation, attributes), each sort once."""
    running = context.context()
    running.clear_kernel_cache()  # what has run before is not recorded again
    running.enable_run_metadata()
    try:
        function()
        metadata = running.export_run_metadata()
    finally:
        running.disable_run_metadata()
    nodes = {}
    for graphs in metadata.function_graphs:
        graph = graphs.pre_optimization_graph
        bodies = [graph.node, *(body.node_def for body in graph.library.function)]
        called = {body.signature.name for body in graph.library.function}
        for node in (node for body in bodies for node in body):
            # _Arg, _Retval and the like carry values across a call; they are no arithmetic.
            if not node.op.startswith("_") and node.op not in called:
                types = sorted(f"{k}={v}" for k, v in node.attr.items() if k != "value")
                nodes[(node.op, *types)] = node
    return list(nodes.values())


def dtypes(node, attribute):
    """Types of a node's attribute; the operation's default where the node is silent."""
    value = node.attr.get(attribute)
    if value is None:
        definition = op_def_registry.get(node.op)
        value = next(a.default_value for a in definition.attr if a.name == attribute)
    return list(value.list.type) if value.HasField("list") else [value.type]


def fits(node, kernel):
    return all(
        dtype in constraint.allowed_values.list.type
        for constraint in kernel.constraint
        for dtype in dtypes(node, constraint.name)
    )


def signature(node):
    types = [
        f"{name}={types_pb2.DataType.Name(value.type)}"
        for name, value in sorted(node.attr.items()) if value.HasField("type")
    ]
    return f"{node.op}({', '.join(types)})"


def without_kernel(nodes):
    return sorted(
        {
            signature(node) for node in nodes
            if not {node.op, signature(node)} & {*WITHOUT_KERNEL}
            and not any(fits(node, kernel) for kernel in gpu_kernels(node.op))
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("mixture_dtype", ["float64", "float32"])
@pytest.mark.parametrize("preset", ["paper", "release"])
def test_training_scoring_and_calling(preset, mixture_dtype):
    # Enough pixels for the step to be cut into slices, and in the release into two batches.
    pixels = simulate(70, 64, 6).pixels[: next(PIXELS)]

    def run():
        model = LREN(preset, **SMALL, mixture_dtype=mixture_dtype)
        model.fit(pixels, epochs=1, verbose=0)
        model.score(pixels)
        model(pixels)

    nodes = executed(run)
    # The graphs were really looked at: the step, its branches, the solver's loop.
    assert {
        "MatMul", "TanhGrad", "Cholesky", "MatrixTriangularSolve", "SelfAdjointEigV2",
        "StatelessWhile", "If",
    } <= {node.op for node in nodes}
    assert without_kernel(nodes) == []


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "release"])
def test_training_in_parts(preset):
    pixels = simulate(70, 64, 6).pixels[: next(PIXELS)]

    def run():
        model = LREN(preset, **SMALL, training="separate", low_rank_space="original")
        model.fit(pixels, epochs=1, verbose=0)
        model.score(pixels)

    nodes = executed(run)
    assert {"MatMul", "TanhGrad", "Cholesky", "If", "StatelessWhile"} <= {n.op for n in nodes}
    assert without_kernel(nodes) == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_solver(loss, order, dtype):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(next(PIXELS), 3)), rng.normal(size=(4, 3))
    nodes = executed(
        lambda: solve_low_rank(X, D, 0.1, loss=loss, order=order, dtype=dtype, max_iterations=3)
    )
    assert {"SelfAdjointEigV2", "StatelessWhile"} <= {node.op for node in nodes}
    assert without_kernel(nodes) == []


def test_the_check_sees_what_has_no_kernel():
    # Strings live on the host; the operation is inside a branch.
    @tf.function
    def bad(x):
        return tf.cond(
            tf.size(x) > 2, lambda: tf.size(tf.strings.length(tf.strings.as_string(x))),
            lambda: 0,
        )

    assert "AsString(T=DT_FLOAT)" in without_kernel(executed(lambda: bad(tf.ones([3]))))


@pytest.mark.parametrize("exception", WITHOUT_KERNEL)
def test_the_exceptions_are_real(exception):
    # One that gained a kernel is no exception any more.
    op, _, types = exception.partition("(")
    if types:
        dtype = getattr(types_pb2, types[:-1].partition("=")[2])
        assert not any(
            dtype in constraint.allowed_values.list.type
            for kernel in gpu_kernels(op) for constraint in kernel.constraint
        )
    else:
        assert not gpu_kernels(op)
