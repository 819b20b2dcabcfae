import copy
import pathlib
import pickle

import pytest

from elmo_tf.errors import InputError, errors_about


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb\t", r"a\r\nb\t"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\x00b\x7f\x85", r"a\x00b\x7f\x85"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("øl 語\u00a0x \\n", "øl 語\u00a0x \\n"),
    ],
)
def test_a_sentence_stays_on_one_line_whatever_name_is_in_it(name, shown):
    error = InputError(f"x.zip: the name {name} is odd")
    assert str(error) == f"x.zip: the name {shown} is odd"
    assert len(str(error).splitlines()) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


class OtherError(InputError):
    """A subclass, as modules have them."""


ATTRIBUTES = [
    {},
    {"path": "v.txt"},
    {"path": "v\n.txt", "line": 3},
    {"option": "lstm.dim"},
    {"line": 1, "option": "seed"},
]


@pytest.mark.parametrize("kind", [InputError, OtherError])
@pytest.mark.parametrize("attributes", ATTRIBUTES)
@pytest.mark.parametrize(
    "passed_on", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"]
)
def test_an_error_crosses_processes_with_all_that_it_says(kind, attributes, passed_on):
    error = kind("v\n.txt, line 3: odd", **attributes)
    received = passed_on(passed_on(error))
    assert type(received) is kind
    assert str(received) == str(error) == r"v\n.txt, line 3: odd"
    assert received.args == error.args == (str(error),)
    for name in ("path", "line", "option"):
        assert getattr(received, name) == getattr(error, name) == attributes.get(name)


def test_a_path_is_kept_as_text():
    assert InputError("a/b is odd", path=pathlib.Path("a/b")).path == "a/b"


def test_replacing_a_name_rewrites_message_and_path_and_keeps_the_rest():
    error = OtherError("/t\n/x/a.txt, line 2: odd", path="/t\n/x/a.txt", line=2, option="seed")
    replaced = error.replace("/t\n/x", "m.zip")
    assert type(replaced) is OtherError
    assert str(replaced) == "m.zip/a.txt, line 2: odd"
    assert (replaced.path, replaced.line, replaced.option) == ("m.zip/a.txt", 2, "seed")
    assert str(error) == r"/t\n/x/a.txt, line 2: odd"


@pytest.mark.parametrize(("path", "line", "expected"), [(None, 2, ("v.txt", 7)), ("w.txt", 2, ("w.txt", 2))])
def test_a_block_gives_its_path_only_to_an_error_without_one(path, line, expected):
    with pytest.raises(InputError) as caught, errors_about("v.txt", 7):
        raise InputError("odd", path=path, line=line)
    assert (caught.value.path, caught.value.line) == expected


def test_a_block_without_a_line_keeps_the_line_of_the_error():
    with pytest.raises(InputError) as caught, errors_about("v.txt"):
        raise InputError("odd", line=2)
    assert (caught.value.path, caught.value.line) == ("v.txt", 2)
