"""`PerplexityCallback`: the exact perplexity of a text after every epoch, in any Keras `fit` and in `elmo-tf train`."""

import os
from collections.abc import Callable, Sequence

import keras
import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.text import expand_patterns
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store.load_model import LoadedLanguageModel, load_language_model
from elmo_tf.training.state import Logs


class PerplexityCallback(keras.callbacks.Callback):
    """Computes the exact perplexity of a text at the end of every epoch, and adds it to the logs.

    The logs get `val_perplexity_forward`, `val_perplexity_backward` and their mean, `val_perplexity`, so that other
    callbacks can monitor it: `EarlyStopping("val_perplexity", mode="min")`, if it stands behind this one in the list.

    While a Keras model with an `ElmoLayer` is fine-tuned, the perplexity says how much the biLM forgets of its
    language: give the language model that the layer's weights came from, and the layer's `bilm`.

    Args:
        texts: the files of the text, or patterns such as "held/*.txt"; a tokenised sentence on each line.
        language_model: the folder of a language model, or what `load_language_model` returned. None in `elmo-tf
            train`, where the model that is trained is itself one; then `vocabulary` is needed.
        bilm: the biLM that `fit` trains, such as `elmo.bilm`. Its weights are copied to `language_model` before every
            computation. None if `fit` trains `language_model` itself, or its `bilm`.
        vocabulary: the vocabulary, or its file; None for that of `language_model`.
        name: the name of the perplexity in the logs, behind "val_". Two callbacks, or one beside the validation of
            `elmo-tf train`, need two names.
        batch_size: the number of rows that the sentences are dealt to, as for `Evaluator`.
        report: called with a line for people after every computation; None for no line.

    Raises:
        InputError: a text or the language model cannot be read.
        ValueError: the arguments do not fit together.

    Example:

        loaded = elmo_tf.load_language_model("model")
        elmo = elmo_tf.ElmoLayer.from_pretrained("model", trainable=True)
        tagger.fit(x, y, callbacks=[elmo_tf.PerplexityCallback("held/*.txt", loaded, elmo.bilm)])
    """

    def __init__(
        self,
        texts: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        language_model: str | os.PathLike[str] | LoadedLanguageModel | None = None,
        bilm: BiLM | None = None,
        vocabulary: Vocabulary | str | os.PathLike[str] | None = None,
        name: str = "perplexity",
        batch_size: int = 32,
        report: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        names = [texts] if isinstance(texts, (str, os.PathLike)) else list(texts)
        if not all(isinstance(text, (str, os.PathLike)) for text in names):
            raise ValueError(f"texts: expected files or patterns, such as 'held/*.txt', got {texts!r:.80}")
        if isinstance(language_model, (str, os.PathLike)):
            language_model = load_language_model(language_model)
        if bilm is not None and language_model is None:
            raise ValueError("bilm: expected language_model too, whose softmax the perplexity is computed with")
        if isinstance(vocabulary, (str, os.PathLike)):
            vocabulary = Vocabulary.from_file(vocabulary)
        if vocabulary is None and language_model is not None:
            vocabulary = language_model.vocabulary
        if vocabulary is None:
            raise ValueError("vocabulary: expected the vocabulary of the model that is trained, or its file, got None")
        self._corpus = Corpus.scan(expand_patterns([os.fspath(text) for text in names], "texts"))
        self._vocabulary: Vocabulary = vocabulary
        self._language_model = None if language_model is None else language_model.model
        self._bilm, self._name, self._batch_size, self._report = bilm, name, batch_size, report
        self._evaluator: Evaluator | None = None
        if bilm is not None and self._language_model is not None:
            _copy_weights(bilm, self._language_model.bilm)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Computes the perplexity, and adds it to the logs."""
        name = f"val_{self._name}"
        if logs is not None and name in logs:
            raise ValueError(f"the logs hold {name} already: give PerplexityCallback another name than {self._name!r}")
        evaluator = self._make_evaluator()
        if self._bilm is not None and self._language_model is not None:
            _copy_weights(self._bilm, self._language_model.bilm)
        result = evaluator()
        found = {f"{name}_forward": result.forward, name: result.mean}
        if result.backward is not None:
            found[f"{name}_backward"] = result.backward
        if logs is not None:
            logs.update(found)
        if self._report is not None:
            numbers = ", ".join(f"{key.removeprefix('val_')} {value:.2f}" for key, value in found.items())
            self._report(f"epoch {epoch + 1}: {numbers} ({result.tokens:,} tokens, full softmax)")

    def _make_evaluator(self) -> Evaluator:
        """The evaluator, which is made once, because it compiles the model."""
        if self._evaluator is None:
            model = self.model if self._language_model is None else self._language_model
            if not isinstance(model, LanguageModel):
                raise ValueError(
                    "language_model: expected the folder of a language model, because the model of this fit, "
                    f"{type(model).__name__}, has no softmax over the words of a vocabulary"
                )
            self._evaluator = Evaluator(model, self._corpus, self._vocabulary, self._batch_size)
        return self._evaluator


def _copy_weights(source: BiLM, target: BiLM) -> None:
    """Copies the weights of one biLM to another one with the same options.

    Raises:
        ValueError: the two have weights of other names or shapes.
    """
    if source is target:
        return
    weights, places = named_variables(source), named_variables(target)
    for name in sorted({*weights, *places}):
        shapes = [tuple(found[name].shape) if name in found else None for found in (places, weights)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"bilm: expected {name} {shapes[0]}, as in language_model, got {shapes[1]}")
    for name, variable in places.items():
        variable.assign(np.asarray(weights[name]))
