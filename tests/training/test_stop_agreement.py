"""One process stops when it is asked to; several stop together, after they have told each other."""

from types import SimpleNamespace

import numpy as np
import pytest

from elmo_tf.training.stop_agreement import StopAgreement, ValidationAbandonedError


def agreement(others=(), of_user=False):
    """The agreement of this worker with others, of which each answers with its own vector, and the model."""
    model = SimpleNamespace()
    gather = lambda numbers: np.array([numbers, *others], np.float32)  # noqa: E731 - a function in a namespace
    workers = SimpleNamespace(count=1 + len(others), gather=gather)
    return StopAgreement(model, workers, of_user), model


def test_one_process_stops_at_once_and_abandons_its_validation():
    stops, model = agreement()
    stops.abandon_if_stopped(0)
    assert (stops.is_to_stop(), stops.stopped_by) == (False, None)
    stops.request(15)
    assert (stops.is_to_stop(), stops.stopped_by, model.stop_training) == (True, 15, True)
    with pytest.raises(ValidationAbandonedError):
        stops.abandon_if_stopped(1)


def test_several_workers_stop_when_they_exchange_the_signal():
    stops, _ = agreement(others=[[3.0, 0.0]])
    stops.request(15)
    assert (stops.is_to_stop(), stops.stopped_by) == (False, None)
    np.testing.assert_array_equal(stops.exchange(np.array([2.0])), [[2.0], [3.0]])
    assert (stops.is_to_stop(), stops.stopped_by) == (True, 15)


def test_in_a_validation_the_workers_ask_each_other_every_ten_windows():
    stops, _ = agreement(others=[[2.0]])
    for window in range(9):
        stops.abandon_if_stopped(window)
    with pytest.raises(ValidationAbandonedError):
        stops.abandon_if_stopped(9)
    assert stops.stopped_by == 2


def test_what_the_users_callbacks_ask_for_on_one_worker_holds_for_all():
    assert agreement(others=[[1.0]], of_user=True)[0].is_to_stop()
    assert not agreement(others=[[0.0]], of_user=True)[0].is_to_stop()
    assert not agreement(others=[[1.0]], of_user=False)[0].is_to_stop()
