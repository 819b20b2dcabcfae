"""The biLM in NumPy float64, equation by equation. The tests compare the library's layers with it.

It was written from the description of the model alone, and shares no code with `elmo_tf`. Rows and steps are plain
loops. Weights are a dict with the names of `weights.hdf5`, `softmax/W` and `softmax/b`; options are the content of an
`options.json`.

Shapes: B rows, T steps, C characters, U distinct words, D projection, H cells, L layers, V words of the vocabulary,
N tokens. A state is a pair `(cell (B, H), output (B, D))` for each direction and layer.
"""

import math

import numpy as np

BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PADDING = range(256, 261)


def directions(options):
    """The number of directions, 1 or 2."""
    return 2 if options.get("bidirectional", True) else 1


def character_row(word, max_characters):
    """The character ids of one word, a list of `max_characters` numbers in 0..260."""
    inside = {"<S>": [BEGIN_SENTENCE], "</S>": [END_SENTENCE]}.get(word)
    if inside is None:
        inside = list(word.encode("utf-8"))[: max_characters - 2]
    row = [BEGIN_WORD, *inside, END_WORD]
    return row + [PADDING] * (max_characters - len(row))


def character_rows(words, max_characters):
    """Character ids of words, `(U, C)`."""
    return np.array([character_row(word, max_characters) for word in words], np.int32)


def sigmoid(x):
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


def clip(x, bound):
    """Clips `x` to `[-bound, bound]`; returns `x` itself if the bound is None."""
    return x if bound is None else np.minimum(np.maximum(x, -bound), bound)


def highway(weights, prefix, x):
    """`g relu(x W_t + b_t) + (1 - g) x` with `g = sigmoid(x W_c + b_c)`; `(..., N)` to `(..., N)`."""
    gate = sigmoid(x @ weights[prefix + "W_carry"] + weights[prefix + "b_carry"])
    transformed = np.maximum(x @ weights[prefix + "W_transform"] + weights[prefix + "b_transform"], 0.0)
    return gate * transformed + (1.0 - gate) * x


def convolution(characters, kernel, bias, activation):
    """Convolution, max pooling over all windows, activation: `(C, dim)` and `(width, dim, n)` to `(n,)`."""
    width = kernel.shape[0]
    answers = []
    for start in range(len(characters) - width + 1):
        window = characters[start : start + width]
        answers.append(sum(window[k] @ kernel[k] for k in range(width)) + bias)
    largest = np.max(answers, 0)
    return np.maximum(largest, 0.0) if activation == "relu" else np.tanh(largest)


def encode_characters(weights, char_cnn, ids):
    """Encodes character ids `(..., C)` to word vectors `(..., D)`; `char_cnn` is the part of the options."""
    vectors = []
    for row in ids.reshape(-1, ids.shape[-1]):
        characters = np.asarray(weights["char_embed"], np.float64)[row]
        features = []
        for i in range(len(char_cnn["filters"])):
            kernel, bias = weights[f"CNN/W_cnn_{i}"][0], weights[f"CNN/b_cnn_{i}"]
            features.append(convolution(characters, kernel, bias, char_cnn["activation"]))
        vectors.append(np.concatenate(features))
    vectors = np.array(vectors)
    for i in range(char_cnn.get("n_highway", 0)):
        vectors = highway(weights, f"CNN_high_{i}/", vectors)
    if "CNN_proj/W_proj" in weights:
        vectors = vectors @ weights["CNN_proj/W_proj"] + weights["CNN_proj/b_proj"]
    return vectors.reshape(*ids.shape[:-1], -1)


def encode(weights, options, inputs):
    """Encodes character ids `(..., C)`, or word ids `(...)` if the options have no `char_cnn`, to `(..., D)`."""
    if "char_cnn" in options:
        return encode_characters(weights, options["char_cnn"], inputs)
    return np.asarray(weights["embedding"], np.float64)[inputs]


def lstm_step(x, cell, output, kernel, bias, projection=None, cell_clip=None, proj_clip=None):
    """Computes one step of one row: input `(I,)`, cell `(H,)` and output `(D,)` to the next cell and output."""
    i, j, f, o = np.split(np.concatenate([x, output]) @ kernel + bias, 4)
    cell = clip(sigmoid(f + 1.0) * cell + sigmoid(i) * np.tanh(j), cell_clip)
    output = sigmoid(o) * np.tanh(cell)
    if projection is not None:
        output = clip(output @ projection, proj_clip)
    return cell, output


def lstm(inputs, kernel, bias, projection=None, cell_clip=None, proj_clip=None, state=None, mask=None):
    """Computes one layer: `(B, T, I)` to outputs `(B, T, D)` and the state `(cell, output)` after the last step.

    Where the boolean mask `(B, T)` is False, the state does not change and the output is zero.
    """
    rows, steps = inputs.shape[:2]
    units = len(bias) // 4
    size = units if projection is None else projection.shape[1]
    state = (np.zeros((rows, units)), np.zeros((rows, size))) if state is None else state
    cells, lasts = np.array(state[0], np.float64), np.array(state[1], np.float64)
    outputs = np.zeros((rows, steps, size))
    for b in range(rows):
        for t in range(steps):
            if mask is None or mask[b, t]:
                cells[b], lasts[b] = lstm_step(
                    inputs[b, t], cells[b], lasts[b], kernel, bias, projection, cell_clip, proj_clip
                )
                outputs[b, t] = lasts[b]
    return outputs, (cells, lasts)


def lstm_stack(weights, options, direction, inputs, state=None, mask=None, scales=None):
    """Computes the layers of one direction: `(B, T, D)` to the list of their outputs, and their states.

    Args:
        scales: the dropout masks, L arrays `(B, T, D)` that the layers' inputs are multiplied by; None for no dropout.
    """
    settings = options["lstm"]
    outputs, states, below = [], [], inputs
    for k in range(settings.get("n_layers", 1)):
        prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
        below = below if scales is None else below * scales[k]
        output, final = lstm(
            below,
            weights[prefix + "W_0"],
            weights[prefix + "B"],
            weights.get(prefix + "W_P_0"),
            settings.get("cell_clip"),
            settings.get("proj_clip"),
            None if state is None else state[k],
            mask,
        )
        if settings.get("use_skip_connections", False) and k > 0:
            output = output + below
        outputs.append(output)
        states.append(final)
        below = output
    return outputs, states


def reversed_rows(values, lengths):
    """Reverses the first `lengths[b]` steps of each row; the others keep their places."""
    result = np.array(values)
    for b, length in enumerate(lengths):
        result[b, :length] = values[b, :length][::-1]
    return result


def bilm(weights, options, inputs, lengths=None, state=None):
    """Computes the layers `(B, L + 1, T, directions * D)` and the state from ids `(B, T, C)` or `(B, T)`."""
    tokens = encode(weights, options, inputs)
    rows, steps = tokens.shape[:2]
    lengths = np.full(rows, steps) if lengths is None else lengths
    mask = np.arange(steps)[None, :] < np.asarray(lengths)[:, None]
    layers, states = [], []
    for direction in range(directions(options)):
        read = reversed_rows(tokens, lengths) if direction else tokens
        outputs, final = lstm_stack(
            weights, options, direction, read, None if state is None else state[direction], mask
        )
        if direction:
            outputs = [reversed_rows(output, lengths) for output in outputs]
        layers.append(np.stack([tokens, *outputs], 1))
        states.append(final)
    return np.concatenate(layers, -1), states


def full_cross_entropy(hidden, targets, kernel, bias):
    """`-log softmax(hidden kernel^T + bias)[target]`: `(N, D)` and `(N,)` to `(N,)`."""
    losses = []
    for h, target in zip(hidden, targets, strict=True):
        logits = kernel @ h + bias
        top = logits.max()
        losses.append(top + math.log(np.exp(logits - top).sum()) - logits[target])
    return np.array(losses)


def expected_count(word, tries, vocabulary_size):
    """The probability that a word is among the distinct words of `tries` log-uniform draws."""
    probability = math.log((word + 2) / (word + 1)) / math.log(vocabulary_size + 1)
    return -math.expm1(tries * math.log1p(-probability))


def sampled_cross_entropy(hidden, targets, kernel, bias, negatives, tries):
    """The sampled softmax loss `(N,)`, with log-Q correction; a negative that is the target is left out."""
    size, losses = len(bias), []

    def corrected(h, word):
        return kernel[word] @ h + bias[word] - math.log(expected_count(word, tries, size))

    for h, target in zip(hidden, targets, strict=True):
        candidates = [target] + [word for word in negatives if word != target]
        logits = np.array([corrected(h, word) for word in candidates])
        top = logits.max()
        losses.append(top + math.log(np.exp(logits - top).sum()) - logits[0])
    return np.array(losses)


def language_model(
    weights, options, words, inputs, targets, state=None, mask=None, negatives=None, tries=None, scales=None
):
    """Computes the cross-entropies `(directions, B, T)` and the state; arguments as for `elmo_tf.LanguageModel`.

    Args:
        scales: the dropout masks, for each direction L + 1 arrays `(B, T, D)`: L for the layers' inputs, and one for
            the final output.
    """
    vectors = encode(weights, options, words)
    kernel, bias = weights.get("softmax/W", weights.get("embedding")), weights["softmax/b"]
    losses, states = [], []
    for direction in range(directions(options)):
        outputs, final = lstm_stack(
            weights,
            options,
            direction,
            vectors[inputs[direction]],
            None if state is None else state[direction],
            None if mask is None else mask[direction],
            None if scales is None else scales[direction],
        )
        last = outputs[-1] if scales is None else outputs[-1] * scales[direction][-1]
        hidden, flat = last.reshape(-1, last.shape[-1]), targets[direction].reshape(-1)
        if negatives is None:
            loss = full_cross_entropy(hidden, flat, kernel, bias)
        else:
            loss = sampled_cross_entropy(hidden, flat, kernel, bias, negatives[direction], tries[direction])
        losses.append(loss.reshape(targets[direction].shape))
        states.append(final)
    return np.stack(losses), states


def activation_penalty(dropped, outputs, alpha, beta):
    """AR and TAR of outputs `(B, T, D)` after and before dropout: means of squares, and of squared differences."""
    rows, steps, size = outputs.shape
    squares = [dropped[b, t, d] ** 2 for b in range(rows) for t in range(steps) for d in range(size)]
    jumps = [
        (outputs[b, t + 1, d] - outputs[b, t, d]) ** 2
        for b in range(rows)
        for t in range(steps - 1)
        for d in range(size)
    ]
    return alpha * sum(squares) / len(squares) + (beta * sum(jumps) / len(jumps) if jumps else 0.0)


def scalar_mix(w, gamma, layers, mask=None, layer_norm=None):
    """Mixes layers `(B, L + 1, T, D)`: `gamma sum_j softmax(w)_j h_j`; `layer_norm` is None, "bilm-tf" or "token"."""
    powers = [math.exp(value - max(w)) for value in w]
    total = 0.0
    for j, power in enumerate(powers):
        layer = np.asarray(layers, np.float64)[:, j]
        if layer_norm == "bilm-tf":
            counted = layer if mask is None else layer[np.asarray(mask, bool)]
            layer = (layer - np.mean(counted)) / np.sqrt(np.var(counted) + 1e-12)
        elif layer_norm == "token":
            layer = (layer - layer.mean(-1, keepdims=True)) / np.sqrt(layer.var(-1, keepdims=True) + 1e-12)
        total = total + power / sum(powers) * layer
    return gamma * total


def pooled(kind, vectors, mask):
    """Pools each row's vectors `(B, T, D)` where the mask is True, by mean or maximum; zero for an empty row."""
    result = np.zeros((vectors.shape[0], vectors.shape[2]))
    for b in range(len(vectors)):
        counted = [vectors[b, t] for t in range(vectors.shape[1]) if mask[b, t]]
        if counted:
            result[b] = np.mean(counted, 0) if kind == "mean" else np.max(counted, 0)
    return result
