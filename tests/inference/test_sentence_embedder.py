"""Sentences to vectors: bilm-tf's numbers in any batch; and files of vectors, which are written atomically."""

import functools
import gzip
import json
import re
import resource

import h5py
import numpy as np
import pytest
from model_cases import CHARACTERS, WORD_INPUT, changed, filled
from model_folders import WORDS, content_of, hdf5_folder

from elmo_tf.bulk.embed_file import embed_file as embed_new_file
from elmo_tf.data.characters import encode_words
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.inference.length_batches import batches
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.load_model import load_bilm

embed_file = functools.partial(embed_new_file, overwrite=True)
TRAINED = ("char_2layer", "char_tanh_3layer_tightclip")
VOCABULARY = Vocabulary(WORDS)
SENTENCES = [
    "the cat sat on the mat .",
    "",
    "a",
    "zebra øl 日本語 " + "x" * 70,
    "cat " * 90,
    "  the\tcat ",
    "\t",
    "sat sat <S> sat </S> <UNK>",
]
"""As lines of a file; two of them are blank."""


@pytest.fixture(scope="module")
def embed():
    """A tiny model that reads characters."""
    return SentenceEmbedder(filled(BiLM(CHARACTERS)))


@pytest.fixture(scope="module")
def embed_ids():
    """A tiny model that reads word ids."""
    return SentenceEmbedder(filled(BiLM(WORD_INPUT)), VOCABULARY)


def text_file(path, lines=SENTENCES, pack=bytes):
    path.write_bytes(pack("".join(f"{line}\n" for line in lines).encode()))
    return str(path)


def vectors_of(path):
    with h5py.File(path) as file:
        return {key: dataset[...] for key, dataset in file.items()}


def are_close(came, wanted, tolerance=1e-6):
    assert list(came) == list(wanted)
    for key, vectors in came.items():
        assert vectors.shape == wanted[key].shape
        np.testing.assert_allclose(vectors, wanted[key], rtol=0, atol=tolerance)


def one_by_one(embed, lines):
    """The vectors of every line in a batch of its own, by the keys of a file."""
    return {str(number): embed([line.split()])[0] for number, line in sorted(enumerate(lines), key=lambda x: str(x[0]))}


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_a_file_gets_bilm_tfs_embeddings(shared, tmp_path, name, batch_tokens):
    source = shared / "parity" / "bilm-tf-trained" / name
    loaded = load_bilm(str(hdf5_folder(source, tmp_path / "model", vocabulary=False)))
    sentences = json.loads((source / "sentences.json").read_text())
    goldens = np.load(source / "embeddings.npz")
    path = text_file(tmp_path / "text.txt", map(" ".join, sentences))
    lines, tokens = embed_file(SentenceEmbedder(loaded.bilm), path, str(tmp_path / "out.hdf5"), batch_tokens)
    assert (lines, tokens) == (len(sentences), goldens["lengths"].sum())
    golden = {
        str(number): goldens["first_call"][number, :, :length] for number, length in enumerate(goldens["lengths"])
    }
    are_close(vectors_of(tmp_path / "out.hdf5"), golden, 2e-6)


@pytest.mark.parametrize("reads", ["embed", "embed_ids"])
def test_vectors_are_those_of_the_model_on_the_sentence_alone(request, reads):
    embedder = request.getfixturevalue(reads)
    bilm = filled(BiLM(CHARACTERS if reads == "embed" else WORD_INPUT))
    words = ["the", "zebra", "sat"]
    (came,) = embedder([words])
    bounded = ["<S>", *words, "</S>"]
    ids = encode_words(bounded, 9) if reads == "embed" else np.array([VOCABULARY[word] for word in bounded])
    layers, _ = bilm(ids[None])
    assert came.dtype == np.float32
    np.testing.assert_allclose(came, layers[0, :, 1:-1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_every_line_has_its_number_for_a_key_and_its_tokens_for_a_shape(embed, tmp_path, pack):
    path = text_file(tmp_path / "text", pack=pack)
    done = []
    lines, tokens = embed_file(
        embed, path, str(tmp_path / "new" / "out.hdf5"), 50, lambda progress: done.append(progress.lines)
    )
    vectors = vectors_of(tmp_path / "new" / "out.hdf5")
    lengths = [len(line.split()) for line in SENTENCES]
    assert {key: array.shape for key, array in vectors.items()} == {
        str(number): (3, length, 8) for number, length in enumerate(lengths)
    }
    assert all(array.dtype == np.float32 for array in vectors.values())
    assert (lines, tokens) == (8, sum(lengths)) == (8, 7 + 1 + 4 + 90 + 2 + 6)
    assert done[-1] == 8
    assert done == sorted(set(done))
    are_close(vectors, one_by_one(embed, SENTENCES))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.hdf5"]


@pytest.mark.parametrize("reads", ["embed", "embed_ids"])
@pytest.mark.parametrize("batch_tokens", [1, 30, 4096])
@pytest.mark.parametrize("step", [1, -1, 3])
def test_neighbours_order_and_batches_do_not_change_a_sentences_vectors(request, tmp_path, reads, batch_tokens, step):
    embedder = request.getfixturevalue(reads)
    order = [number * step % len(SENTENCES) for number in range(len(SENTENCES))]
    path = text_file(tmp_path / "text", [SENTENCES[number] for number in order])
    embed_file(embedder, path, str(tmp_path / "out.hdf5"), batch_tokens)
    came = vectors_of(tmp_path / "out.hdf5")
    alone = one_by_one(embedder, SENTENCES)
    are_close(
        {str(number): came[str(place)] for place, number in enumerate(order)}, {str(n): alone[str(n)] for n in order}
    )
    assert np.abs(alone["0"][0, 0] - alone["0"][0, 1]).max() > 1e-3  # the model does tell words apart


def test_a_sentence_repeated_has_the_same_vectors_and_one_beside_another_its_own(embed):
    first, second, third = embed([["the", "cat"], ["the", "mat"], ["the", "cat"]])
    np.testing.assert_allclose(first, third, rtol=0, atol=1e-6)
    np.testing.assert_allclose(first[0, 0], second[0, 0], rtol=0, atol=1e-6)  # the token's own vector
    assert np.abs(first[1:, 0] - second[1:, 0]).max() > 1e-3  # what the backward direction has read differs


def test_no_sentences_give_no_vectors_and_empty_ones_none_of_their_tokens(embed):
    assert embed([]) == []
    assert [vectors.shape for vectors in embed([[], ["a"], []])] == [(3, 0, 8), (3, 1, 8), (3, 0, 8)]


@pytest.mark.parametrize("text", ["The cat sat", b"The cat sat", ""])
@pytest.mark.parametrize("place", [lambda text: text, lambda text: [text], lambda text: [["The"], text]])
def test_a_text_that_is_not_split_is_refused_for_its_letters_are_no_tokens(embed, text, place):
    with pytest.raises(ValueError, match=re.escape(f"sentences: expected lists of tokens, got the text {text!r}; spl")):
        embed(place(text))


@pytest.mark.parametrize("sentences", [[None], [["The"], 7], None])
def test_a_sentence_that_is_no_list_is_refused(embed, sentences):
    with pytest.raises(ValueError, match=r"sentences: expected lists of tokens, got (None|7) in place of a list"):
        embed(sentences)


@pytest.mark.parametrize("token", [b"The", 7, None])
def test_a_token_that_is_no_string_is_refused_by_characters_and_by_ids(embed, embed_ids, token):
    for embedder in (embed, embed_ids):
        with pytest.raises(ValueError, match=re.escape(f"tokens that are strings, got {token!r}")):
            embedder([["The"], ["cat", token]])


@pytest.mark.parametrize("word_cache", [1, 3, 100])
@pytest.mark.parametrize("compiled", [True, False])
def test_vectors_are_the_same_with_a_cache_of_any_size_whatever_came_before(embed, word_cache, compiled):
    cached = SentenceEmbedder(filled(BiLM(CHARACTERS)), compiled=compiled, word_cache=word_cache)
    lines = [line.split() for line in SENTENCES]
    for batch in (lines[:1], lines, lines[3:6], lines[::-1], [[]]):
        for came, wanted in zip(cached(batch), embed(batch), strict=True):
            assert (came.shape, came.dtype) == (wanted.shape, wanted.dtype)
            np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-6)


def test_with_boundaries_two_vectors_more_are_given_with_and_without_a_cache(embed):
    cached = SentenceEmbedder(filled(BiLM(CHARACTERS)), word_cache=9)
    for embedder in (embed, cached):
        for inner, whole in zip(embedder([["a", "cat"], []]), embedder([["a", "cat"], []], True), strict=True):
            assert whole.shape[1] == inner.shape[1] + 2
            np.testing.assert_allclose(whole[:, 1:-1], inner, rtol=0, atol=1e-6)


def test_a_model_with_a_table_of_words_takes_no_harm_from_a_cache(embed_ids):
    cached = SentenceEmbedder(filled(BiLM(WORD_INPUT)), VOCABULARY, word_cache=5)
    np.testing.assert_allclose(cached([["the", "yak"]])[0], embed_ids([["the", "yak"]])[0], rtol=0, atol=1e-6)


def test_a_cache_of_fewer_than_no_words_is_refused():
    with pytest.raises(ValueError, match="word_cache: expected a number of words, 0 or more, got -1"):
        SentenceEmbedder(BiLM(CHARACTERS), word_cache=-1)


def test_one_direction_gives_half_as_wide_vectors():
    embed = SentenceEmbedder(filled(BiLM(changed(CHARACTERS, bidirectional=False))))
    assert embed([["the", "cat"]])[0].shape == (3, 2, 4)


def test_words_outside_the_vocabulary_have_one_vector_by_ids_and_their_own_by_characters(embed, embed_ids):
    (by_ids,), (by_characters,) = embed_ids([["zebra", "yak"]]), embed([["zebra", "yak"]])
    np.testing.assert_array_equal(by_ids[0, 0], by_ids[0, 1])
    assert np.abs(by_characters[0, 0] - by_characters[0, 1]).max() > 1e-3


def test_word_input_without_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocabulary: expected one"):
        SentenceEmbedder(BiLM(WORD_INPUT))


@pytest.mark.parametrize("batch_tokens", [1, 12, 40, 10_000])
def test_batches_hold_every_sentence_once_and_no_more_tokens_than_asked(batch_tokens):
    random = np.random.default_rng(1)
    numbered = [(number, ["w"] * int(length)) for number, length in enumerate(random.integers(0, 12, 2500))]
    found = list(batches(iter(numbered), batch_tokens))
    assert sorted(item for batch in found for item in batch) == numbered
    for batch in found:
        assert batch
        longest = max(len(words) for _, words in batch) + 2
        assert len(batch) == 1 or len(batch) * longest <= batch_tokens
    if batch_tokens == 10_000:
        assert len(found) < 10


def test_batches_take_in_the_text_bit_by_bit():
    taken = []
    endless = (taken.append(number) or (number, ["w"]) for number in iter(lambda: len(taken), None))
    next(batches(endless, 100))
    assert 100 // 3 <= len(taken) < 5000


def test_batches_of_like_length_hold_little_padding():
    random = np.random.default_rng(2)
    lengths = random.integers(1, 60, 1000)
    found = list(batches(((number, ["w"] * int(length)) for number, length in enumerate(lengths)), 2000))
    padded = sum(len(batch) * max(len(words) for _, words in batch) for batch in found)
    assert padded < 1.1 * lengths.sum()


def test_a_file_of_blank_lines_has_a_dataset_for_each(embed, tmp_path):
    assert embed_file(embed, text_file(tmp_path / "text.txt", ["", " "]), str(tmp_path / "out.hdf5")) == (2, 0)
    assert {key: array.shape for key, array in vectors_of(tmp_path / "out.hdf5").items()} == {
        "0": (3, 0, 8),
        "1": (3, 0, 8),
    }


def refused(*arguments):
    with pytest.raises(InputError) as caught:
        embed_file(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "text.txt is empty: expected a tokenised sentence a line"),
        (b"good\n\nbl\xe5b\xe6r\n", "text.txt, line 3: not UTF-8 text"),
        (gzip.compress(bytes(range(32, 127)) * 3, mtime=0)[:60], "text.txt cannot be read past line"),
        (None, "text.txt cannot be read: No such file"),
    ],
    ids=["empty", "not UTF-8", "cut short", "missing"],
)
def test_a_bad_input_leaves_the_old_file_or_none(embed, tmp_path, old, content, message):
    text, out = tmp_path / "text.txt", tmp_path / "out"
    if content is not None:
        text.write_bytes(content)
    out.mkdir()
    if old:
        (out / "vectors.hdf5").write_bytes(old)
    assert message in refused(embed, str(text), str(out / "vectors.hdf5"), 1)
    assert content_of(out) == ({"vectors.hdf5": old} if old else {})


def test_a_defect_on_the_way_leaves_the_old_file(tmp_path):
    def fail(sentences):
        raise ZeroDivisionError

    (tmp_path / "out.hdf5").write_text("old")
    path = text_file(tmp_path / "text.txt")
    with pytest.raises(ZeroDivisionError):
        embed_file(fail, path, str(tmp_path / "out.hdf5"))
    assert sorted(content_of(tmp_path)) == ["out.hdf5", "text.txt"]
    assert (tmp_path / "out.hdf5").read_text() == "old"


@pytest.mark.parametrize("room", [2_000, 100_000, 1_000_000])
def test_a_full_disk_is_refused_and_the_old_file_kept(tmp_path, room):
    def embed(sentences):
        return [np.ones((3, len(words), 512), np.float32) for words in sentences]

    (tmp_path / "out.hdf5").write_text("old")
    path = text_file(tmp_path / "text.txt", ["a b c"] * 400)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        message = refused(embed, path, str(tmp_path / "out.hdf5"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert message.startswith(f"{tmp_path}/out.hdf5 cannot be written: ")
    assert sorted(content_of(tmp_path)) == ["out.hdf5", "text.txt"]
    assert (tmp_path / "out.hdf5").read_text() == "old"


@pytest.mark.parametrize("output", ["folder", "file/out.hdf5", "text.txt", "folder/../text.txt", "link.txt"])
def test_an_output_that_cannot_be_is_refused_and_all_files_are_kept(embed, tmp_path, output):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    path = text_file(tmp_path / "text.txt")
    (tmp_path / "link.txt").symlink_to(path)
    before = content_of(tmp_path)
    assert output.split("/")[0] in refused(embed, path, str(tmp_path / output))
    assert content_of(tmp_path) == before


def test_files_may_be_paths(embed, tmp_path):
    text_file(tmp_path / "text.txt", ["a cat"])
    assert embed_file(embed, tmp_path / "text.txt", tmp_path / "out.hdf5") == (1, 2)
    assert vectors_of(tmp_path / "out.hdf5")["0"].shape == (3, 2, 8)
    assert refused(embed, tmp_path / "text.txt", tmp_path / "text.txt").startswith(f"{tmp_path}/text.txt is the input")


def test_an_old_output_is_replaced(embed, tmp_path):
    (tmp_path / "out.hdf5").write_text("old")
    embed_file(embed, text_file(tmp_path / "text.txt", ["a cat"]), str(tmp_path / "out.hdf5"))
    assert list(vectors_of(tmp_path / "out.hdf5")) == ["0"]
