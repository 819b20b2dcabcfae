"""The language model for training: the biLM, and a softmax over the next word in each direction."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from elmo_tf.layers import SoftmaxHead
from elmo_tf.layers.activation_penalty import activation_penalty
from elmo_tf.layers.cross_entropy import SampledRows
from elmo_tf.layers.host import on_host
from elmo_tf.layers.lstm_stack import dropout_mask
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.state import BiLMState
from elmo_tf.options import Options

DropoutMasks: TypeAlias = Sequence[Sequence[tf.Tensor | None]]
"""For each direction L + 1 dropout masks `(B, T, D)`, those of the layers' inputs, then that of the last output: with
locked dropout `(B, 1, D)`, and None for a rate of 0."""

WeightMasks: TypeAlias = Sequence[Sequence[tf.Tensor]]
"""For each direction L dropout masks `(D, 4H)`, those of the layers' recurrent kernels."""


class TableRows(NamedTuple):
    """The rows of the large tables that a window needs.

    Args:
        words: with word input the vectors of the distinct words `(U, D)`, else None.
        softmax: rows of targets and negatives, with a leading axis of directions; None for the full softmax.
    """

    words: tf.Tensor | None
    softmax: SampledRows | None


@keras.saving.register_keras_serializable(package="elmo_tf")
class LanguageModel(keras.Model):
    """Computes the cross-entropies of a window of packed text in both directions, and the LSTM states after it.

    Args:
        options: `Options`, or the content of an `options.json`, with `n_tokens_vocab`.
        implementation: the argument of `ProjectedLSTM`.

    Call arguments:
        words: the distinct words of the window: character ids `(U, C)`, or word ids `(U,)` with word input.
        inputs: positions in `words`, int32 `(directions, B, T)`; the backward direction reads its text reversed.
        targets: ids of the next words, int32 `(directions, B, T)`.
        state: for each direction and layer the pair `(cell (B, H), output (B, D))`; zero if left out.
        mask: booleans `(directions, B, T)`, all True if left out. A step with False leaves the state unchanged, and its
            loss has no meaning.
        negatives: None for the full softmax, or word ids `(directions, n)` drawn by `elmo_tf.data.negatives`.
        tries: with `negatives`, the number of draws of each sample, `(directions,)`.
        dropout_masks: None for no dropout, or the result of `dropout_masks`.
        looked_up: the result of `look_up` for this window if the caller has it, else None. Under XLA the caller should
            have it.
        weight_masks: None to drop no weights, or the result of `weight_masks`.
        with_penalties: whether to return the penalties on the last outputs too, which are part of the trained loss by
            the options `activation_regularization` and `temporal_activation_regularization`.

    Returns:
        `(cross-entropies (directions, B, T) in nats, state)`; with `with_penalties` also the penalties `(directions,)`,
        which count the masked steps too: the windows of the training have none.

    Example:

    >>> model = LanguageModel({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> window = np.array([[[0, 1, 2]], [[2, 1, 0]]], "int32")
    >>> losses, state = model(np.array([0, 7, 8]), window, window)
    >>> losses.shape
    TensorShape([2, 1, 3])
    """

    def __init__(self, options: Options | Mapping[str, Any], implementation: str = "fused", **kwargs: Any) -> None:
        super().__init__(
            autocast=False, **kwargs
        )  # or Keras would cast the cells, which stay float32 under a mixed policy
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
        """Creates all weights; their shapes follow from the options alone."""
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
        dropout_masks: DropoutMasks | None = None,
        looked_up: TableRows | None = None,
        weight_masks: WeightMasks | None = None,
        with_penalties: bool = False,
    ) -> tuple[tf.Tensor, BiLMState] | tuple[tf.Tensor, BiLMState, tf.Tensor]:
        """See the class."""
        looked_up = self.look_up(words, targets, negatives) if looked_up is None else looked_up
        vectors = looked_up.words  # each distinct word is encoded once
        if vectors is None:
            vectors = self.bilm.encoder(words)
        # in float32 also under a mixed policy, because the gradient of a frequent word's vector sums over many places
        vectors = tf.cast(vectors, self.variable_dtype)
        n_directions = len(self.bilm.stacks)
        absent = [None] * n_directions
        # unstacked, not indexed: the gradient of an index fills a tensor with zeros for each direction
        rows = absent if looked_up.softmax is None else _by_direction(looked_up.softmax, n_directions)
        results, penalties = [], []
        for direction, stack in enumerate(self.bilm.stacks):
            of_layers = (dropout_masks or absent)[direction]
            outputs, final = stack(
                tf.gather(vectors, inputs[direction]),
                initial_state=(state or absent)[direction],
                mask=None if mask is None else mask[direction],
                dropout_masks=None if of_layers is None else of_layers[:-1],
                weight_masks=None if weight_masks is None else weight_masks[direction],
            )
            last = outputs[-1]
            dropped = last if of_layers is None or of_layers[-1] is None else last * of_layers[-1]
            losses = self.softmax(
                dropped,
                targets[direction],
                negatives=None if negatives is None else negatives[direction],
                tries=None if tries is None else tries[direction],
                kernel=self._shared_kernel(),
                rows=rows[direction],
            )
            results.append((losses, final))
            if with_penalties:
                penalties.append(self._penalty(dropped, last))
        losses_by_direction, states = zip(*results, strict=True)
        if with_penalties:
            return tf.stack(losses_by_direction), states, tf.stack(penalties)
        return tf.stack(losses_by_direction), states

    def _penalty(self, dropped: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """The penalty on the last outputs `(B, T, D)` of one direction, with and without dropout."""
        training, dtype = self.options.training, self.variable_dtype  # squares of many values, not in half precision
        return activation_penalty(
            tf.cast(dropped, dtype),
            tf.cast(outputs, dtype),
            training.activation_regularization,
            training.temporal_activation_regularization,
        )

    def look_up(self, words: tf.Tensor, targets: tf.Tensor, negatives: tf.Tensor | None = None) -> TableRows:
        """Looks up the rows of the large tables that a window needs.

        Their gradients are sparse, which XLA does not support: call this outside of the functions that XLA compiles.
        The arguments are those of the call.
        """
        vectors = self.bilm.encoder(words) if self.options.char_cnn is None else None
        if negatives is None:
            return TableRows(vectors, None)
        return TableRows(vectors, self.softmax.look_up(targets, negatives, self._shared_kernel()))

    def cross_entropies(self, hidden: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """The cross-entropies, in nats, of targets `(N,)` by the full softmax of top outputs `(N, D)`."""
        losses: tf.Tensor = self.softmax(hidden, targets, kernel=self._shared_kernel())
        return losses

    def softmax_weights(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The softmax's weights `(V, D)` and biases `(V,)`."""
        kernel = self.softmax.kernel.value if self.softmax.own_kernel else self._shared_kernel()
        return tf.convert_to_tensor(kernel), tf.convert_to_tensor(self.softmax.bias)

    def _shared_kernel(self) -> Any:
        return self.bilm.encoder.embedding.value if self.options.share_embedding_softmax else None

    def dropout_masks(
        self, seed: tf.Tensor, rows: int, steps: int, inputs: Any = None, words: Any = 0
    ) -> DropoutMasks | None:
        """Draws the dropout masks of a window as a function of the seed.

        With `locked_dropout` a row has one mask for all its steps (Gal and Ghahramani 2016, "variational"). With
        `word_dropout`, the vector of a distinct word is dropped wherever the word occurs in the window (the same, and
        Merity et al. 2018, "embedding dropout").

        Args:
            seed: two integers.
            rows: B.
            steps: T.
            inputs: the argument of the call, which only `word_dropout` needs.
            words: U, which only `word_dropout` needs.

        Returns:
            For each direction L + 1 masks, as `DropoutMasks` says. None if the options have no dropout.
        """
        training, lstm = self.options.training, self.options.lstm
        rates = training.dropout_rates(lstm.n_layers)
        if not any(rates) and not training.word_dropout:
            return None
        shape = [rows, 1 if training.locked_dropout else steps, lstm.projection_dim]
        with on_host():
            seeds = [tf.random.experimental.stateless_fold_in(seed, d) for d in range(self.options.directions)]
        masks: list[list[tf.Tensor | None]] = [
            [
                dropout_mask(shape, rate, own, number, self.compute_dtype) if rate else None
                for number, rate in enumerate(rates)
            ]
            for own in seeds
        ]
        if training.word_dropout:
            kept = dropout_mask([words], training.word_dropout, seed, self.options.directions, self.compute_dtype)
            for direction, of_layers in enumerate(masks):
                of_tokens = tf.gather(kept, inputs[direction])[..., None]
                of_layers[0] = of_tokens if of_layers[0] is None else of_layers[0] * of_tokens
        return masks

    def weight_masks(self, seed: tf.Tensor) -> WeightMasks | None:
        """Draws the dropout masks of the recurrent kernels as a function of the seed; None without `weight_dropout`.

        A mask holds for all rows and steps of a window (Merity et al. 2018, "weight-dropped LSTM").

        Args:
            seed: two integers.
        """
        rate, lstm = self.options.training.weight_dropout, self.options.lstm
        if not rate:
            return None
        with on_host():
            seeds = [tf.random.experimental.stateless_fold_in(seed, d) for d in range(self.options.directions)]
        shape = [lstm.projection_dim, 4 * lstm.dim]
        return [
            [dropout_mask(shape, rate, own, number, self.compute_dtype) for number in range(lstm.n_layers)]
            for own in seeds
        ]

    def zero_state(self, batch_size: int | tf.Tensor) -> BiLMState:
        """The state at the beginning of a text: zeros."""
        return self.bilm.zero_state(batch_size)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the result is losses and states, which cannot carry one mask."""
        return

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "options": self.options.to_dict(),
            "implementation": self.implementation,
        }


def _by_direction(rows: SampledRows, directions: int) -> list[SampledRows]:
    return [SampledRows(*parts) for parts in zip(*(tf.unstack(part, directions) for part in rows), strict=True)]
