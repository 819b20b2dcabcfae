import pickle

import pytest

from elmo_tf.errors import InputError


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
