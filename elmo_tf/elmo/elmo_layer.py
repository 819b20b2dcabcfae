"""`ElmoLayer`: the Keras layer that turns tokens into ELMo's vectors."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.elmo.arguments import check_arguments
from elmo_tf.elmo.outputs import combine_layers, mix_layers, output_shape, place_vectors
from elmo_tf.elmo.sentence_reader import SentenceReader
from elmo_tf.elmo.token_mask import Places, TokenMask
from elmo_tf.inference.fill_word_table import fill_word_table
from elmo_tf.layers.pooling import SentencePooling
from elmo_tf.layers.scalar_mix import MixNumbers, ScalarMix
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.state import BiLMState, state_shapes
from elmo_tf.options import Options
from elmo_tf.store.known_words import known_words
from elmo_tf.store.load_model import read_vocabulary
from elmo_tf.store.load_weights import initial_weights
from elmo_tf.store.open_model import open_model


@keras.saving.register_keras_serializable(package="elmo_tf")
class ElmoLayer(SentenceReader):
    """Turns tokens into the vectors of a biLM.

    Every sentence starts from the zero state, so its vectors depend neither on its batch nor on padding. A model that
    reads characters needs no vocabulary. `<S>` and `</S>` are added, and their vectors are removed from the result.
    Each distinct word of a batch is encoded once.

    Args:
        options: `Options` of the biLM, or the content of an `options.json`.
        output: "mix", a learned mix of all layers; "top", the last layer; "average", the mean of the layers; "concat",
            all layers concatenated, `(B, T, (L + 1) * size)`; "all", `(B, L + 1, T, size)`, without a Keras mask.
        pooling: "mean" or "max" over each sentence's tokens, or None for a vector for each token.
        num_mixes: the number of mixes; from 2 on the result is a list.
        scalar_mix_init, l2, layer_norm: arguments of `ScalarMix`, for output "mix" only.
        dropout: rate of the dropout on the result, in training.
        keep_boundaries: whether to keep the vectors of `<S>` and `</S>`. The result then has `T + 2` steps, and an
            empty row has both boundaries.
        return_state: whether to return the LSTM states after the batch too, as a second result.
        vocabulary: all words in the order of their ids, for a model with word input.
        vocab_to_cache: words whose vectors are computed once and kept in a table. All other words are computed by the
            character CNN as before.
        lexicon_encoder: an argument of `BiLM`, for a model of ELMoForManyLangs. Such a layer takes strings alone.
        trainable: whether the biLM is trained; if not, no gradient passes it. The mixes are trained in any case. To
            switch the biLM later, set `layer.bilm.trainable`; `layer.trainable` is Keras's own attribute and sets the
            biLM and the mixes together.

    Call arguments:
        inputs: strings `(B, T)`, "" for padding; or integers `(B, T, C)`, character ids in the form of prediction,
            without boundaries, rows of 0 for padding (`shift_for_prediction`, AllenNLP's `batch_to_ids`); or a
            `tf.RaggedTensor` of either; or Python lists of either, with rows of any length. Padding may stand anywhere.
            A token is a string of bytes, so it may contain spaces. The layer warns once if every token of a batch does.
        mask: booleans `(B, T)`, a tensor or lists, False for tokens that are to be treated as padding.
        initial_state: the LSTM states to start from, as returned with `return_state` or by `zero_state`.

    Returns:
        Vectors `(B, T, size)` with the Keras mask, zero on padding. `size` is `directions * projection`. For ragged
        inputs, T is the length of the longest row. With `pooling`, `(B, size)`.

    Raises:
        ValueError: an argument or input is not one of the above.
        tf.errors.InvalidArgumentError: character ids are out of range, or `initial_state` has another number of rows
            than the batch. In a graph this is known only when it runs; under XLA it is not checked.

    Example:

    >>> cnn = {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 4], [2, 8]]}
    >>> elmo = ElmoLayer({"lstm": {"dim": 8, "projection_dim": 4, "n_layers": 2}, "char_cnn": cnn})
    >>> vectors = elmo(tf.constant([["The", "cat", "sat"], ["Hello", "", ""]]))
    >>> vectors.shape, len(elmo.trainable_weights)
    (TensorShape([2, 3, 8]), 2)
    """

    def __init__(
        self,
        options: Options | Mapping[str, Any],
        output: str = "mix",
        pooling: str | None = None,
        num_mixes: int = 1,
        scalar_mix_init: Sequence[float] | None = None,
        l2: float = 0.0,
        layer_norm: str | None = None,
        dropout: float = 0.0,
        keep_boundaries: bool = False,
        return_state: bool = False,
        vocabulary: Sequence[str] | None = None,
        vocab_to_cache: Iterable[str] | None = None,
        lexicon_encoder: Mapping[str, Any] | None = None,
        trainable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        first = None if scalar_mix_init is None else [float(value) for value in scalar_mix_init]
        mixing = {"scalar_mix_init": first, "l2": l2, "layer_norm": layer_norm}
        check_arguments(options, output, pooling, num_mixes, vocab_to_cache, trainable, **mixing)
        self.bilm = BiLM(options, lexicon_encoder=lexicon_encoder, name="bilm", dtype=self.dtype_policy)
        self.bilm.trainable = bool(trainable)
        n_layers, policy = self.bilm.options.lstm.n_layers + 1, self.dtype_policy
        self.mixes = [
            ScalarMix(n_layers, first, l2, layer_norm, name=f"mix_{number}", dtype=policy)
            for number in range(num_mixes if output == "mix" else 0)
        ]
        self.pool = None if pooling is None else SentencePooling(pooling, name="pooling", dtype=policy)
        self.drop = keras.layers.Dropout(dropout, name="dropout", dtype=policy)
        self._token_mask = TokenMask(keep_boundaries, name="mask", dtype=policy)
        self.output_kind, self.keep_boundaries, self.return_state = output, keep_boundaries, return_state
        self._arguments = {
            "output": output,
            "pooling": pooling,
            "num_mixes": num_mixes,
            **mixing,
            "dropout": dropout,
            "keep_boundaries": keep_boundaries,
            "return_state": return_state,
        }
        self.supports_masking = True
        self.words = self._make_words(vocabulary, vocab_to_cache)

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str],
        which: str | None = None,
        vocab_to_cache: Iterable[str] | str | os.PathLike[str] | None = None,
        vocab_file: str | os.PathLike[str] | None = None,
        **arguments: Any,
    ) -> "ElmoLayer":
        """Makes the layer with the weights of a trained model.

        Args:
            path: any model that `load_bilm` reads, such as a folder of `elmo-tf train`, or one with `weights.hdf5` and
                `options.json`.
            which: "best" or "latest", the checkpoint of a training run; None for the best if there is one.
            vocab_to_cache: words; or the path of a file with one word a line; or the path of the HDF5 file that
                `elmo-tf tokens` has written for this model, whose vectors are copied instead of computed.
            vocab_file: the vocabulary of a model with word input, if it does not lie beside the model.
            arguments: further arguments of the layer.

        Raises:
            InputError: a file is missing or damaged, as for `load_bilm`, or holds the vectors of another model.
            ValueError: an argument is not one that the layer accepts.
        """
        known = None if vocab_to_cache is None else known_words(vocab_to_cache)
        with open_model(path, which) as stored:
            vocabulary = read_vocabulary(stored, vocab_file)
            layer = cls(
                stored.options,
                vocabulary=vocabulary.words if vocabulary is not None and stored.reads_word_ids else None,
                vocab_to_cache=None if known is None else known.words,
                lexicon_encoder=stored.lexicon_encoder,
                **arguments,
            )
            layer._fill_cache = known is None or known.vectors is None
            with initial_weights(layer.bilm, stored.weights):
                layer.build(None)
            if known is not None and known.vectors is not None:
                fill_word_table(layer.words, layer.bilm, known)
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights. Their shapes depend on the arguments alone, not on `input_shape`."""
        self.bilm.build(None)
        for mix in self.mixes:
            mix.build()
        parts: list[keras.layers.Layer] = [self.bilm, *self.mixes]
        for part in parts:
            part.trainable = part.trainable  # sets it also on the weights that were made just now
        for part in (self._token_mask, self.drop, self.pool):
            if part is not None:
                part.build(None)  # `quantize` refuses a model with any layer that is not built
        self.words.prepare(self.bilm.encoder, self._fill_cache)
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: tf.Tensor | None = None,
        initial_state: BiLMState | None = None,
        training: bool | None = None,
    ) -> Any:
        """Computes the vectors; the class describes the arguments and the result."""
        layers, sentences, places, state = self.read(inputs, mask, initial_state, self.keep_boundaries)
        if self.output_kind == "mix":
            outputs = mix_layers(layers, sentences, self.mixes, self.keep_boundaries)
        else:
            outputs = [combine_layers(layers, self.output_kind)]
        outputs = [self._pool_and_drop(place_vectors(output, places), places, training) for output in outputs]
        result = outputs if len(outputs) > 1 else outputs[0]
        return (result, state) if self.return_state else result

    def _pool_and_drop(self, vectors: tf.Tensor, places: Places, training: bool | None) -> tf.Tensor:
        if self.pool is not None:
            vectors = self.pool(vectors, mask=places.is_shown)
        return self.drop(vectors, training=training)

    @property
    def mix_numbers(self) -> list[MixNumbers]:
        """What each mix has learned: the share of each layer, and gamma."""
        return [mix.numbers for mix in self.mixes]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns booleans `(B, T)`, True on tokens; None with `pooling` or output "all"."""
        if self.pool is not None or self.output_kind == "all":
            return None
        mask = self._token_mask(inputs, mask=previous_mask)
        return [mask] * len(self.mixes) if len(self.mixes) > 1 else mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the result, for `input_shape` `(B, T)` or `(B, T, C)`, nested as the result is."""
        batch, steps = tuple(input_shape)[:2]
        steps = None if steps is None else steps + 2 * self.keep_boundaries
        shape = output_shape(self.output_kind, self.bilm.options, batch, steps)
        shape = shape if self.pool is None else self.pool.compute_output_shape(shape)
        result = [shape] * len(self.mixes) if len(self.mixes) > 1 else shape
        return (result, state_shapes(self.bilm.options, batch)) if self.return_state else result

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic result, by a run of `call`: it has the dtypes too, which shapes alone do not tell."""
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        return {
            **super().get_config(),
            "options": self.bilm.options.to_dict(),
            **self._arguments,
            "vocabulary": self.words.vocabulary,
            "vocab_to_cache": self.words.cached_words,
            "lexicon_encoder": self.bilm.get_config()["lexicon_encoder"],
            "trainable": self.bilm.trainable,
            "frozen": not self.trainable,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ElmoLayer":
        """Makes the layer that `get_config` describes. The table of `vocab_to_cache` is empty until it is loaded."""
        arguments = dict(config)
        frozen = arguments.pop("frozen", False)
        layer = cls(**arguments)
        layer._fill_cache = False
        if frozen:
            layer.trainable = False
        return layer
