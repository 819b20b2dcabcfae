"""Files and iterables embedded: the model's vectors in every format, in order, whole or not at all."""

import gzip
import io
import itertools
import os
import sys
import tracemalloc

import numpy as np
import pytest
from full_disk import largest_file
from model_cases import CHARACTERS, WORD_INPUT, filled
from model_folders import WORDS, content_of
from refusals import refused
from vector_files import read

from elmo_tf.bulk.embed import embed
from elmo_tf.bulk.embed_file import embed_file
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.load_model import LoadedBiLM

LINES = [
    *(
        "the cat sat on the mat .",
        "",
        "a",
        "zebra øl 日本語 " + "x" * 70,
        "cat " * 90,
        "  the\tcat ",
        "\t",
        "a",
        "and / or",
    ),
    *("/", "\" ' \\", "", "sat sat <S> sat </S> <UNK>", "the cat sat on the mat .", ". . ."),
]
SENTENCES = [line.split() for line in LINES]
SIZE = 8


pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture(scope="module")
def embedder():
    """A tiny model that reads characters."""
    return SentenceEmbedder(filled(BiLM(CHARACTERS)))


@pytest.fixture(scope="module")
def alone(embedder):
    """All layers of each sentence in a batch of its own."""
    return [embedder([tokens])[0] for tokens in SENTENCES]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def fake(sentences):
    """Vectors that tell which sentence they are of, for tests of all but the model."""
    return [np.full((3, len(tokens), SIZE), len(" ".join(tokens)), np.float32) for tokens in sentences]


def are_close(came, wanted, tolerance=1e-6):
    assert len(came) == len(wanted)
    for array, right in zip(came, wanted, strict=True):
        assert array.shape == right.shape
        np.testing.assert_allclose(array, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("output_format", ["hdf5", "parquet", "npz", "txt"])
@pytest.mark.parametrize("batch_tokens", [1, 40, 4096])
def test_every_format_has_the_models_vectors_whatever_the_batch(
    embedder, alone, text, tmp_path, output_format, batch_tokens
):
    if output_format == "parquet":
        pytest.importorskip("pyarrow")
    for dtype, block_bytes in itertools.product(("float32", "float16"), (16, 1 << 17)):
        settings = {"output_format": output_format, "dtype": dtype, "block_bytes": block_bytes}
        came = embed_file(embedder, text, tmp_path / "out", batch_tokens, overwrite=True, **settings)
        assert came == (len(LINES), sum(map(len, SENTENCES)))
        arrays = read(tmp_path / "out", EmbedSettings(**settings), (3, None, SIZE), SENTENCES)
        are_close(arrays, alone, 1e-6 if dtype == "float32" else 1e-3)
    assert sorted(os.listdir(tmp_path)) == ["out", "text.txt"]


def test_layers_pooling_and_boundaries_go_together(embedder, text, tmp_path):
    bounded = [embedder([tokens], keep_boundaries=True)[0] for tokens in SENTENCES]
    assert [array.shape[1] for array in bounded] == [len(tokens) + 2 for tokens in SENTENCES]
    settings = {"layers": "mix", "mix_weights": "0.2,0.5,0.3,2", "pooling": "mean", "keep_boundaries": True}
    embed_file(embedder, text, tmp_path / "out", **settings)
    arrays = read(tmp_path / "out", EmbedSettings(**settings), (SIZE,), SENTENCES)
    shares = 2 * np.array([0.2, 0.5, 0.3])
    are_close(arrays, [np.einsum("l,ltd->td", shares, array).mean(0) for array in bounded])


def test_tokens_of_kept_boundaries_have_their_lines(embedder, text, tmp_path):
    embed_file(embedder, text, tmp_path / "out", output_format="txt", layers="top", keep_boundaries=True)
    blocks = (tmp_path / "out").read_text(encoding="utf-8").split("\n\n")[:-1]
    assert [[line.split("\t")[0] for line in block.split("\n")] for block in blocks] == [
        ["<S>", *tokens, "</S>"] for tokens in SENTENCES
    ]


def test_several_files_are_one_text_and_may_be_packed(text, tmp_path):
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"x\ny y\n"))
    for output, paths in (("a", [text, tmp_path / "b.gz"]), ("b", [tmp_path / "b.gz", text])):
        embed_file(fake, paths, tmp_path / output, output_format="txt", layers="top")
    one, other = ((tmp_path / name).read_text() for name in "ab")
    more = "x\t" + " ".join(["1.0"] * SIZE) + "\n\n" + ("y\t" + " ".join(["3.0"] * SIZE) + "\n") * 2 + "\n"
    assert one.endswith(more)
    assert other.startswith(more)
    assert one.removesuffix(more) == other.removeprefix(more)


def test_a_line_of_ten_thousand_tokens_is_a_sentence(embedder, tmp_path):
    words = [f"w{number % 7}" for number in range(10_000)]
    (tmp_path / "text.txt").write_text(f"a\n{' '.join(words)}\nthe cat\n")
    embed_file(embedder, tmp_path / "text.txt", tmp_path / "out", block_bytes=1000, layers="top")
    arrays = read(tmp_path / "out", EmbedSettings(), (None, SIZE), None)
    assert [array.shape for array in arrays] == [(1, SIZE), (10_000, SIZE), (2, SIZE)]
    are_close(arrays, [embedder([tokens])[0][2] for tokens in (["a"], words, ["the", "cat"])])


def test_standard_input_and_output_make_a_pipe(embedder, alone, monkeypatch, tmp_path, text, capsysbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.read_bytes())))
    assert embed_file(embedder, "-", "-", output_format="txt", block_bytes=16) == (len(LINES), sum(map(len, SENTENCES)))
    (tmp_path / "out").write_bytes(capsysbinary.readouterr().out)
    are_close(read(tmp_path / "out", EmbedSettings(output_format="txt"), (3, None, SIZE), SENTENCES), alone)
    assert not sys.stdout.closed


def test_any_iterable_is_embedded_lazily_and_in_order(embedder, alone):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield SENTENCES[number % len(SENTENCES)]

    arrays = embed(endless(), embedder, look_ahead=20)
    assert taken == []
    are_close([next(arrays) for _ in range(45)], [alone[number % len(alone)] for number in range(45)])
    assert len(taken) == 60
    are_close(
        list(embed(map(tuple, SENTENCES), embedder, layers="top", batch_tokens=30)), [array[2] for array in alone]
    )
    assert list(embed([], embedder)) == []


def test_long_sentences_are_not_read_ahead(monkeypatch):
    taken = []
    sentences = (taken.append(number) or ["w"] * 9_000 for number in range(100))
    next(embed(sentences, fake, layers="top"))
    assert len(taken) == 2


def test_a_model_is_a_path_or_loaded(loaded, text, tmp_path):
    folder = os.path.dirname(os.path.dirname(loaded.source))
    wanted = list(embed(SENTENCES, loaded, dtype="float16"))
    for model in (folder, SentenceEmbedder(loaded.bilm, loaded.vocabulary)):
        for came, right in zip(embed(SENTENCES, model, dtype="float16"), wanted, strict=True):
            np.testing.assert_array_equal(came, right)
    embed_file(folder, text, tmp_path / "out", dtype="float16")
    are_close(read(tmp_path / "out", EmbedSettings(), (3, None, SIZE), None), wanted, 1e-3)


def test_what_is_wrong_is_said_before_a_sentence_is_read(loaded):
    assert "layers: expected numbers from 0 to 2" in refused(embed, None, loaded, layers="5")
    assert "dtype: expected float32 or float16" in refused(embed, None, loaded, dtype="int8")
    with pytest.raises(ValueError, match="split it first"):
        list(embed(["a text"], loaded))


def test_a_loaded_model_keeps_its_precision_and_one_that_reads_words_has_no_words_to_look_up(loaded):
    message = "precision: expected that of the model, which was loaded with the dtype policy float32, got bfloat16"
    assert refused(embed, [], loaded, precision="bfloat16") == message
    words = LoadedBiLM(filled(BiLM(WORD_INPUT)), Vocabulary(WORDS), "weights.hdf5")
    message = refused(embed, [], words, vocab_to_cache=["a"])
    assert message.startswith("vocab_to_cache: expected it with a model that reads characters alone")
    assert "precision: expected float32 or bfloat16 or float16, got 'int8'" in refused(
        embed, [], loaded, precision="int8"
    )
    assert "word_cache: expected a number from 0, got -1" in refused(embed, [], loaded, word_cache=-1)


@pytest.mark.parametrize("kind", ["device", "pipe", "link to a device"])
def test_an_output_that_is_no_regular_file_is_refused_and_stays(text, tmp_path, kind):
    output = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(output)
    elif kind == "link to a device":
        output.symlink_to("/dev/full")
    else:
        output = "/dev/full"
    for overwrite in (False, True):
        message = refused(embed_file, fake, text, output, overwrite=overwrite)
        assert message == f"{output} is a device, a pipe or a socket; expected the name of a file to write"
    assert os.path.exists(output)
    assert not os.path.isfile(output)


def test_the_file_that_a_link_names_is_written(text, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/new")
    refused(embed_file, fake, text, tmp_path / "link")
    embed_file(fake, text, tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert len(read(tmp_path / "folder" / "new", EmbedSettings(), None, None)) == len(LINES)


def test_an_output_that_exists_is_kept_unless_it_shall_be_replaced(text, tmp_path):
    (tmp_path / "out").write_text("old")
    message = refused(embed_file, fake, text, tmp_path / "out")
    assert message == f"{tmp_path}/out exists; give --overwrite to replace it (overwrite=True from Python)"
    assert (tmp_path / "out").read_text() == "old"
    embed_file(fake, text, tmp_path / "out", overwrite=True)
    assert len(read(tmp_path / "out", EmbedSettings(), None, None)) == len(LINES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_file": "-"}, "output_file: expected the output format txt, and one share, with standard output"),
        ({"output_file": "-", "output_format": "txt", "num_shards": 2}, "and one share, with standard output"),
        ({"input_file": ["-", "a"]}, "input_file: expected files, or - alone for standard input, got -, a"),
        ({"input_file": []}, "input_file: expected files, or - alone for standard input, got none"),
        ({"input_format": "conllu"}, "text.txt, line 1: expected 10 columns"),
    ],
)
def test_calls_that_cannot_be_are_refused(text, tmp_path, arguments, message):
    before = content_of(tmp_path)
    assert message in refused(embed_file, fake, **{"input_file": text, "output_file": tmp_path / "out", **arguments})
    assert content_of(tmp_path) == before


def test_conllu_without_sentences_is_refused(tmp_path):
    (tmp_path / "a").write_text("# nothing\n\n")
    message = refused(embed_file, fake, tmp_path / "a", tmp_path / "out", input_format="conllu")
    assert message == f"{tmp_path}/a is without sentences: expected CoNLL-U, a word a line"


@pytest.mark.parametrize("output_format", ["hdf5", "parquet", "npz", "txt"])
def test_a_full_disk_ends_in_one_sentence_and_loses_no_finished_part(loaded, text, tmp_path, output_format):
    if output_format == "parquet":
        pytest.importorskip("pyarrow")
    settings = {"output_format": output_format, "block_bytes": 16}
    embed_file(loaded, text, tmp_path / "whole", **settings)
    size = (tmp_path / "whole").stat().st_size
    parts = tmp_path / "out.parts"
    for room in (size // 10, size - 1):
        with largest_file(room):
            message = refused(embed_file, loaded, text, tmp_path / "out", **settings)
        assert message.startswith(f"{tmp_path}/out cannot be written: ")
        assert ".parts" not in message
        assert not (tmp_path / "out").exists()
    assert len(os.listdir(parts)) > 5
    done = []
    embed_file(loaded, text, tmp_path / "out", progress=done.append, **settings)
    assert done == []  # nothing was left to embed
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not parts.exists()


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    settings = {"layers": "top", "output_format": "txt", "block_bytes": 8192}
    for count in (4_000, 4_000, 40_000):  # the first finds what is made once
        (tmp_path / "text.txt").write_text("a b c d\n" * count)
        tracemalloc.start()
        embed_file(fake, tmp_path / "text.txt", tmp_path / "out", overwrite=True, **settings)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.1 * peaks[1]
