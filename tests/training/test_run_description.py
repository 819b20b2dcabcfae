"""The lines that describe a run before its first step."""

import numpy as np
import pytest
import tiny

from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.training import memory_estimate
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.input_checks import check_run_input
from elmo_tf.training.memory_estimate import estimate_run_memory
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.run_description import describe_run


def parts(folder, **changes):
    """A run's input, weights and steps."""
    settings = tiny.settings(folder, **changes)
    prepared = check_run_input(settings.options, settings.train_files, (), settings.vocab_file, 2)
    model = LanguageModel(prepared.options)
    model.build()
    stream = TrainingStream(prepared.corpus, prepared.vocabulary, prepared.options, StreamSettings(rows=8, parts=2))
    return prepared, named_variables(model), PrefetchedStream(stream)


def test_text_weights_steps_devices_and_memory_are_told(tmp_path):
    prepared, variables, stream = parts(tmp_path)
    lines = list(describe_run(prepared, variables, [0, 700, 1400], 2, make_strategy((), 1), stream))
    words = sum(len(line.split()) for line in tiny.sentences(40))
    weights = sum(variable.numpy().size for variable in variables.values())
    assert lines[0] == (
        f"training text: 40 sentences, {words} words; weights: {weights:,}; vocabulary: {len(tiny.WORDS) + 3} words, "
        "100.0% of a sample of the text"
    )
    assert lines[1].startswith("1,400 steps of 2 x 4 rows x 5 tokens in 2 epochs, on ")
    assert "CPU:0" in lines[1]
    assert lines[2].startswith("estimated memory: 0 MB a replica: weights 0 MB, ")
    assert len(lines) == 3


@pytest.mark.parametrize("by_characters", [True, False])
def test_memory_is_estimated_by_the_words_of_the_texts_first_window(tmp_path, by_characters):
    prepared, variables, stream = parts(tmp_path, **({} if by_characters else {"char_cnn": None}))
    sizes = {name: variable.numpy().size for name, variable in variables.items()}
    tables = {"softmax/W", "softmax/b"} | (set() if by_characters else {"embedding"})
    words = stream.first.windows[0].words
    assert np.ndim(words) == (2 if by_characters else 1)
    assert estimate_run_memory(prepared.options, variables, stream) == memory_estimate.estimate_memory(
        prepared.options,
        n_weights=sum(sizes.values()),
        n_sparse=sum(sizes[name] for name in tables),
        rows=4,
        distinct=len(words),
        characters=words.shape[1] if by_characters else 1,
    )
