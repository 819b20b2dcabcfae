"""Pickles are read as data, and no pickle can make the reader run code."""

import collections
import datetime
import io
import os
import pickle

import manylangs_models
import pytest

from elmo_tf.formats.pickled_data import Call, Name, Reference, read_pickle

VALUES = {
    "numbers": (0, 255, 65_535, -7, 2**31 - 1, -(2**31), 2**70, -(2**70)),
    "constants": (None, True, False),
    "texts": ("", "été", "x" * 300, "🙂"),
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((1, (2,)), "a")),
    "lists": ([], [1], [1, [2, [3]], "a"], list(range(2000))),
    "dictionaries": ({}, {"a": 1}, {1: {"b": [{}]}}, collections.OrderedDict(a=1, b=2)),
}


def read(content, *names):
    return read_pickle(io.BytesIO(content), names)


@pytest.mark.parametrize("kind", VALUES)
def test_data_comes_back_as_it_was(kind):
    for value in VALUES[kind]:
        came = read(pickle.dumps(value, 2))
        assert came == value
        assert type(came) is (dict if kind == "dictionaries" else type(value))


def test_a_value_that_stands_twice_is_one_object():
    part = ["a"]
    came = read(pickle.dumps((part, part), 2))
    assert came[0] is came[1]


def test_texts_and_numbers_of_python_2_are_read():
    assert read(b"\x80\x02(U\x03abcT\x02\x00\x00\x00deI12\nL34L\nt.") == ("abc", "de", 12, 34)


def test_an_ordered_dictionary_of_python_2_is_read():
    """Python 2 wrote it as a call with a list of pairs."""
    pairs = manylangs_models.Call("collections", "OrderedDict", [["a", 1], ["b", [2]]])
    assert read(manylangs_models.pickled(pairs)) == {"a": 1, "b": [2]}
    for wrong in (1, [1], [[1]], [[1, 2, 3]], [[[], 1]]):
        with pytest.raises(ValueError, match=r"the pickle is damaged|dictionary update"):
            read(manylangs_models.pickled(manylangs_models.Call("collections", "OrderedDict", wrong)))


def test_the_file_is_left_at_the_byte_after_the_pickle():
    file = io.BytesIO(pickle.dumps(1, 2) + pickle.dumps("a", 2) + b"rest")
    assert (read_pickle(file, ()), read_pickle(file, ()), file.read()) == (1, "a", b"rest")


def test_names_calls_and_references_are_records():
    content = manylangs_models.pickled(
        (
            manylangs_models.Name("os", "system"),
            manylangs_models.Call("os", "system", "true"),
            manylangs_models.Persistent((1, "x")),
        )
    )
    assert read(content, "os system") == (Name("os system"), Call("os system", ("true",)), Reference((1, "x")))


def test_attributes_of_a_dictionary_are_left_out():
    built = collections.OrderedDict(a=1)
    built._metadata = {"version": 1}
    assert read(pickle.dumps(built, 2)) == {"a": 1}


class Calls:
    """An object whose pickle makes `pickle.load` call a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
def test_no_code_of_a_pickle_runs(tmp_path, protocol):
    marker = tmp_path / "marker"
    content = pickle.dumps({"weights": Calls(os.system, f"touch {marker}")}, protocol)
    pickle.loads(content)
    assert marker.exists(), "the pickle of the test does nothing"
    marker.unlink()
    with pytest.raises(ValueError, match=r"it (names|has the opcode) .*, which no file of weights needs"):
        read(content)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Calls(eval, "1"), 2), "it names __builtin__ eval, which"),
        (pickle.dumps(datetime.date(2020, 1, 1), 2), "it names datetime date, which"),
        (pickle.dumps(1.5, 2), "it has the opcode BINFLOAT, which"),
        (pickle.dumps(b"x", 4), "it has the opcode SHORT_BINBYTES, which"),
        (b"(S'true'\nios\nsystem\n.", "it has the opcode STRING, which"),
        (b"(I1\nios\nsystem\n.", "it has the opcode INST, which"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "it has the opcode NEWOBJ, which"),
        (b"\x80\x02\x82\x01.", "it has the opcode EXT1, which"),
        (b"\x80\x02K\x01)R.", "the pickle is damaged"),
        (b"\x80\x02ccollections\nOrderedDict\n}b.", "the pickle is damaged"),
        (b"\x80\x02)}b.", "the pickle is damaged"),
        (b"\x80\x02](K\x01K\x02u.", "the pickle is damaged"),
        (b"\x80\x02}(K\x01u.", "the pickle is damaged"),
        (b"\x80\x02}}K\x01s.", "the pickle is damaged"),
        (b"\x80\x02}K\x01a.", "the pickle is damaged"),
        (b"\x80\x02h\x05.", "the pickle is damaged"),
        (b"\x80\x02t.", "the pickle is damaged"),
        (b"\x80\x02.", "the pickle is damaged"),
        (b"", r"\w"),
        (b"no pickle", r"\w"),
    ],
)
def test_everything_else_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read(content)


def test_a_pickle_that_is_cut_short_is_refused_wherever_it_is_cut():
    content = pickle.dumps({"a": (1, 2**70, "été", [None, {"b": ()}])}, 2)
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"\w"):
            read(content[:length])


def test_a_byte_that_was_changed_is_an_error_or_other_data_and_nothing_else():
    content = pickle.dumps(collections.OrderedDict(a=(1, 2**70, "b"), c=[None, {"d": ()}]), 2)
    refused = 0
    for place in range(len(content)):
        for change in (1, 2, 4, 8, 16, 32, 64, 128):
            try:
                read(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
            except ValueError:
                refused += 1
    assert refused > len(content)
