"""The language model that is trained: the biLM, and the softmax over the next word of either direction."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.bilm import BiLM, BiLMState
from elmo_tf.layers import SoftmaxHead
from elmo_tf.layers.lstm_stack import dropped
from elmo_tf.options import Options


@keras.saving.register_keras_serializable(package="elmo_tf")
class LanguageModel(keras.Model):
    """Cross-entropies of a window of packed text in both directions; LSTM states in, LSTM states out.

    Args:
        options: `Options`, or the content of an `options.json`; `n_tokens_vocab` must be known.
        implementation: that of `ProjectedLSTM`.

    Call arguments:
        words: the distinct words of the window: character ids `(U, C)`, or word ids `(U,)` with word input.
        inputs: positions in `words`, int32 `(directions, B, T)`; the backward direction reads its text reversed.
        targets: ids of the next words, int32 `(directions, B, T)`.
        state: by direction and layer the pair `(cell (B, H), output (B, D))`; zero if left out.
        mask: booleans `(directions, B, T)`, or None: where False the state passes unchanged; the loss there is to be
            ignored.
        negatives: None for the full softmax, or word ids `(directions, n)`; `elmo_tf.data.negatives`.
        tries: with `negatives`, how many draws each sample took, `(directions,)`.
        dropout_seed: None for no dropout, or two integers that its masks are a function of.

    Returns:
        `(cross-entropies (directions, B, T) in nats, state)`.

    Example:

    >>> model = LanguageModel({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> window = np.array([[[0, 1, 2]], [[2, 1, 0]]], "int32")
    >>> losses, state = model(np.array([0, 7, 8]), window, window)
    >>> losses.shape
    TensorShape([2, 1, 3])
    """

    def __init__(self, options: Options | Mapping[str, Any], implementation: str = "fused", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options = options if isinstance(options, Options) else Options.from_dict(options)
        self.supports_masking = True
        self.implementation = implementation
        if self.options.n_tokens_vocab is None:
            raise ValueError("options: n_tokens_vocab is missing: expected the number of words of the vocabulary")
        self.bilm = BiLM(self.options, implementation, name="bilm", dtype=self.dtype_policy)
        self.softmax = SoftmaxHead(
            self.options.n_tokens_vocab,
            own_kernel=not self.options.share_embedding_softmax,
            name="softmax",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights; their shapes follow from the options alone."""
        if not self.bilm.built:
            self.bilm.build()
            self.softmax.build((None, self.options.lstm.projection_dim))
        self.built = True

    def call(
        self,
        words: tf.Tensor,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        state: BiLMState | None = None,
        mask: tf.Tensor | None = None,
        negatives: tf.Tensor | None = None,
        tries: tf.Tensor | None = None,
        dropout_seed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, BiLMState]:
        """See the class."""
        vectors = self.bilm.encoder(words)  # [U, D]: each distinct word is encoded once
        losses, states = [], []
        for direction, stack in enumerate(self.bilm.stacks):
            seed = None
            if dropout_seed is not None:
                seed = tf.random.experimental.stateless_fold_in(dropout_seed, direction)
            outputs, final = stack(
                tf.gather(vectors, inputs[direction]),
                initial_state=None if state is None else state[direction],
                mask=None if mask is None else mask[direction],
                dropout_seed=seed,
            )
            hidden = dropped(outputs[-1], self.options.training.dropout, seed, len(outputs))
            losses.append(
                self.softmax(
                    hidden,
                    targets[direction],
                    negatives=None if negatives is None else negatives[direction],
                    tries=None if tries is None else tries[direction],
                    kernel=self.bilm.encoder.embedding.value if self.options.share_embedding_softmax else None,
                )
            )
            states.append(final)
        return tf.stack(losses), tuple(states)

    def zero_state(self, batch_size: int | tf.Tensor) -> BiLMState:
        """The state that a text starts from."""
        return self.bilm.zero_state(batch_size)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the results are losses and states, which no mask fits."""
        return

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "options": self.options.to_dict(),
            "implementation": self.implementation,
        }
