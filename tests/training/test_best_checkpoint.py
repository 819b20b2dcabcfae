"""The choice of the best checkpoint and the end of the patience, called as the training loop calls them."""

from riding import end_step, ride, state_of

from elmo_tf.training.best_checkpoint import BestCheckpoint


def best_of(state):
    return state.best_perplexity, state.best_step, state.validations_since_best


def test_the_best_of_a_validation_made_up_for_is_saved_by_its_step():
    saved, state = [], state_of(step=6, best_perplexity=9.0)
    riding, _ = ride(BestCheckpoint(state, saved.append, 2, str))
    riding.on_train_begin({"val_perplexity": 8.0})
    assert saved == [6]


def test_the_best_is_saved_and_patience_counts_validations_without_a_better_one():
    saved, lines, state = [], [], state_of()
    riding, model = ride(BestCheckpoint(state, saved.append, 2, lines.append))
    for perplexity in [9.0, 7.0, 8.0, 6.0, 6.0, 7.0]:
        assert not model.stop_training
        end_step(riding, state, {"val_perplexity": perplexity})
    assert saved == [1, 2, 4]
    assert best_of(state) == (6.0, 4, 2)
    assert model.stop_training
    assert "6.00" in lines[0]


def test_a_validation_before_the_first_step_counts():
    saved, state = [], state_of()
    riding, model = ride(BestCheckpoint(state, saved.append, 2, str))
    riding.on_train_begin({"val_perplexity": 5.0})
    end_step(riding, state, {"val_perplexity": 6.0})
    assert (saved, best_of(state)) == ([0], (5.0, 0, 1))
    assert not model.stop_training
    end_step(riding, state, {"val_perplexity": 7.0})
    assert model.stop_training


def test_a_first_perplexity_that_is_infinite_takes_no_patience():
    saved, state = [], state_of()
    riding, model = ride(BestCheckpoint(state, saved.append, 1, str))
    riding.on_train_begin({"val_perplexity": float("inf")})
    riding.on_train_begin({})
    assert (saved, best_of(state), model.stop_training) == ([], (None, None, 0), False)


def test_patience_can_end_without_any_best():
    saved, lines, state = [], [], state_of()
    riding, model = ride(BestCheckpoint(state, saved.append, 1, lines.append))
    end_step(riding, state, {"val_perplexity": float("inf")})
    assert (saved, best_of(state), model.stop_training) == ([], (None, None, 1), True)
    assert "perplexity inf" in lines[0]


def test_without_patience_nothing_stops_the_run():
    state = state_of()
    riding, model = ride(BestCheckpoint(state, lambda step: None, 0, str))
    for batch in range(9):
        end_step(riding, state, {"val_perplexity": 5.0 + batch})
    assert not model.stop_training
