"""The event files of a run, read back as TensorBoard does: scalars, histograms, and one point a step."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tiny
from full_disk import largest_file
from riding import end_step, ride, state_of
from tensorboard.backend.event_processing.plugin_event_accumulator import TENSORS, EventAccumulator
from tensorboard.plugins.histogram.metadata import PLUGIN_NAME
from training_runs import arrays, quiet

from elmo_tf.errors import InputError
from elmo_tf.training import tensorboard_log
from elmo_tf.training.tensorboard_log import BUCKETS, TensorBoardLog, count_in_buckets

pytestmark = pytest.mark.usefixtures("kept_trainers")


def events_of(folder):
    """The events of a folder, as TensorBoard shows them."""
    return EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()


def steps_of(folder, name):
    """The steps of the points of a curve, or of the histograms of a weight."""
    return [event.step for event in events_of(folder).Tensors(name)]


def histograms_of(folder, name):
    """The histograms of a weight by their steps."""
    return {event.step: tf.make_ndarray(event.tensor_proto) for event in events_of(folder).Tensors(name)}


def log_process(folder, start, end, first_logs=None, weight=None):
    """Writes what a process logs from step `start` to `end`, with a point a step and a histogram every second one.

    Each step adds 1 to the weight, and a killed process does not close its file. The files are named in their order:
    TensorBoard goes by the second in the name, and these processes are all of one second.
    """
    weight = tf.Variable([float(start), start + 1.0]) if weight is None else weight
    state = state_of(step=start, is_resumed=start > 0)
    riding, _ = ride(TensorBoardLog(state, str(folder), 1, {"CNN_proj/b_proj": weight}, 2))
    riding.on_train_begin(dict(first_logs or {}))
    for _ in range(start, end):
        weight.assign_add([1.0, 1.0])
        end_step(riding, state, {"loss": 1.0})
    (new,) = folder.glob("events.*.v2")
    new.rename(folder / f"events.out.tfevents.{len(list(folder.iterdir()))}.host")


def test_tensorboard_gets_training_and_validation_scalars_by_step(tmp_path):
    state = state_of()
    riding, _ = ride(TensorBoardLog(state, str(tmp_path), 2))
    riding.on_train_begin({"val_perplexity": 9.0})
    for _ in range(4):
        end_step(riding, state, {"loss": 1.0})
    riding.on_epoch_end(0, {"val_perplexity": 3.0, "loss": 1.0})
    riding.on_train_end()
    events = events_of(tmp_path)
    assert [event.step for event in events.Tensors("training/loss")] == [2, 4]
    assert [event.step for event in events.Tensors("validation/perplexity")] == [0, 4]


def test_tensorboard_gets_a_validation_made_up_for_by_its_step(tmp_path):
    riding, _ = ride(TensorBoardLog(state_of(step=6), str(tmp_path), 2))
    riding.on_train_begin({"val_perplexity": 9.0})
    riding.on_train_end()
    events = events_of(tmp_path)
    assert [event.step for event in events.Tensors("validation/perplexity")] == [6]


def test_tensorboards_files_that_no_disk_takes_are_one_sentence(tmp_path):
    state = state_of()
    riding, _ = ride(TensorBoardLog(state, str(tmp_path), 1))
    with largest_file(100), pytest.raises(InputError, match=rf"{tmp_path} cannot be written: ") as caught:
        end_step(riding, state, {"loss": 0.5})
    assert "\n" not in str(caught.value)


def test_a_resumed_run_has_one_point_a_step_where_a_killed_process_went_further(tmp_path):
    log_process(tmp_path, 0, 7)
    assert steps_of(tmp_path, "weights/CNN_proj/b_proj") == [0, 2, 4, 6]
    log_process(tmp_path, 4, 6, weight=tf.Variable([10.0, 11.0]))
    assert steps_of(tmp_path, "training/loss") == [1, 2, 3, 4, 5, 6]
    found = histograms_of(tmp_path, "weights/CNN_proj/b_proj")
    assert {step: (buckets[0, 0], buckets[-1, 1]) for step, buckets in found.items()} == {
        0: (0.0, 1.0), 2: (2.0, 3.0), 4: (4.0, 5.0), 6: (12.0, 13.0),
    }  # fmt: skip


def test_a_validation_made_up_for_replaces_the_points_of_its_step(tmp_path):
    log_process(tmp_path, 0, 5)
    log_process(tmp_path, 4, 4, {"loss": 1.0, "val_perplexity": 9.0})
    log_process(tmp_path, 4, 5, {"loss": 1.0, "val_perplexity": 9.0})
    assert steps_of(tmp_path, "validation/perplexity") == [4]
    assert steps_of(tmp_path, "training/loss") == [1, 2, 3, 4, 5]
    assert steps_of(tmp_path, "weights/CNN_proj/b_proj") == [0, 2, 4]


def test_a_run_that_begins_anew_in_the_folder_forgets_the_points_of_the_one_before(tmp_path):
    log_process(tmp_path, 0, 5)
    log_process(tmp_path, 0, 1)
    assert steps_of(tmp_path, "training/loss") == [1]
    assert steps_of(tmp_path, "weights/CNN_proj/b_proj") == [0]


def test_buckets_count_every_number_once_however_many_are_counted_at_a_time(monkeypatch):
    values = np.random.default_rng(1).standard_normal((7, 11)).astype(np.float32)
    whole = count_in_buckets(tf.Variable(values))
    monkeypatch.setattr(tensorboard_log, "_NUMBERS_AT_ONCE", 10)
    np.testing.assert_array_equal(count_in_buckets(tf.Variable(values)), whole)
    assert whole.shape == (BUCKETS, 3)
    assert (whole[0, 0], whole[-1, 1], whole[:, 2].sum()) == (values.min(), values.max(), values.size)
    np.testing.assert_array_equal(whole[:, 2], np.histogram(values.astype(np.float64), BUCKETS)[0])


def test_equal_numbers_fall_into_the_last_bucket_and_numbers_that_are_not_finite_have_no_histogram():
    buckets = count_in_buckets(tf.Variable([0.5, 0.5, 0.5]))
    assert buckets[-1].tolist() == [0.5, 0.5, 3.0]
    assert not buckets[:-1, 2].any()
    almost = count_in_buckets(tf.Variable([1.0, np.nextafter(np.float32(1.0), np.float32(2.0))]))
    assert (almost[0, 2], almost[-1, 2]) == (1.0, 1.0)
    for wrong in (np.nan, np.inf):
        assert count_in_buckets(tf.Variable([0.0, wrong, 1.0])) is None


def test_histograms_of_a_run_show_its_weights_at_their_step_and_change_nothing(tmp_path):
    plain = tiny.settings(tmp_path, model="plain", max_steps=4)
    quiet(plain)
    logged = dataclasses.replace(plain, model_dir=str(tmp_path / "logged"), max_steps=7, histogram_steps=4)
    quiet(logged)  # steps 5 to 7 were in flight behind step 4, had they not been waited for
    events, expected = events_of(tmp_path / "logged" / "tensorboard"), arrays(plain.model_dir)
    names = [name for name in events.Tags()[TENSORS] if name.startswith("weights/")]
    assert {events.SummaryMetadata(name).plugin_data.plugin_name for name in names} == {PLUGIN_NAME}
    assert len(names) == len([key for key in expected if key.startswith("weights/")])
    for name in names:
        found = {event.step: tf.make_ndarray(event.tensor_proto) for event in events.Tensors(name)}
        saved = "weights/" + name.removeprefix("weights/").replace("/", ".S") + "/.ATTRIBUTES/VARIABLE_VALUE"
        assert list(found) == [0, 4]
        np.testing.assert_array_equal(found[4], count_in_buckets(tf.Variable(expected[saved])))
