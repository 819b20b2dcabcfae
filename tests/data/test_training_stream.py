"""The training's input: against bilm-tf's packing in plain Python, and from any saved position on."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_cases import INPUTS, are_equal, as_read, expected_windows, options_of, pairs_of, words_of

from elmo_tf.data import training_stream
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.negatives import draw_negatives
from elmo_tf.data.sentences import ShuffledSentences, sentences_in_file_order
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError


@INPUTS
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("rows", "steps"), [(1, 7), (4, 5), (7, 1), (64, 3)])
def test_steps_are_the_shuffled_sentences_in_bilm_tfs_packing(made, by_characters, bidirectional, rows, steps):
    corpus, vocabulary = made
    options = options_of(by_characters, bidirectional, steps)
    stream = iter(TrainingStream(corpus, vocabulary, options, StreamSettings(rows, seed=5, negatives=4)))
    expected = [
        expected_windows(ShuffledSentences(corpus, 5, direction), direction, rows, steps, vocabulary, by_characters)
        for direction in range(options.directions)
    ]
    for number, (step, _) in enumerate(itertools.islice(stream, 30)):
        (window,) = step.windows
        assert window.inputs.shape == window.targets.shape == (options.directions, rows, steps)
        for direction, windows in enumerate(expected):
            pairs = next(windows)
            assert pairs_of(window, direction) == pairs
            first = as_read(("<S>", "</S>")[direction], vocabulary, by_characters)
            assert window.begins[direction].tolist() == [row[0][0] == first for row in pairs]
            ids, tries = draw_negatives(4, len(vocabulary), 5, number, direction)
            np.testing.assert_array_equal(step.negatives[direction], ids)
            assert step.tries[direction] == tries


def test_both_directions_read_every_sentence_of_a_real_text_and_backward_each_from_its_end(real):
    corpus, vocabulary = real
    steps = 500
    stream = iter(TrainingStream(corpus, vocabulary, options_of(steps=steps), StreamSettings(rows=1)))
    tokens = [[], []]
    while len(tokens[0]) < corpus.predictions:
        (window,) = next(stream)[0].windows
        for direction, words in enumerate(words_of(window)):
            tokens[direction] += words[0].tolist()
    sentences = Counter(
        tuple(as_read(word, vocabulary, True) for word in words) for words in sentences_in_file_order(corpus)
    )
    orders = []
    for direction, first in enumerate((b"<S>", b"</S>")):
        read = tokens[direction][: corpus.predictions]  # one row reads the first epoch first
        assert read[0] == first
        starts = [at for at, word in enumerate(read) if word == first]
        bodies = [read[start + 1 : end] for start, end in itertools.pairwise([*starts, len(read)])]
        orders.append([tuple(body[:: 1 - 2 * direction]) for body in bodies])
        assert Counter(orders[direction]) == sentences
    assert orders[0] != orders[1]


@INPUTS
def test_replicas_get_the_rows_in_order_and_the_same_negatives(made, by_characters):
    corpus, vocabulary = made
    options = options_of(by_characters)
    one, two, three = (
        [step for step, _ in itertools.islice(TrainingStream(corpus, vocabulary, options, stream_settings), 8)]
        for stream_settings in (StreamSettings(6, k, seed=2, negatives=3) for k in (1, 2, 3))
    )
    for alone, *parted in zip(one, two, three, strict=True):
        (whole,) = alone.windows
        for step in parted:
            np.testing.assert_array_equal(step.negatives, alone.negatives)
            np.testing.assert_array_equal(step.tries, alone.tries)
            np.testing.assert_array_equal(np.concatenate([words_of(w) for w in step.windows], 1), words_of(whole))
            np.testing.assert_array_equal(np.concatenate([w.targets for w in step.windows], 1), whole.targets)
            np.testing.assert_array_equal(np.concatenate([w.begins for w in step.windows], 1), whole.begins)


@INPUTS
def test_a_worker_makes_the_windows_of_its_own_parts_alone_and_knows_the_position_of_all(made, by_characters):
    shares = [None, range(3), range(3, 4), range(2, 2)]
    whole, *parted = (
        list(
            itertools.islice(
                TrainingStream(*made, options_of(by_characters), StreamSettings(8, 4, 2, 3, own_parts=own)), 8
            )
        )
        for own in shares
    )
    for own, steps in zip(shares[1:], parted, strict=True):
        mine = [step._replace(windows=step.windows[own.start : own.stop]) for step, _ in whole]
        are_equal([step for step, _ in steps], mine)
        assert [position.to_json() for _, position in steps] == [position.to_json() for _, position in whole]


def test_without_negatives_none_are_drawn(made):
    for bidirectional, directions in ((True, 2), (False, 1)):
        step, _ = next(iter(TrainingStream(*made, options_of(bidirectional=bidirectional), StreamSettings(2))))
        assert step.negatives.shape == (directions, 0)
        assert step.negatives.dtype == np.int32
        assert step.tries.shape == (directions,)


@INPUTS
@pytest.mark.parametrize("most_others", [0, 10, 100_000])
@pytest.mark.parametrize("stop", [1, 2, 9, 30, 71])
def test_a_stream_resumed_from_a_position_gives_bit_equal_steps(made, by_characters, most_others, stop, monkeypatch):
    monkeypatch.setattr(training_stream, "_MOST_OTHERS", most_others)
    corpus, vocabulary = made
    options, stream_settings = options_of(by_characters), StreamSettings(4, parts=2, seed=3, negatives=4)
    whole = list(itertools.islice(TrainingStream(corpus, vocabulary, options, stream_settings), stop + 12))
    saved = whole[stop - 1][1].to_json()
    again = list(
        itertools.islice(TrainingStream(corpus, vocabulary, options, stream_settings, step=stop, position=saved), 12)
    )
    are_equal([step for step, _ in again], [step for step, _ in whole[stop:]])
    assert [position.to_json() for _, position in again] == [position.to_json() for _, position in whole[stop:]]


@settings(max_examples=40, deadline=None)
@given(
    sentences=st.lists(st.text("abøcde日f", min_size=1, max_size=7), min_size=1, max_size=9),
    rows=st.integers(1, 4),
    steps=st.integers(1, 6),
    stop=st.integers(1, 20),
    seed=st.integers(0, 3),
)
def test_a_stream_resumes_from_a_saved_position_on_any_text(tmp_path_factory, sentences, rows, steps, stop, seed):
    path = tmp_path_factory.mktemp("any") / "text.txt"
    path.write_text("\n".join(map(" ".join, sentences)))
    corpus, vocabulary = Corpus.scan([str(path)]), Vocabulary(("<S>", "</S>", "<UNK>", "a", "b"))
    options, stream_settings = options_of(steps=steps), StreamSettings(rows, seed=seed)
    whole = list(itertools.islice(TrainingStream(corpus, vocabulary, options, stream_settings), stop + 5))
    again = TrainingStream(corpus, vocabulary, options, stream_settings, stop, whole[stop - 1][1].to_json())
    are_equal([step for step, _ in itertools.islice(again, 5)], [step for step, _ in whole[stop:]])


def test_a_position_spells_its_words_as_they_were_even_after_they_are_forgotten(made, monkeypatch):
    corpus, vocabulary = made
    stream_settings = StreamSettings(3)

    def positions(most_others, late):
        monkeypatch.setattr(training_stream, "_MOST_OTHERS", most_others)
        stream = iter(TrainingStream(corpus, vocabulary, options_of(), stream_settings))
        found = [position if late else position.to_json() for _, position in itertools.islice(stream, 20)]
        return [position.to_json() for position in found] if late else found

    spelled_at_once = positions(100_000, late=False)
    assert positions(5, late=True) == positions(100_000, late=True) == positions(5, late=False) == spelled_at_once
    assert any("øther" in text for text in spelled_at_once)
    assert json.loads(spelled_at_once[0])[0]["position"][0] == 0


@pytest.mark.parametrize(
    ("rows", "bidirectional", "came"),
    [(3, True, "2 directions of 4 rows, expected 2 of 3"), (4, False, "2 directions of 4 rows, expected 1 of 4")],
)
def test_a_position_of_other_rows_or_directions_is_refused(made, rows, bidirectional, came):
    _, position = next(iter(TrainingStream(*made, options_of(), StreamSettings(4))))
    with pytest.raises(
        InputError, match=f"{came}: --batch_size times replicas times --accumulation_steps must stay as it was"
    ):
        TrainingStream(*made, options_of(bidirectional=bidirectional), StreamSettings(rows), 1, position.to_json())


def test_the_words_remembered_stay_few_however_many_the_text_has(tmp_path, monkeypatch):
    (tmp_path / "many.txt").write_text("\n".join(f"x{n} y{n} z{n}" for n in range(2000)))
    corpus, vocabulary = Corpus.scan([str(tmp_path / "many.txt")]), Vocabulary(("<S>", "</S>", "<UNK>", "a"))
    monkeypatch.setattr(training_stream, "_MOST_OTHERS", 50)
    stream = TrainingStream(corpus, vocabulary, options_of(), StreamSettings(4))
    most = seen = 0
    for step, position in itertools.islice(stream, 300):
        most = max(most, len(position.others), len(stream._numbers) - len(vocabulary))
        seen += len(step.windows[0].words) - 2
    assert seen > 5000
    assert most < 50 + 2 * 4 * (5 + 3)  # the bound, and what one step of both directions can bring
