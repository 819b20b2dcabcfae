"""Reasons that the system or a library gave, in short, and the user's paths in place of temporary ones."""

import pytest

from elmo_tf.errors import InputError
from elmo_tf.system.error_text import first_line, reason, rename_in_errors


def test_the_reason_of_an_error_of_the_system_has_no_path():
    assert reason(PermissionError(13, "Permission denied", "/tmp/.x.tmp")) == "Permission denied"


def test_a_long_message_of_a_library_is_cut():
    assert len(reason(RuntimeError("x" * 1000))) == len(first_line(RuntimeError("x" * 1000))) == 300


@pytest.mark.parametrize("error", [RuntimeError(), RuntimeError(" \n"), RuntimeError("[Op:RestoreV2]")])
def test_an_empty_message_becomes_the_name_of_the_error(error):
    assert reason(error) == first_line(error) == "RuntimeError"


def test_only_the_first_line_of_a_message_is_shown():
    assert first_line(ValueError("Read less bytes\n\t [[node save/RestoreV2]]")) == "Read less bytes"


def test_a_temporary_path_in_an_error_becomes_the_path_of_the_user():
    with (
        pytest.raises(InputError, match=r"^model\.zip and model\.zip/a$"),
        rename_in_errors("model.zip", "/tmp/x.y", "/tmp/x"),
    ):
        raise InputError("/tmp/x.y and /tmp/x/a")


def test_an_error_without_a_temporary_path_is_raised_unchanged():
    error = InputError("vocab.txt is empty")
    with pytest.raises(InputError) as caught, rename_in_errors("model.zip", "/tmp/x"):
        raise error
    assert caught.value is error
