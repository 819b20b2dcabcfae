"""Every format gives back what was written, and files appended to each other have the bytes of one."""

import gc
import itertools
import json
import os

import h5py
import numpy as np
import pytest
from refusals import refused
from vector_files import read

from elmo_tf.bulk.formats import open_vector_file
from elmo_tf.bulk.hdf5_vectors import INDEX, sentence_key
from elmo_tf.bulk.settings import COMPRESSIONS, EmbedSettings
from elmo_tf.bulk.text_vectors import text_of

SENTENCES = [
    *(
        ["the", "cat"],
        [],
        ["a", "/", "b"],
        ["."],
        ["the", "cat"],
        ["5", "%", "of"],
        ["%2F"],
        ["/"],
        [],
        ['"', "'", "\\"],
    ),
    *(["x" * 70_000], ["日本語", "øl"], ["a"] * 3_000, ["\0"], ["..", "/", "."], ["%252F"], ["%", "2F"], ["..."]),
]
SHAPES = {"all": (3, None, 4), "top": (None, 4), "pooled": (3, 4), "pooled top": (4,)}


def vectors_of(shape, dtype="float32"):
    random = np.random.default_rng(0)
    return [
        random.normal(size=[len(tokens) if size is None else size for size in shape]).astype(dtype)
        for tokens in SENTENCES
    ]


def write(path, settings, arrays, sentences=SENTENCES):
    with open_vector_file(str(path), settings) as file:
        for tokens, array in zip(sentences, arrays, strict=True):
            file.add(tokens, array)
    return path


KINDS = [(name, kind) for name, kinds in COMPRESSIONS.items() for kind in kinds]


@pytest.mark.parametrize(("output_format", "compression"), KINDS)
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_file_gives_back_what_was_written(tmp_path, monkeypatch, output_format, compression, kind, dtype):
    if output_format == "parquet":
        pytest.importorskip("pyarrow")
        monkeypatch.setattr("elmo_tf.bulk.parquet_vectors._GROUP_BYTES", 20_000)
    pooling = "mean" if "pooled" in kind else "none"
    settings = EmbedSettings(output_format=output_format, compression=compression, dtype=dtype, pooling=pooling)
    arrays = vectors_of(SHAPES[kind], dtype)
    whole = write(tmp_path / "whole", settings, arrays)
    came = read(whole, settings, SHAPES[kind], SENTENCES)
    assert len(came) == len(arrays)
    for array, wanted in zip(came, arrays, strict=True):
        assert array.dtype == wanted.dtype == dtype
        np.testing.assert_array_equal(array, wanted)
    edges = [0, 1, 1, 7, 12, len(SENTENCES)]  # one part is empty
    with open_vector_file(str(tmp_path / "joined"), settings) as joined:
        for low, high in itertools.pairwise(edges):
            joined.append(str(write(tmp_path / "part", settings, arrays[low:high], SENTENCES[low:high])))
    assert (tmp_path / "joined").read_bytes() == whole.read_bytes()


def test_a_row_group_of_small_vectors_is_bounded_by_its_tokens(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    settings = EmbedSettings(output_format="parquet", pooling="mean")
    with open_vector_file(str(tmp_path / "out"), settings) as file:
        for _ in range(50_000):
            file.add(("the", "cat", "sat", "down"), np.zeros(2, np.float32))
    metadata = parquet.read_metadata(tmp_path / "out")
    assert metadata.num_row_groups == 2  # 460 bytes a sentence: 36,000 in 16 MB
    assert metadata.num_rows == 50_000


def test_sentences_are_keys_each_once_and_in_their_order(tmp_path):
    settings = EmbedSettings(keys="sentence")
    arrays = vectors_of(SHAPES["all"])
    whole = write(tmp_path / "whole", settings, arrays)
    first = {}
    for tokens, array in zip(SENTENCES, arrays, strict=True):
        first.setdefault(sentence_key(tokens), array)
    assert len(first) == len({tuple(tokens) for tokens in SENTENCES}) < len(SENTENCES)
    with h5py.File(whole) as file:
        assert list(file) == list(first)
        for key, array in first.items():
            assert isinstance(file[key], h5py.Dataset)
            np.testing.assert_array_equal(file[key], array)
    with open_vector_file(str(tmp_path / "joined"), settings) as joined:
        for low, high in ((0, 4), (4, 11), (11, len(SENTENCES))):
            joined.append(str(write(tmp_path / "part", settings, arrays[low:high], SENTENCES[low:high])))
    assert (tmp_path / "joined").read_bytes() == whole.read_bytes()


def test_different_sentences_have_different_keys_without_slashes():
    signs = ["/", "%", "2", "F", "5", "0", "E", ".", "\0", "a"]
    texts = ["".join(signs[number // 10**place % 10] for place in range(5)) for number in range(100_000)]
    keys = {sentence_key([text]) for text in texts}
    assert len(keys) == len(texts)
    assert not any("/" in key or "\0" in key for key in keys)
    assert sentence_key(["100", "%"]) == "100 %"


def test_allennlps_index_names_the_last_line_of_each_sentence(tmp_path):
    settings = EmbedSettings(sentence_to_index=True)
    arrays = vectors_of(SHAPES["all"])
    whole = write(tmp_path / "whole", settings, arrays)
    with h5py.File(whole) as file:
        assert file[INDEX].shape == (1,)
        index = json.loads(file[INDEX][0])
        assert index == {" ".join(tokens): str(number) for number, tokens in enumerate(SENTENCES)}
        np.testing.assert_array_equal(file[index["a / b"]], arrays[2])
    with open_vector_file(str(tmp_path / "joined"), settings) as joined:
        for low, high in ((0, 4), (4, 11), (11, len(SENTENCES))):
            joined.append(str(write(tmp_path / "part", settings, arrays[low:high], SENTENCES[low:high])))
    assert (tmp_path / "joined").read_bytes() == whole.read_bytes()


def test_kept_boundaries_are_no_part_of_a_key(tmp_path):
    bounded = [["<S>", "a", "/", "b", "</S>"], ["<S>", "</S>"]]
    arrays = [np.zeros((3, len(tokens), 4), np.float32) for tokens in bounded]
    path = write(tmp_path / "a", EmbedSettings(keys="sentence", keep_boundaries=True), arrays, bounded)
    with h5py.File(path) as file:
        assert list(file) == ["a %2F b", " "]


def test_text_has_as_many_digits_as_tell_a_number_from_its_neighbours():
    values = np.array([[0.1, 1 / 3, 1e-20, -16777217.0]], np.float32)
    line = text_of(["w"], values, pooled=False)
    assert line == "w\t0.1 0.33333334 1e-20 -1.6777216e+07\n\n"


@pytest.mark.parametrize("output_format", COMPRESSIONS)
def test_a_part_that_cannot_be_read_is_refused(tmp_path, output_format):
    if output_format == "parquet":
        pytest.importorskip("pyarrow")
    with open_vector_file(str(tmp_path / "a"), EmbedSettings(output_format=output_format)) as file:
        assert f"{tmp_path}/none cannot be read" in refused(file.append, f"{tmp_path}/none")
        if output_format != "txt":
            (tmp_path / "text").write_text("text")
            assert f"{tmp_path}/text cannot be read as" in refused(file.append, f"{tmp_path}/text")


@pytest.mark.parametrize("output_format", COMPRESSIONS)
def test_an_error_leaves_no_file_open(tmp_path, output_format):
    if output_format == "parquet":
        pytest.importorskip("pyarrow")
    gc.collect()  # files that errors of earlier tests still hold are closed now, and not in between
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []

    def fail():
        with open_vector_file(str(tmp_path / "a"), EmbedSettings(output_format=output_format)) as file:
            file.add(["a"], np.zeros((3, 1, 4), np.float32))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (os.listdir("/proc/self/fd") if before else []) == before
