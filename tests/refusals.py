"""What a call is refused with: one sentence."""

import pytest

from elmo_tf.errors import InputError


def refused(call, *arguments, **named):
    """The message of the `InputError`, one line."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message.splitlines()) == 1
    return message
