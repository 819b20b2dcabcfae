"""The model's input: against bilm-tf's packing in plain Python, from any saved position on, and computed ahead."""

import gzip
import itertools
import json
from collections import Counter

import numpy as np
import packed_rows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data import lm_stream
from elmo_tf.data.characters import END_WORD
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.lm_stream import Prefetched, StreamSettings, TrainingStream, evaluation_windows, flat, free_dimensions
from elmo_tf.data.negatives import draw_negatives
from elmo_tf.data.sentences import ShuffledSentences, in_file_order
from elmo_tf.data.vocabulary import Vocabulary, build_vocabulary, count_corpus
from elmo_tf.errors import InputError
from elmo_tf.options import CharCnnOptions, LstmOptions, Options, TrainingOptions

LONGEST = 12  # so that some words of the real texts are cut


def options_of(by_characters=True, bidirectional=True, steps=5):
    char_cnn = CharCnnOptions(((1, 2), (3, 2)), max_characters_per_token=LONGEST)
    return Options(
        LstmOptions(8, 4),
        char_cnn if by_characters else None,
        bidirectional=bidirectional,
        training=TrainingOptions(unroll_steps=steps),
    )


def spelled(row):
    """The bytes of a word's character ids, `<S>` and `</S>` by name."""
    ids = row[1 : row.tolist().index(END_WORD)].tolist()
    return {(256,): b"<S>", (257,): b"</S>"}.get(tuple(ids)) or bytes(ids)


def as_read(word, vocabulary, by_characters):
    """What `words_of` gives for a word."""
    if not by_characters:
        return vocabulary[word]
    return word.encode() if word in ("<S>", "</S>") else word.encode()[: LONGEST - 2]


def words_of(window):
    """The input's words `(directions, B, T)`: bytes, or ids with word input."""
    words = window.words if window.words.ndim == 1 else np.array([spelled(row) for row in window.words], object)
    return words[window.inputs]


def expected_windows(sentences, direction, rows, steps, vocabulary, by_characters):
    """By window and row, pairs of a word as `words_of` has it and the id of the next one."""
    bounded = (packed_rows.with_boundaries(words, direction == 1) for words in sentences)
    for window in packed_rows.packed_rows(bounded, rows, steps):
        yield [[(as_read(x, vocabulary, by_characters), vocabulary[y]) for x, y in row] for row in window]


def pairs_of(window, direction):
    """By row, pairs of a word and the id of the next one."""
    words = words_of(window)[direction]
    return [
        list(zip(*both, strict=True)) for both in zip(words.tolist(), window.targets[direction].tolist(), strict=True)
    ]


def are_equal(steps, others):
    """Whether two lists of steps are the same numbers in the same places."""
    for step, other in zip(steps, others, strict=True):
        for array, same in zip(flat(step), flat(other), strict=True):
            assert array.dtype == same.dtype
            np.testing.assert_array_equal(array, same)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text of 40 short sentences, half of it in a .gz, half of its words outside the vocabulary."""
    random = np.random.default_rng(0)
    words = [f"known{number}" for number in range(9)] + [f"øther{number}" for number in range(40)]
    lines = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(40)]
    folder = tmp_path_factory.mktemp("made")
    (folder / "a.txt").write_text("\n".join(lines[:20]))
    (folder / "b.gz").write_bytes(gzip.compress("\n".join(lines[20:]).encode()))
    corpus = Corpus.scan([str(folder / "a.txt"), str(folder / "b.gz")], block_bytes=100)
    return corpus, Vocabulary(("known0", "<S>", "</S>", "<UNK>", *words[1:9]))


TEXTS = ["wikitext2/valid.txt", "multilingual/norwegian_nynorsk.dev.txt", "multilingual/chinese_gsdsimp.dev.txt"]


@pytest.fixture(scope="module", params=[*TEXTS, "multilingual/russian_taiga.dev.txt"])
def real(request, shared):
    """A real text and a vocabulary of its frequent words."""
    path = str(shared / "data" / request.param)
    return Corpus.scan([path]), build_vocabulary(count_corpus([path])[0], max_vocab=500)


INPUTS = pytest.mark.parametrize("by_characters", [True, False], ids=["characters", "word ids"])


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
    sentences = Counter(tuple(as_read(word, vocabulary, True) for word in words) for words in in_file_order(corpus))
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


def test_without_negatives_none_are_drawn(made):
    for bidirectional, directions in ((True, 2), (False, 1)):
        step, _ = next(iter(TrainingStream(*made, options_of(bidirectional=bidirectional), StreamSettings(2))))
        assert step.negatives.shape == (directions, 0)
        assert step.negatives.dtype == np.int32
        assert step.tries.shape == (directions,)


@INPUTS
@pytest.mark.parametrize("most_others", [0, 10, 100_000])
@pytest.mark.parametrize("stop", [1, 2, 9, 30, 71])
def test_a_saved_position_goes_on_with_bit_equal_steps(made, by_characters, most_others, stop, monkeypatch):
    monkeypatch.setattr(lm_stream, "_MOST_OTHERS", most_others)
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
def test_a_saved_position_goes_on_as_before_on_any_text(tmp_path_factory, sentences, rows, steps, stop, seed):
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
        monkeypatch.setattr(lm_stream, "_MOST_OTHERS", most_others)
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
    monkeypatch.setattr(lm_stream, "_MOST_OTHERS", 50)
    stream = TrainingStream(corpus, vocabulary, options_of(), StreamSettings(4))
    most = seen = 0
    for step, position in itertools.islice(stream, 300):
        most = max(most, len(position.others), len(stream._numbers) - len(vocabulary))
        seen += len(step.windows[0].words) - 2
    assert seen > 5000
    assert most < 50 + 2 * 4 * (5 + 3)  # the bound, and what one step of both directions can bring


@INPUTS
def test_the_arrays_of_a_step_have_a_fixed_order_and_only_those_of_words_change_shape(made, by_characters):
    stream = TrainingStream(*made, options_of(by_characters), StreamSettings(4, parts=2, negatives=3))
    step, _ = next(iter(stream))
    arrays = flat(step)
    assert arrays[0] is step.negatives
    assert arrays[1] is step.tries
    assert all(array is same for array, same in zip(arrays[2:], [*step.windows[0], *step.windows[1]], strict=True))
    free = free_dimensions(step)
    assert [len(dimensions) for dimensions in free] == [array.ndim for array in arrays]
    for other, _ in itertools.islice(stream, 20):
        for array, same, dimensions in zip(arrays, flat(other), free, strict=True):
            assert all(n == m for n, m, is_free in zip(array.shape, same.shape, dimensions, strict=True) if not is_free)


@INPUTS
def test_prefetched_steps_and_positions_are_those_of_the_stream(made, by_characters):
    def stream():
        return TrainingStream(*made, options_of(by_characters), StreamSettings(4, parts=2, negatives=3))

    ahead = Prefetched(stream(), ahead=3)
    for step, position in itertools.islice(stream(), 15):
        tensors, came = next(ahead)
        for tensor, array in zip(tensors, flat(step), strict=True):
            assert tensor.dtype.as_numpy_dtype == array.dtype
            np.testing.assert_array_equal(tensor.numpy(), array)
        assert came.to_json() == position.to_json()
    assert tensors[0].shape.as_list() == [2, 3]


def test_prefetched_passes_on_what_the_user_can_mend_and_the_steps_before_it(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a b c d\n" * 500)
    corpus = Corpus.scan([str(path)], block_bytes=100)
    stream = TrainingStream(corpus, Vocabulary(("<S>", "</S>", "<UNK>", "a")), options_of(), StreamSettings(4))
    ahead = Prefetched(stream, ahead=2)
    path.write_text("a b c d\n" * 490)
    assert len(list(itertools.islice(ahead, 125))) == 125  # the first epoch, whose sentences are in memory
    for _ in range(2):
        with pytest.raises(InputError, match=r"text\.txt has changed while it was in use"):
            list(itertools.islice(ahead, 5))


def test_prefetched_says_at_once_that_the_text_is_gone(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a b\n")
    corpus = Corpus.scan([str(path)])
    path.unlink()
    with pytest.raises(InputError, match=r"text\.txt cannot be read"):
        Prefetched(TrainingStream(corpus, Vocabulary(("<S>", "</S>", "<UNK>")), options_of(), StreamSettings(1)))


def check_evaluation(corpus, vocabulary, options, rows, steps, drop_remainder=False):
    """Compares the windows with bilm-tf's packing of the sentences in file order; gives the tokens of a direction."""
    by_characters = options.char_cnn is not None
    expected = [
        expected_windows(in_file_order(corpus), direction, rows, steps, vocabulary, by_characters)
        for direction in range(options.directions)
    ]
    tokens = 0
    for window, mask in evaluation_windows(corpus, vocabulary, options, rows, steps, drop_remainder):
        assert mask.shape == window.inputs.shape == window.targets.shape == (options.directions, rows, steps)
        assert mask.dtype == np.bool_
        for direction, windows in enumerate(expected):
            came = [row[: mask[direction, n].sum()] for n, row in enumerate(pairs_of(window, direction))]
            assert came == next(windows)
            assert (mask[direction] == (np.arange(steps) < mask[direction].sum(1, keepdims=True))).all()
        if drop_remainder:
            assert mask.all()
        tokens += int(mask[0].sum())
    rest = [next(windows, None) for windows in expected]
    if drop_remainder:
        assert all(window is None or any(len(row) < steps for row in window) for window in rest)
    else:
        assert rest == [None] * options.directions
        assert tokens == corpus.predictions
    return tokens


@INPUTS
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("drop_remainder", [False, True])
@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (1, 20), (4, 7), (32, 5), (60, 3)])
def test_evaluation_scores_every_token_once_in_bilm_tfs_packing(
    made, by_characters, bidirectional, drop_remainder, rows, steps
):
    check_evaluation(*made, options_of(by_characters, bidirectional), rows, steps, drop_remainder)


def test_evaluation_of_a_real_text_is_bilm_tfs_packing(real):
    assert check_evaluation(*real, options_of(), rows=32, steps=100) == real[0].predictions


def test_evaluation_without_the_remainder_counts_the_tokens_that_bilm_tf_did(shared):
    folder = shared / "parity" / "bilm-tf-trained" / "char_2layer"
    counts = json.loads((folder / "perplexity.json").read_text())
    corpus, vocabulary = Corpus.scan([str(folder / "heldout.txt")]), Vocabulary.from_file(folder / "vocab.txt")
    rows = counts["batch_size"]
    tokens = check_evaluation(corpus, vocabulary, options_of(), rows, steps=1, drop_remainder=True)
    assert tokens == counts["tokens_per_direction"] == rows * counts["n_batches"]
    assert tokens < corpus.predictions


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_more_rows_than_sentences_leave_rows_empty(tmp_path, drop_remainder):
    (tmp_path / "two.txt").write_text("a b\nzebra\n")
    corpus = Corpus.scan([str(tmp_path / "two.txt")])
    vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "a", "b"))
    windows = list(evaluation_windows(corpus, vocabulary, options_of(), 4, 3, drop_remainder))
    if drop_remainder:
        assert windows == []
    else:
        assert [mask.sum(-1).tolist() for _, mask in windows] == [[[3, 2, 0, 0], [3, 2, 0, 0]]]
