"""Checks the errors that are a user's mistake."""

import pytest

from elmo_tf.errors import InputError


def refused(call, *arguments, **named):
    """Checks that a call raises an `InputError` with a message of one line; returns the message."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message.splitlines()) == 1
    return message
