"""Checks the arguments of `ElmoLayer`."""

import os
from typing import Any

from elmo_tf.elmo.outputs import OUTPUTS
from elmo_tf.layers.pooling import POOLINGS


def check_arguments(
    options: Any, output: str, pooling: str | None, num_mixes: int, vocab_to_cache: Any, trainable: Any, **mixing: Any
) -> None:
    """Raises a `ValueError` if an argument is not one that `ElmoLayer` accepts, or two contradict each other.

    Args:
        options, output, pooling, num_mixes, vocab_to_cache, trainable: the arguments of `ElmoLayer`.
        mixing: its further arguments that only the output "mix" allows.
    """
    if isinstance(options, (str, os.PathLike)):
        raise ValueError(
            f"options: expected a JSON object, got {os.fspath(options)!r}; a model's path goes to "
            "ElmoLayer.from_pretrained"
        )
    if pooling is not None and pooling not in POOLINGS:
        raise ValueError(f"pooling: expected None or one of {POOLINGS}, got {pooling!r}")
    if isinstance(vocab_to_cache, str):
        raise ValueError(f"vocab_to_cache: expected a list of words, got the text {vocab_to_cache!r}")
    if trainable not in (True, False):
        raise ValueError(f"trainable: expected True or False, got {trainable!r}")
    _check_output(output, num_mixes, mixing)


def _check_output(output: str, num_mixes: int, mixing: dict[str, Any]) -> None:
    if output not in OUTPUTS:
        raise ValueError(f"output: expected one of {OUTPUTS}, got {output!r}")
    if num_mixes < 1:
        raise ValueError(f"num_mixes: expected a number from 1, got {num_mixes}")
    given = [name for name, value in {"num_mixes": num_mixes > 1, **mixing}.items() if value]
    if output != "mix" and given:
        raise ValueError(f"{given[0]}: expected with output='mix' alone, got it with output={output!r}")
