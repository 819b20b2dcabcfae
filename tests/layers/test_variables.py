"""The variable of the current replica is read under a strategy."""

import types

import tensorflow as tf
from elmo_process import run_python

from elmo_tf.layers.variables import replica_variable

TWO_REPLICAS = """
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from elmo_tf.layers.variables import replica_variable

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    variable = tf.Variable([[1.0], [2.0], [3.0]])
    across = replica_variable(variable)
parts = strategy.experimental_local_results(variable)
assert len(parts) == 2 and parts[0].device != parts[1].device
assert across is parts[0] and replica_variable(variable) is parts[0]

seen = []

def step():
    own = replica_variable(variable)
    seen.append(own)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(own, [2, 2]) ** 2)
    gradient = tape.gradient(loss, own)
    assert isinstance(gradient, tf.IndexedSlices), gradient
    return gradient.values

for run in (strategy.run, tf.function(strategy.run)):
    seen.clear()
    values = strategy.experimental_local_results(run(step))
    assert {part.device for part in seen} == {part.device for part in parts}, seen
    assert all(any(own is part for part in parts) for own in seen)
    assert [part.numpy().tolist() for part in values] == [[[6.0], [6.0]]] * 2
print("right")
"""


def test_outside_of_a_strategy_a_variable_is_itself():
    variable = tf.Variable([1.0])
    assert replica_variable(variable) is variable


def test_where_the_replica_is_a_tensor_the_variable_is_itself(monkeypatch):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        variable = tf.Variable([1.0])
    assert replica_variable(variable) is not variable
    with tf.Graph().as_default():
        replica = types.SimpleNamespace(replica_id_in_sync_group=tf.compat.v1.placeholder(tf.int32, []))
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: replica)
        assert replica_variable(variable) is variable


def test_each_replica_reads_rows_of_its_own_variable(tmp_path):
    assert run_python(TWO_REPLICAS, tmp_path).split()[-1] == "right"
