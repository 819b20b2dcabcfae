"""Nothing that is loaded runs code, leaves its folder, or takes memory by what its header claims."""

import gzip
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import h5py
import keras
import numpy as np
import pytest
from model_folders import trained_folder
from refusals import refused

from elmo_tf.cli.main import main
from elmo_tf.data import text
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_vector_files import read_word_vectors
from elmo_tf.elmo.save_bilm import load_elmo_layer
from elmo_tf.formats.hdf5 import open_hdf5
from elmo_tf.formats.safetensors_files import open_safetensors
from elmo_tf.formats.zip_archive import unpack_zip


class Malicious:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_in_the_place_of_any_file_of_a_model_is_not_loaded(tmp_path, capfd):
    made = tmp_path / "made"
    content = pickle.dumps(Malicious(made))
    for name in ("weights.hdf5", "model.safetensors", "options.json", "vocab.txt", "model.zip"):
        folder = tmp_path / name.replace(".", "_")
        trained_folder(folder)
        (folder / name).write_bytes(content)
        target = folder / name if name == "model.zip" else folder
        main(["inspect", f"--model_dir={target}"])
    for path in (tmp_path / "vocab_txt" / "vocab.txt", tmp_path / "options_json" / "options.json"):
        refused(Vocabulary.from_file, str(path))
    capfd.readouterr()
    assert not made.exists()
    pickle.loads(content)
    assert made.exists()  # it would have been made


def test_a_pickle_inside_of_a_numpy_archive_is_not_loaded(tmp_path, capfd):
    made = tmp_path / "made"
    (tmp_path / "a.txt").write_text("the cat\n")
    np.savez(tmp_path / "out.npz", **{"0": np.array([Malicious(made)], dtype=object)})
    trained_folder(tmp_path / "model")
    output = tmp_path / "out.npz"
    for extra in ([], ["--overwrite"]):
        main(["embed", f"--model_dir={tmp_path}/model", f"--input_file={tmp_path}/a.txt", f"--output_file={output}",
              "--output_format=npz", *extra])  # fmt: skip
    main(["merge", f"--input_files={tmp_path}/out.npz", f"--output_file={tmp_path}/merged.npz"])
    capfd.readouterr()
    assert not made.exists()


def test_a_lambda_inside_of_a_keras_model_is_refused(tmp_path):
    made = str(tmp_path / "made")
    inputs = keras.Input((2,))
    outputs = keras.layers.Lambda(lambda x: (__import__("os").makedirs(made, exist_ok=True), x)[1])(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "a.keras")
    os.rmdir(made)
    assert "Lambda" in refused(load_elmo_layer, tmp_path / "a.keras")
    assert not os.path.exists(made)


@pytest.mark.parametrize(
    "name", ["../options.json", "/tmp/options.json", "m/../../options.json", "..\\options.json", "C:/options.json"]
)
def test_a_zip_cannot_write_out_of_its_folder(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("m/weights.hdf5", "x")
        archive.writestr(zipfile.ZipInfo(name), "{}")
    with (
        pytest.raises(ValueError, match="leads out of the archive's own folder"),
        unpack_zip(str(tmp_path / "a.zip"), "softmax.hdf5"),
    ):
        pass


def test_a_zip_cannot_hold_a_link(tmp_path):
    member = zipfile.ZipInfo("m/options.json")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("m/weights.hdf5", "x")
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(ValueError, match="is a symbolic link"), unpack_zip(str(tmp_path / "a.zip"), "softmax.hdf5"):
        pass


def test_a_zip_that_would_unpack_to_many_times_its_size_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/options.json", "{}")
        archive.writestr("m/weights.hdf5", bytes(20 << 20))
    assert os.path.getsize(tmp_path / "a.zip") < 30_000
    with (
        pytest.raises(ValueError, match=r"claims 20,971,522 bytes of content, more than 100 times its own"),
        unpack_zip(str(tmp_path / "a.zip"), "softmax.hdf5"),
    ):
        pass


def _open(opened, path):
    with opened(str(path)) as arrays:
        return {name: arrays[name] for name in arrays}


@pytest.mark.parametrize("settings", [{}, {"chunks": (1 << 20,)}, {"chunks": (1 << 20,), "compression": "gzip"}])
def test_an_hdf5_file_that_lacks_what_its_header_promises_is_refused_before_memory_is_taken(tmp_path, settings):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("x", (1 << 40,), "f4", **settings)
    message = refused(_open, open_hdf5, tmp_path / "a.hdf5")
    assert message == (
        f"{tmp_path}/a.hdf5: array x: expected 4,398,046,511,104 bytes by its header, got 0: not all of it was written"
    )


def test_an_hdf5_file_cannot_read_other_files(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(16)))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("x", (4,), "f4", external=[(str(tmp_path / "secret"), 0, 16)])
    assert "got those of other files" in refused(_open, open_hdf5, tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file["x"] = np.ones(4, "f4")
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "b.hdf5"), "x", (4,))
    with h5py.File(tmp_path / "c.hdf5", "w") as file:
        file.create_virtual_dataset("x", layout)
    assert "got those of other files" in refused(_open, open_hdf5, tmp_path / "c.hdf5")


@pytest.mark.parametrize("length", [2**62, 2**31, 100_000_000])
def test_the_sizes_in_a_safetensors_header_are_checked_before_memory_is_taken(tmp_path, length):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    assert "cannot be read as safetensors" in refused(_open, open_safetensors, path)
    header = json.dumps({"x": {"dtype": "F32", "shape": [length], "data_offsets": [0, 4 * length]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert "cannot be read as safetensors" in refused(_open, open_safetensors, path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("1 1000000000000", "expected vectors of at most 100,000 numbers, got 1,000,000,000,000"),
        (f"1 {'9' * 5000}", "expected a word and 1 numbers"),
        (f"{'9' * 18} 2", "cut short"),
    ],
)
def test_the_counts_in_a_header_of_word_vectors_are_checked_before_memory_is_taken(tmp_path, header, said):
    path = tmp_path / "a.bin"
    path.write_bytes(f"{header}\nthe ".encode() + bytes(8) + b"\n")
    tracemalloc.start()
    try:
        assert said in refused(read_word_vectors, path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_small_archive_cannot_hold_a_line_that_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "LONGEST_LINE", 1 << 20)
    monkeypatch.setattr("elmo_tf.data.text_blocks.LONGEST_LINE", 1 << 20)
    content = io.BytesIO()
    with gzip.open(content, "wb") as file:
        file.write(b"two\nlines\n" + b"x" * (30 << 20))
    path = str(tmp_path / "a.gz")
    (tmp_path / "a.gz").write_bytes(content.getvalue())
    tracemalloc.start()
    try:
        for read in (lambda: Corpus.scan([path]), lambda: Vocabulary.from_file(path)):
            assert refused(read) == (
                f"{path}, line 3: expected a tokenised sentence a line, got a line of more than 1,048,576 bytes"
            )
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
