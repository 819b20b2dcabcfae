"""What the lean recurrence holds in memory; its values are compared in `test_recurrence.py`."""

import tensorflow as tf

from elmo_tf.layers.lean_recurrence import lean
from elmo_tf.layers.recurrence import Weights


def test_the_products_of_one_part_wait_for_the_part_before():
    """Nothing that they read makes them, and TensorFlow begins ten turns of a loop at once, 34 MB each at the original
    size."""
    size, units = 3, 5
    weights = Weights(tf.ones([2 * size, 4 * units]), tf.ones([4 * units]), tf.ones([units, size]), 3.0, 3.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2, size]), tf.TensorSpec([2, units]), tf.TensorSpec([2, size])])
    def run(inputs, cell, output):
        return lean(inputs, weights, (cell, output), None)

    functions = run.get_concrete_function().graph.as_graph_def().library.function
    bodies = [
        function for function in functions if any(node.op in ("While", "StatelessWhile") for node in function.node_def)
    ]
    (body,) = bodies  # the loop over the parts, which holds the loop over the steps of one
    read = [node for node in body.node_def if node.op == "Identity" and "TensorListGetItem" in node.input[0]]
    assert any(name.startswith("^") for node in read for name in node.input)
    makers = {node.name: node for node in body.node_def}
    (product,) = [node for node in body.node_def if node.op == "MatMul"]
    values = makers[product.input[0].split(":")[0]]  # their shape made flat
    assert makers[values.input[0].split(":")[0]] in read
