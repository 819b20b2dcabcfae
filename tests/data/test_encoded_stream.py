"""The stream that reads the encoded text gives the steps of the plain one, number for number, from any position on."""

import gzip
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_cases import INPUTS, are_equal, options_of

from elmo_tf.data import shuffle
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.corpus_cache import CorpusCache
from elmo_tf.data.encoded_corpus import CorpusEncoder, EncodedCorpus
from elmo_tf.data.encoded_stream import EncodedStream
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_counts import build_vocabulary, count_corpus
from elmo_tf.errors import InputError


def encoded_text(folder, paths, vocabulary, block_bytes):
    """Encodes a text in blocks of a size."""
    path = str(folder / "text.words")
    with open(path, "wb") as file:
        encoder = CorpusEncoder(file, vocabulary)
        corpus = Corpus.scan(paths, block_bytes, count=encoder.count)
        encoder.finish(corpus, paths)
    return EncodedCorpus.open(path, paths, vocabulary)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """90 short sentences in three files: one with a byte order mark, a .gz, one with blank lines and odd spaces."""
    random = np.random.default_rng(0)
    words = [f"known{number}" for number in range(9)] + [f"øther{number}" for number in range(40)] + ["x" * 20]
    lines = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(90)]
    folder = tmp_path_factory.mktemp("encoded")
    (folder / "a.txt").write_text("\ufeff" + "\n".join(lines[:30]))
    (folder / "b.gz").write_bytes(gzip.compress("\n".join(lines[30:60]).encode()))
    (folder / "c.txt").write_text("\n\n" + " \r\n\n".join(lines[60:]).replace(" known", "\u00a0 known") + "\n" * 150)
    vocabulary = Vocabulary(("known0", "<S>", "</S>", "<UNK>", *words[1:9], "x" * 20))
    return encoded_text(folder, [str(folder / name) for name in ("a.txt", "b.gz", "c.txt")], vocabulary, 100)


@pytest.fixture
def small_pools(monkeypatch):
    """Makes pools of some 300 bytes, so that rows go on from pool to pool within a few steps."""
    real = shuffle.group_into_pools
    monkeypatch.setattr(shuffle, "group_into_pools", lambda runs, order, size: real(runs, order, 300))


def plain(encoded, options, stream_settings, *rest, **more):
    """The plain stream of the same text, with .gz files shuffled by block."""
    more = {"gzip_in_order": False, **more}
    return TrainingStream(encoded.corpus, encoded.vocabulary, options, stream_settings, *rest, **more)


def steps_of(stream, count):
    """The next steps, without their positions."""
    return [step for step, _ in itertools.islice(stream, count)]


@INPUTS
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("rows", "parts", "steps"), [(1, 1, 7), (4, 2, 5), (7, 1, 1), (64, 4, 3), (6, 3, 40)])
@pytest.mark.usefixtures("small_pools")
def test_steps_are_those_of_the_plain_stream(encoded, by_characters, bidirectional, rows, parts, steps):
    options = options_of(by_characters, bidirectional, steps)
    stream_settings = StreamSettings(rows, parts, seed=5, negatives=4, buckets=steps == 3)
    count = max(12, 4 * encoded.corpus.predictions // (rows * steps))  # four epochs
    are_equal(
        steps_of(EncodedStream(encoded, options, stream_settings), count),
        steps_of(plain(encoded, options, stream_settings), count),
    )


def test_steps_of_a_real_text_are_those_of_the_plain_stream(shared, tmp_path):
    path = str(shared / "data" / "multilingual" / "chinese_gsdsimp.dev.txt")
    vocabulary = build_vocabulary(count_corpus([path])[0], max_vocab=500)
    with CorpusCache(str(tmp_path)) as cache:
        encoded = cache.encode([path], vocabulary)
        stream_settings = StreamSettings(32, 2, negatives=100)
        options = options_of(steps=20)
        are_equal(
            steps_of(EncodedStream(encoded, options, stream_settings), 40),
            steps_of(plain(encoded, options, stream_settings), 40),
        )


@INPUTS
@pytest.mark.usefixtures("small_pools")
def test_a_worker_makes_the_windows_of_its_own_parts_alone_and_knows_the_position_of_all(encoded, by_characters):
    def steps(own):
        stream = EncodedStream(encoded, options_of(by_characters), StreamSettings(8, 4, 2, 3, own_parts=own))
        return list(itertools.islice(stream, 8))

    whole = steps(None)
    for own in (range(3), range(3, 4), range(2, 2)):
        mine = [step._replace(windows=step.windows[own.start : own.stop]) for step, _ in whole]
        parted = steps(own)
        are_equal([step for step, _ in parted], mine)
        assert [position.to_json() for _, position in parted] == [position.to_json() for _, position in whole]


@INPUTS
@pytest.mark.parametrize("stop", [1, 2, 9, 30, 71])
@pytest.mark.usefixtures("small_pools")
def test_a_stream_resumed_from_a_position_gives_bit_equal_steps(encoded, by_characters, stop):
    options, stream_settings = options_of(by_characters), StreamSettings(4, parts=2, seed=3, negatives=4)
    whole = list(itertools.islice(EncodedStream(encoded, options, stream_settings), stop + 60))
    saved = whole[stop - 1][1].to_json()
    again = list(itertools.islice(EncodedStream(encoded, options, stream_settings, stop, saved), 60))
    are_equal([step for step, _ in again], [step for step, _ in whole[stop:]])
    assert [position.to_json() for _, position in again] == [position.to_json() for _, position in whole[stop:]]


@INPUTS
@pytest.mark.parametrize("stop", [1, 2, 9, 30, 71])
@pytest.mark.usefixtures("small_pools")
def test_a_position_with_words_is_continued_as_by_the_plain_stream_gz_in_order(encoded, by_characters, stop):
    options, stream_settings = options_of(by_characters), StreamSettings(4, parts=2, seed=3, negatives=4)
    whole = list(itertools.islice(plain(encoded, options, stream_settings, gzip_in_order=True), stop + 60))
    stream = EncodedStream(encoded, options, stream_settings, stop, whole[stop - 1][1].to_json())
    again = list(itertools.islice(stream, 60))
    are_equal([step for step, _ in again], [step for step, _ in whole[stop:]])
    for late in (0, 3, 40):  # at once some rows still hold words whose place is not known
        then = EncodedStream(encoded, options, stream_settings, stop + 1 + late, again[late][1].to_json())
        are_equal(steps_of(then, 59 - late), [step for step, _ in whole[stop + 1 + late :]])


@pytest.mark.usefixtures("small_pools")
def test_positions_count_the_sentences_that_the_plain_stream_has_read(encoded):
    stream_settings = StreamSettings(3)
    streams = EncodedStream(encoded, options_of(), stream_settings), plain(encoded, options_of(), stream_settings)
    for (_, position), (_, spelled) in zip(*(itertools.islice(stream, 100) for stream in streams), strict=True):
        assert [sentences for sentences, _ in json.loads(position.to_json())["directions"]] == [
            direction["position"] for direction in json.loads(spelled.to_json())
        ]


def test_words_of_a_position_that_the_text_lacks_are_spelled_as_they_are(encoded):
    position = json.dumps([{"position": [0, 0, 0], "left": [["<S>", "quagga", "</S>"]]}])
    options = options_of(bidirectional=False)
    came, expected = (
        next(iter(stream))[0]
        for stream in (
            EncodedStream(encoded, options, StreamSettings(1), 1, position),
            plain(encoded, options, StreamSettings(1), 1, position),
        )
    )
    np.testing.assert_array_equal(came.windows[0].words[:2], expected.windows[0].words[:2])
    assert bytes(came.windows[0].words[1][1:7].tolist()) == b"quagga"


@pytest.mark.parametrize(
    ("rows", "bidirectional", "came"),
    [(3, True, "2 directions of 4 rows, expected 2 of 3"), (4, False, "2 directions of 4 rows, expected 1 of 4")],
)
def test_a_position_of_other_rows_or_directions_is_refused(encoded, rows, bidirectional, came):
    _, position = next(iter(EncodedStream(encoded, options_of(), StreamSettings(4))))
    with pytest.raises(
        InputError, match=f"{came}: --batch_size times replicas times --accumulation_steps must stay as it was"
    ):
        EncodedStream(encoded, options_of(bidirectional=bidirectional), StreamSettings(rows), 1, position.to_json())


@settings(max_examples=40, deadline=None)
@given(
    sentences=st.lists(st.text("abøcde日f", min_size=1, max_size=7), min_size=1, max_size=9),
    rows=st.integers(1, 4),
    steps=st.integers(1, 6),
    stop=st.integers(1, 20),
    seed=st.integers(0, 3),
)
def test_any_text_is_read_and_resumed_as_by_the_plain_stream(tmp_path_factory, sentences, rows, steps, stop, seed):
    folder = tmp_path_factory.mktemp("any")
    (folder / "text.txt").write_text("\n".join(map(" ".join, sentences)))
    vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "a", "b"))
    encoded = encoded_text(folder, [str(folder / "text.txt")], vocabulary, 8)
    options, stream_settings = options_of(steps=steps), StreamSettings(rows, seed=seed)
    whole = list(itertools.islice(EncodedStream(encoded, options, stream_settings), stop + 5))
    are_equal([step for step, _ in whole], steps_of(plain(encoded, options, stream_settings), stop + 5))
    again = EncodedStream(encoded, options, stream_settings, stop, whole[stop - 1][1].to_json())
    are_equal(steps_of(again, 5), [step for step, _ in whole[stop:]])
