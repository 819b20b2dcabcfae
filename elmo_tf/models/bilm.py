"""The bidirectional language model without its softmax: it turns words into L + 1 layers of vectors."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE
from elmo_tf.layers import CharacterEncoder, LexiconEncoder, LstmStack, TokenEncoder, WordEncoder
from elmo_tf.layers.lexicon_encoder import BOUNDARIES
from elmo_tf.models.input_ids import check_input_ids
from elmo_tf.models.state import BiLMState, check_state
from elmo_tf.options import Options


@keras.saving.register_keras_serializable(package="elmo_tf")
class BiLM(keras.layers.Layer):
    """The biLM: a token encoder, and an LSTM stack for each direction. The directions share only the encoder.

    Args:
        options: `Options`, or the content of an `options.json`. A model with word input needs `n_tokens_vocab`.
        implementation: the argument of `ProjectedLSTM`.
        lexicon_encoder: the arguments of a `LexiconEncoder`, which then takes the place of the token encoder of the
            options; None for the latter.

    Call arguments:
        inputs: sentences with their `<S>` and `</S>`: character ids `(B, T, C)`, or word ids `(B, T)` with word input.
            With a `lexicon_encoder`, strings `(B, T)`, with `<bos>` and `<eos>`.
        mask: booleans `(B, T)`, True for the tokens of a row, False for the padding after them; all True if left out.
        initial_state: for each direction and layer the pair `(cell, output)`, nested as by `zero_state`; zero if left
            out.

    Returns:
        `(layers (B, L + 1, T, directions * D), state)`. Layer 0 is the token's vector, repeated for each direction. The
        backward direction reads the tokens of each row from the last to the first, so its state is the one after the
        row's first token.

    Raises:
        ValueError: `initial_state` has a wrong number of rows, directions or layers, or wrong sizes; the ids are no
            integers, of another rank or width, without steps or, eagerly, out of range.
        tf.errors.InvalidArgumentError: its number of rows is wrong, but unknown before the graph runs; not under XLA.

    Example:

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4, "n_layers": 2}, "n_tokens_vocab": 10})
    >>> layers, state = bilm(np.array([[0, 5, 6, 1]]))
    >>> layers.shape
    TensorShape([1, 3, 4, 8])
    """

    def __init__(
        self,
        options: Options | Mapping[str, Any],
        implementation: str = "fused",
        lexicon_encoder: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            autocast=False, **kwargs
        )  # or Keras would cast the cells, which stay float32 under a mixed policy
        self.options = options if isinstance(options, Options) else Options.from_dict(options)
        self.implementation = implementation
        self.supports_masking = True
        self.encoder = self._make_encoder() if lexicon_encoder is None else self._make_lexicon_encoder(lexicon_encoder)
        lstm = self.options.lstm
        self.stacks = [
            LstmStack(
                n_layers=lstm.n_layers,
                units=lstm.dim,
                projection_dim=lstm.projection_dim,
                cell_clip=lstm.cell_clip,
                proj_clip=lstm.proj_clip,
                use_skip_connections=lstm.use_skip_connections,
                implementation=implementation,
                name=f"RNN_{direction}",
                dtype=self.dtype_policy,
            )
            for direction in range(self.options.directions)
        ]

    def _make_encoder(self) -> TokenEncoder:
        projection_dim, char_cnn = self.options.lstm.projection_dim, self.options.char_cnn
        if char_cnn is not None:
            return CharacterEncoder(
                filters=char_cnn.filters,
                projection_dim=projection_dim,
                embedding_dim=char_cnn.embedding_dim,
                activation=char_cnn.activation,
                n_highway=char_cnn.n_highway,
                name="encoder",
                dtype=self.dtype_policy,
            )
        if self.options.n_tokens_vocab is None:
            raise ValueError(
                "options: n_tokens_vocab is missing: expected the number of words, for the input is word ids"
            )
        return WordEncoder(self.options.n_tokens_vocab, projection_dim, name="encoder", dtype=self.dtype_policy)

    def _make_lexicon_encoder(self, arguments: Mapping[str, Any]) -> LexiconEncoder:
        encoder = LexiconEncoder(**arguments, name="encoder", dtype=self.dtype_policy)
        if encoder.projection_dim != self.options.lstm.projection_dim:
            raise ValueError(
                f"lexicon_encoder: projection_dim: expected that of the LSTM, {self.options.lstm.projection_dim}, got "
                f"{encoder.projection_dim}"
            )
        return encoder

    @property
    def reads_word_ids(self) -> bool:
        """Whether the token encoder takes word ids, so that words can only be read with a vocabulary."""
        return isinstance(self.encoder, WordEncoder)

    @property
    def reads_words(self) -> bool:
        """Whether the token encoder takes the words themselves, as strings."""
        return isinstance(self.encoder, LexiconEncoder)

    @property
    def boundaries(self) -> tuple[str, str]:
        """The words that stand for the begin and the end of a sentence."""
        return BOUNDARIES if self.reads_words else (BEGIN_SENTENCE, END_SENTENCE)

    def build(self, input_shape: Any = None) -> None:
        """Creates all weights; their shapes follow from the options alone."""
        projection_dim = self.options.lstm.projection_dim
        self.encoder.build(None)
        for stack in self.stacks:
            stack.build((None, None, projection_dim))
        self.built = True

    def call(
        self, inputs: tf.Tensor, mask: tf.Tensor | None = None, initial_state: BiLMState | None = None
    ) -> tuple[tf.Tensor, BiLMState]:
        """See the class."""
        if not self.reads_words:
            check_input_ids(inputs, self.options)
        return self.contextualize(self.encoder(inputs), mask, initial_state)

    def contextualize(
        self, tokens: tf.Tensor, mask: tf.Tensor | None = None, initial_state: BiLMState | None = None
    ) -> tuple[tf.Tensor, BiLMState]:
        """Computes the result of `call` from the token vectors `(B, T, D)` of `encoder`.

        A caller can so encode each distinct word once.
        """
        lengths = None if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), 1)
        if initial_state is not None:
            initial_state = check_state(initial_state, self.options, tokens)
        by_direction, states = [], []
        for direction, stack in enumerate(self.stacks):
            state = None if initial_state is None else initial_state[direction]
            read = _reverse(tokens, lengths) if direction else tokens
            outputs, final = stack(read, initial_state=state, mask=mask)
            in_order = [_reverse(output, lengths) for output in outputs] if direction else outputs
            by_direction.append(tf.stack([tokens, *in_order], 1))
            states.append(final)
        return tf.concat(by_direction, -1), tuple(states)

    def zero_state(self, batch_size: int | tf.Tensor) -> BiLMState:
        """The state at the beginning of a text: zeros."""
        return tuple(stack.zero_state(batch_size) for stack in self.stacks)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the result has a layer axis, so the mask does not fit it."""
        return

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "options": self.options.to_dict(),
            "implementation": self.implementation,
            "lexicon_encoder": self.encoder.arguments() if isinstance(self.encoder, LexiconEncoder) else None,
        }


def _reverse(values: tf.Tensor, lengths: tf.Tensor | None) -> tf.Tensor:
    """Reverses the first `lengths` steps of each row and leaves the others in place; all steps if it is None."""
    if lengths is None:
        return tf.reverse(values, [1])
    return tf.reverse_sequence(values, lengths, seq_axis=1, batch_axis=0)
