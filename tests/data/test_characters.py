import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data import characters, vocabulary
from elmo_tf.errors import InputError
from elmo_tf.inference import character_ids

BOW, EOW, PAD = 258, 259, 260

# word, max_characters, its row without the padding that follows
GOLDENS = {
    "ascii": ("cat", 8, [BOW, 99, 97, 116, EOW]),
    "empty": ("", 5, [BOW, EOW]),
    "begin of sentence": ("<S>", 8, [BOW, 256, EOW]),
    "end of sentence": ("</S>", 8, [BOW, 257, EOW]),
    "specials in the shortest row": ("</S>", 3, [BOW, 257, EOW]),
    "unknown is spelled out": ("<UNK>", 8, [BOW, 60, 85, 78, 75, 62, EOW]),
    "specials are exact": ("<s>", 8, [BOW, 60, 115, 62, EOW]),
    "a special and a NUL": ("<S>\0", 8, [BOW, 60, 83, 62, 0, EOW]),
    "two bytes": ("æ", 6, [BOW, 195, 166, EOW]),
    "emoji": ("😀", 8, [BOW, 240, 159, 152, 128, EOW]),
    "just fits": ("four", 6, [BOW, 102, 111, 117, 114, EOW]),
    "one too many": ("fiver", 6, [BOW, 102, 105, 118, 101, EOW]),
    "cut inside a code point": ("abæ", 5, [BOW, 97, 98, 195, EOW]),
    "cut at the shortest row": ("xyz", 3, [BOW, 120, EOW]),
    "NUL inside": ("a\0b", 7, [BOW, 97, 0, 98, EOW]),
    "NUL alone and at the end": ("\0\0", 7, [BOW, 0, 0, EOW]),
}
golden = pytest.mark.parametrize(("word", "max_characters", "row"), GOLDENS.values(), ids=GOLDENS.keys())


@pytest.mark.parametrize("text", ["cat", "", b"cat"])
def test_a_single_string_is_refused_as_a_list_of_words(text):
    with pytest.raises(ValueError, match=f"words: expected a list of words, got the text {text!r}"):
        characters.encode_words(text, 6)


@golden
def test_numpy_gives_the_golden_row(word, max_characters, row):
    ids = characters.encode_words([word], max_characters)
    assert ids.dtype == np.int32
    assert ids.tolist() == [row + [PAD] * (max_characters - len(row))]


@golden
def test_tensorflow_gives_the_golden_row(word, max_characters, row):
    ids = character_ids.encode_words_tf([word], max_characters)
    assert ids.dtype.name == "int32"
    assert ids.numpy().tolist() == [row + [PAD] * (max_characters - len(row))]


def test_a_batch_has_the_rows_of_its_words_in_order():
    cases = [(word, row) for word, length, row in GOLDENS.values() if length == 8]
    ids = characters.encode_words([word for word, _ in cases], 8)
    assert ids.tolist() == [row + [PAD] * (8 - len(row)) for _, row in cases]


@pytest.mark.parametrize("max_characters", [3, 7, 50])
def test_numpy_and_tensorflow_agree_on_every_word_of_four_corpora(shared, max_characters):
    files = sorted((shared / "data" / "multilingual").glob("*.txt"))
    words = sorted({word for file in files for word in file.read_text("utf-8").split()})
    assert len(words) > 10_000
    by_numpy = characters.encode_words(words, max_characters)
    np.testing.assert_array_equal(by_numpy, character_ids.encode_words_tf(words, max_characters))
    limit = max_characters - 2
    for word, row in list(zip(words, by_numpy.tolist(), strict=True))[::50]:
        letters = list(word.encode()[:limit])
        assert row == [BOW, *letters, EOW] + [PAD] * (limit - len(letters))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"))), st.integers(3, 12))
def test_numpy_and_tensorflow_agree_on_any_text(words, max_characters):
    by_numpy = characters.encode_words(words, max_characters)
    assert by_numpy.shape == (len(words), max_characters)
    np.testing.assert_array_equal(by_numpy, character_ids.encode_words_tf(np.array(words, object), max_characters))


def test_lone_surrogates_are_left_out():
    ids = characters.encode_words(["a\ud800b", "\udfff"], 5)
    np.testing.assert_array_equal(ids, characters.encode_words(["ab", ""], 5))


@pytest.mark.parametrize("shape", [(), (0,), (6,), (2, 3), (1, 3, 2)])
def test_tensorflow_keeps_the_shape_of_the_words(shape):
    words = np.array(["a", "<S>", "", "</S>", "é", "overlong"][: int(np.prod(shape))], object).reshape(shape)
    ids = character_ids.encode_words_tf(words, 6).numpy()
    assert ids.shape == (*shape, 6)
    np.testing.assert_array_equal(ids.reshape(-1, 6), characters.encode_words(words.reshape(-1).tolist(), 6))


def test_dataset_map_gives_the_rows_and_knows_their_length():
    import tensorflow as tf

    words = ["<S>", "overlong", "a\0", "</S>"]
    dataset = tf.data.Dataset.from_tensor_slices(words).batch(3)
    dataset = dataset.map(lambda batch: character_ids.encode_words_tf(batch, 6))
    assert dataset.element_spec.shape.as_list() == [None, 6]
    ids = np.concatenate(list(dataset.as_numpy_iterator()))
    np.testing.assert_array_equal(ids, characters.encode_words(words, 6))


def test_graph_of_unknown_rank_gives_the_rows():
    import tensorflow as tf

    encode = tf.function(
        lambda words: character_ids.encode_words_tf(words, 5), input_signature=[tf.TensorSpec(None, tf.string)]
    )
    np.testing.assert_array_equal(encode([["ab", "</S>"]])[0], characters.encode_words(["ab", "</S>"], 5))
    np.testing.assert_array_equal(encode("ab"), characters.encode_words(["ab"], 5)[0])


def test_prediction_ids_are_one_higher_and_zero_for_padding():
    ids = characters.encode_words(["a", "", "<S>"], 4).reshape(1, 3, 4)
    shifted = characters.shift_for_prediction(ids, [[True, False, True]])
    assert shifted.dtype == np.int32
    assert shifted.tolist() == [[[259, 98, 260, 261], [0, 0, 0, 0], [259, 257, 260, 261]]]
    np.testing.assert_array_equal(shifted, character_ids.shift_for_prediction_tf(ids, [[True, False, True]]))


@pytest.mark.parametrize(
    ("word", "cut"), [("four", False), ("fiver", True), ("ææ", False), ("æææ", True), ("a\ud800bcd", False)]
)
def test_a_word_is_cut_where_its_bytes_exceed_the_row(word, cut):
    flags = characters.is_truncated([word], 6)
    assert flags.dtype == bool
    assert flags.tolist() == [cut]


def test_sentence_boundaries_are_never_cut_but_unknown_is():
    assert characters.is_truncated(["<S>", "</S>", "<UNK>"], 3).tolist() == [False, False, True]


@pytest.mark.parametrize("function", [characters.encode_words, character_ids.encode_words_tf, characters.is_truncated])
def test_a_row_too_short_for_a_word_is_refused(function):
    with pytest.raises(InputError, match="max_characters_per_token is 2; expected at least 3"):
        function(["a"], 2)


def test_specials_are_those_of_the_vocabulary():
    ids = characters.encode_words([vocabulary.BEGIN_SENTENCE, vocabulary.END_SENTENCE], 4)
    assert ids[:, 1].tolist() == [characters.BEGIN_SENTENCE_ID, characters.END_SENTENCE_ID]
    assert ids.max() < characters.N_CHARACTERS


def test_encoding_with_numpy_does_not_import_tensorflow():
    code = (
        "import sys; from elmo_tf.data import characters, vocabulary; characters.encode_words(['a'], 5); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("words", "wrong"), [([1], "1"), (["a", None], "None"), ([b"a"], "b'a'")])
@pytest.mark.parametrize("function", [characters.encode_words, characters.is_truncated])
def test_a_word_that_is_no_string_is_shown(function, words, wrong):
    with pytest.raises(ValueError, match=f"words: expected words that are strings, got {wrong}$"):
        function(words, 6)
