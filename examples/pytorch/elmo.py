"""ELMo in plain PyTorch: every layer's vectors from `options.json` and `weights.hdf5` or `model.safetensors`.

Copy this file into your project and change it as you like. It needs torch, numpy, and h5py or safetensors, and neither
AllenNLP nor TensorFlow nor elmo_tf. It reads a folder that `elmo-tf convert` writes, a model that AllenNLP publishes,
or a dump of bilm-tf. The arrays in older dumps, and in dumps of one-layer models, have other names. Such a dump is
refused; `elmo-tf convert` gives its arrays today's names:

    from elmo import Elmo, ScalarMix

    elmo = Elmo.from_folder("hdf5")
    inputs, mask = elmo.encode([["The", "first", "sentence", "."], ["Another", "one"]])
    layers = elmo(inputs, mask)  # (batch, layers, tokens, 2 * projection), zero after the end of a sentence
    mix = ScalarMix(layers.shape[1])  # to be trained with your task
    vectors = mix(layers)  # (batch, tokens, 2 * projection)
    means = vectors.sum(1) / mask.sum(1, keepdim=True)  # the mask (batch, tokens) is True on the words

Every sentence starts from the zero state, so its vectors depend on nothing but the sentence. Unlike AllenNLP's module,
this one also reads models without skip connections, without projections, with another number of characters a word than
50, with word ids, and with the forward direction only. The weights are frozen until `elmo.requires_grad_(True)`, and
have the names and layouts of the file. `safetensors.torch.save_file(elmo.state_dict(), "tuned/model.safetensors")`
therefore writes a model that elmo_tf reads, with `options.json` and `vocab.txt` copied beside it.

B rows, T tokens of the longest sentence, C characters of a word, D projection, H cells, L LSTM layers.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan  # the loop of exported models
from torch.jit import is_scripting

BEGIN_WORD, END_WORD, PADDING = 258, 259, 260  # after the 256 bytes and the two ids below
SENTENCE_ENDS = {"<S>": [256], "</S>": [257]}


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a `.hdf5` or `.safetensors` file by their names, such as `CNN/W_cnn_0`."""
    if str(path).endswith(".safetensors"):
        from safetensors.torch import load_file  # NumPy has no bfloat16

        return {name: tensor.float().numpy() for name, tensor in load_file(path).items()}
    import h5py

    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: arrays.update({name: item[...]} if isinstance(item, h5py.Dataset) else {}))
    return arrays


def find_file(folder: Path, *patterns: str, hint: str = "") -> Path:
    """Finds the file of the first pattern that matches any file; an error if it matches several, or if none matches."""
    found = next((found for pattern in patterns if (found := sorted(folder.glob(pattern)))), [])
    if len(found) != 1:
        came = [path.name for path in found] or f"[]{hint}"
        raise FileNotFoundError(f"{folder}: expected one {' or '.join(patterns)}, got {came}")
    return found[0]


def find_weights(path: Path) -> Path:
    """Finds the file of weights in a folder, the same one as elmo_tf; `path` may also be that file itself."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder")
    if path.is_file() and path.suffix in (".safetensors", ".hdf5"):
        return path
    hint = "; of a training run or a checkpoint of bilm-tf `elmo-tf convert --format=safetensors` makes such a folder"
    patterns = ("model.safetensors", "*.safetensors", "weights.hdf5", "model.hdf5", "*weights.hdf5")
    return find_file(path, *patterns, hint=hint)


def character_ids(word: str, length: int) -> list[int]:
    """Returns `length` ids of a word: begin, its UTF-8 bytes, of which `length - 2` are kept at most, end, padding."""
    inside = SENTENCE_ENDS.get(word) or list(word.encode("utf-8", "ignore"))[: length - 2]
    return [BEGIN_WORD, *inside, END_WORD] + [PADDING] * (length - len(inside) - 2)


def _float(value: Any) -> float | None:
    """A number of the options, which may be null."""
    return None if value is None else float(value)


class Settings(NamedTuple):
    """The options that the computation depends on."""

    filters: int  # widths of the character CNN; 0: the model reads word ids
    activation: str
    highways: int
    layers: int
    directions: int
    skips: bool
    cell_clip: float | None
    proj_clip: float | None


class Elmo(nn.Module):
    """The bidirectional language model (Peters et al. 2018) without its softmax.

    Args:
        options: the content of `options.json`.
        arrays: the weights, by the names of `weights.hdf5`; a softmax is left out.
        vocabulary: the words in the order of their ids, as in `vocab.txt`; needed if the model reads word ids.

    Raises:
        ValueError: options, arrays and vocabulary do not fit together; it names the arrays that do not fit.
    """

    def __init__(
        self, options: Mapping[str, Any], arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.cnn: Mapping[str, Any] = options.get("char_cnn") or {}  # empty: the model reads word ids
        self.lstm: Mapping[str, Any] = options["lstm"]
        self.settings = Settings(
            filters=len(self.cnn.get("filters", ())),
            activation=self.cnn.get("activation", ""),
            highways=self.cnn.get("n_highway") or 0,
            layers=self.lstm.get("n_layers") or 1,
            directions=1 if options.get("bidirectional") is False else 2,
            skips=bool(self.lstm.get("use_skip_connections", False)),
            cell_clip=_float(self.lstm.get("cell_clip")),
            proj_clip=_float(self.lstm.get("proj_clip")),
        )
        if self.cnn and self.settings.activation not in ("relu", "tanh"):
            raise ValueError(f"char_cnn.activation: expected relu or tanh, got {self.settings.activation!r}")
        self.word_ids = {word: number for number, word in enumerate(vocabulary or ())}
        self.weight_names = sorted(self.names())
        arrays = {name: array for name, array in arrays.items() if not name.startswith("softmax/")}
        missing, unused = (", ".join(sorted(x)) for x in (self.names() - arrays.keys(), arrays.keys() - self.names()))
        if missing or unused:
            hint = "; `elmo-tf convert` renames them" if "lstm" in unused.lower() and "/Cell" not in unused else ""
            raise ValueError(f"options do not fit; missing: {missing or 'none'}; never used: {unused or 'none'}{hint}")
        if not self.cnn and len(self.word_ids) != (rows := len(arrays["embedding"])):
            raise ValueError(
                f"vocabulary: expected one of {rows} words, by whose ids it reads, got {len(self.word_ids)}"
            )
        for name, array in arrays.items():  # parameters of this module itself: state_dict() has the file's names
            self.register_parameter(name, nn.Parameter(torch.from_numpy(np.array(array, np.float32)), False))

    def names(self) -> set[str]:
        """The names of the arrays that a model of these options has."""
        size, names, settings = self.lstm["projection_dim"], {"embedding"}, self.settings
        if self.cnn:
            filters, gates = self.cnn["filters"], ("W_carry", "b_carry", "W_transform", "b_transform")
            names = {"char_embed", *(f"CNN/{kind}_cnn_{i}" for kind in "Wb" for i in range(len(filters)))}
            names |= {f"CNN_high_{i}/{gate}" for gate in gates for i in range(settings.highways)}
            names |= {"CNN_proj/W_proj", "CNN_proj/b_proj"} if sum(n for _, n in filters) != size else set()
        cell = ["W_0", "B", "W_P_0"] if size < self.lstm["dim"] else ["W_0", "B"]
        prefixes = [cell_prefix(way, layer) for way in range(settings.directions) for layer in range(settings.layers)]
        return names | {prefix + name for prefix in prefixes for name in cell}

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Elmo":
        """Reads the weights, `options.json` and, if there is one, `vocab.txt` of a folder.

        Like elmo_tf, it prefers safetensors to HDF5, and `model.safetensors` and `weights.hdf5` to other names. With
        AllenNLP's `x_weights.hdf5` it reads `x_options.json`. `folder` may also be the file of weights itself, with the
        other files beside it.
        """
        path = find_weights(Path(folder))
        folder = path.parent
        named = {path.name.replace("weights.hdf5", "options.json")} - {path.name, "options.json"}
        options = json.loads(find_file(folder, *named, "options.json", "*options.json").read_text(encoding="utf-8"))
        vocab = folder / "vocab.txt"
        words = vocab.read_text(encoding="utf-8").rstrip().split("\n") if vocab.exists() else ()
        return cls(options, read_arrays(path), [word.strip() for word in words])

    def encode(self, sentences: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
        """Turns sentences, each a list of words, into the arguments of `forward`: the ids with `<S>` and `</S>`, and
        the mask of the words alone, which fits the vectors."""
        sentences = list(sentences)
        for sentence in sentences:
            if isinstance(sentence, str) or not isinstance(sentence, Iterable):
                came = "a string" if isinstance(sentence, str) else repr(sentence)
                raise TypeError(f"sentences: expected a list of words for each, got {came}")
        rows = [["<S>", *sentence, "</S>"] for sentence in sentences]
        if wrong := [word for words in rows for word in words if not isinstance(word, str)]:
            raise TypeError(f"sentences: expected words that are strings, got {wrong[0]!r}")
        steps, length = max(map(len, rows), default=2), self.cnn.get("max_characters_per_token") or 50
        mask = np.arange(2, steps) < np.array([len(words) for words in rows])[:, None]
        shape = (len(rows), steps)
        inputs = np.full((*shape, length), PADDING, np.int64) if self.cnn else np.zeros(shape, np.int64)
        ids, unknown = self.word_ids, None if self.cnn else self.word_ids["<UNK>"]
        for row, words in zip(inputs, rows, strict=True):
            row[: len(words)] = [character_ids(w, length) if self.cnn else ids.get(w, unknown) for w in words]
        device = next(self.parameters()).device
        return torch.from_numpy(inputs).to(device), torch.from_numpy(mask).to(device)

    def forward(self, inputs: Tensor, mask: Tensor, keep_boundaries: bool = False) -> Tensor:
        """Computes all layers of a batch.

        Args:
            inputs: character ids `(B, T + 2, C)`, 0 to 260, or word ids `(B, T + 2)`, `<S>` and `</S>` included.
            mask: booleans `(B, T)`, True on the first positions of a row, where its words are.
            keep_boundaries: whether to keep the vectors of `<S>` and `</S>`; there are then T + 2 positions.

        Returns:
            `(B, L + 1, T, directions * D)`, the forward direction first. Layer 0 is the context-independent vector of
            the word, repeated for each direction. The vectors are zero where the mask is False.
        """
        if not (isinstance(inputs, Tensor) and isinstance(mask, Tensor)):
            came = f"{type(inputs).__name__} and {type(mask).__name__}"
            raise TypeError(f"inputs, mask: expected the tensors that `encode` makes of sentences, got {came}")
        weights = {name: getattr(self, name) for name in self.weight_names}
        return compute_layers(weights, self.settings, inputs, mask, keep_boundaries)

    def __prepare_scriptable__(self) -> "Scriptable":
        """Gives `torch.jit.script` the module to compile in place of this one."""
        return Scriptable(self)


class Scriptable(nn.Module):
    """An `Elmo` that TorchScript compiles: the weights have numbers, because it knows no names with slashes."""

    settings: Settings
    names: list[str]

    def __init__(self, elmo: Elmo) -> None:
        super().__init__()
        self.settings, self.names = elmo.settings, elmo.weight_names
        self.weights = nn.ParameterList([getattr(elmo, name) for name in elmo.weight_names])

    def forward(self, inputs: Tensor, mask: Tensor, keep_boundaries: bool = False) -> Tensor:
        """Computes all layers of a batch, as `Elmo.forward`."""
        weights: dict[str, Tensor] = {}
        for number, weight in enumerate(self.weights):
            weights[self.names[number]] = weight
        return compute_layers(weights, self.settings, inputs, mask, keep_boundaries)


# The functions below are the computation. TorchScript compiles them, so they know no globals, methods or closures.


def is_exporting() -> bool:
    """Whether `torch.export` makes a program of the module now; TorchScript cannot ask."""
    if is_scripting():
        return False
    else:  # noqa: RET505 - without it TorchScript compiles this branch too
        return torch.compiler.is_exporting()


def compute_layers(
    weights: dict[str, Tensor], settings: Settings, inputs: Tensor, mask: Tensor, keep_boundaries: bool
) -> Tensor:
    """Computes all layers of a batch, as `Elmo.forward`, from the weights by the names of the file."""
    if inputs.shape[1] != mask.shape[1] + 2:
        came = f"{list(mask.shape)} with inputs of {list(inputs.shape)}"
        raise ValueError(f"mask: expected two steps less than inputs, which have <S> and </S>, got {came}")
    tokens = encode_words(weights, settings, inputs) if settings.filters > 0 else weights["embedding"][inputs]
    lengths = mask.sum(1, keepdim=True) + 2
    steps = torch.arange(inputs.shape[1], device=mask.device).expand(inputs.shape[:2])
    inside = steps < lengths
    turned = torch.where(inside, lengths - 1 - steps, steps)  # each row reversed by its own length; its own inverse
    halves: list[Tensor] = []
    for direction in range(settings.directions):
        order = (turned if direction == 1 else steps).unsqueeze(-1).expand_as(tokens)
        layers, x = [tokens], tokens.gather(1, order)
        for number in range(settings.layers):
            y = run_layer(weights, settings, cell_prefix(direction, number), x)
            x = y + x if number > 0 and settings.skips else y
            layers.append(x.gather(1, order))
        halves.append(torch.stack(layers, 1))
    result = torch.cat(halves, -1)
    if not keep_boundaries:  # the last position of a row is its "</S>", or padding behind it
        result, inside = result[:, :, 1:-1], mask
    return result.masked_fill(~inside[:, None, :, None], 0.0)


def cell_prefix(direction: int, layer: int) -> str:
    """The names of an LSTM cell's arrays begin with this; direction 0 is forward."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"


def encode_words(weights: dict[str, Tensor], settings: Settings, ids: Tensor) -> Tensor:
    """The character CNN: `(B, T, C)` to `(B, T, D)`. Each distinct word is computed once, except in a model of
    `torch.export`, which needs sizes that do not depend on the words."""
    words = ids.flatten(0, 1)
    index: Tensor | None = None
    if not is_exporting():
        words, index = torch.unique(words, dim=0, return_inverse=True)
    characters = weights["char_embed"][words].transpose(1, 2)  # (words, embedding, C)
    features: list[Tensor] = []
    for i in range(settings.filters):
        kernel = weights[f"CNN/W_cnn_{i}"].squeeze(0).permute(2, 1, 0)  # (width, in, out) to (out, in, width)
        windows = nn.functional.conv1d(characters, kernel, weights[f"CNN/b_cnn_{i}"]).amax(-1)
        features.append(torch.relu(windows) if settings.activation == "relu" else torch.tanh(windows))
    x = torch.cat(features, -1)
    for i in range(settings.highways):  # bilm-tf calls "carry" the gate of the new value, not of the old one
        gate = torch.sigmoid(linear(weights, f"CNN_high_{i}", "carry", x))
        x = gate * torch.relu(linear(weights, f"CNN_high_{i}", "transform", x)) + (1 - gate) * x
    if "CNN_proj/W_proj" in weights:
        x = linear(weights, "CNN_proj", "proj", x)
    if index is not None:
        x = x[index]
    return x.unflatten(0, ids.shape[:2])


def linear(weights: dict[str, Tensor], group: str, name: str, x: Tensor) -> Tensor:
    """Computes `x W + b`; the files hold `W` as (in, out)."""
    return x @ weights[f"{group}/W_{name}"] + weights[f"{group}/b_{name}"]


def run_layer(weights: dict[str, Tensor], settings: Settings, prefix: str, x: Tensor) -> Tensor:
    """Runs an LSTM layer of one direction, `(B, T, D)` to `(B, T, D)`; values on padding mean nothing."""
    kernel, bias, size = weights[prefix + "W_0"], weights[prefix + "B"], x.shape[-1]
    projection = weights.get(prefix + "W_P_0")
    from_input = x @ kernel[:size] + bias  # of all steps in one product
    cell, state = x.new_zeros([x.shape[0], bias.shape[0] // 4]), x.new_zeros([x.shape[0], size])
    if is_exporting():  # a Python loop would fix the number of steps
        return scan_steps(from_input, cell, state, kernel[size:], projection, settings)
    outputs: list[Tensor] = []
    for given in from_input.unbind(1):
        cell, state = lstm_step(given, cell, state, kernel[size:], projection, settings)
        outputs.append(state)
    return torch.stack(outputs, 1)


def lstm_step(
    given: Tensor, cell: Tensor, state: Tensor, recurrent: Tensor, projection: Tensor | None, settings: Settings
) -> tuple[Tensor, Tensor]:
    """Takes one step. The cell is clipped; the output is projected and clipped, and is also the next state."""
    i, j, f, o = (given + state @ recurrent).chunk(4, -1)
    cell = torch.sigmoid(f + 1.0) * cell + torch.sigmoid(i) * torch.tanh(j)  # that 1 is not in the stored bias
    cell_clip, proj_clip = settings.cell_clip, settings.proj_clip
    if cell_clip is not None:
        cell = cell.clamp(-cell_clip, cell_clip)
    state = torch.sigmoid(o) * torch.tanh(cell)
    if projection is not None:
        state = state @ projection
        if proj_clip is not None:
            state = state.clamp(-proj_clip, proj_clip)
    return cell, state


@torch.jit.unused  # TorchScript knows no closures
def scan_steps(
    from_input: Tensor, cell: Tensor, state: Tensor, recurrent: Tensor, projection: Tensor | None, settings: Settings
) -> Tensor:
    """Takes all steps by the loop of `torch.export`, which leaves their number open."""

    def step(carry: tuple[Tensor, Tensor], given: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        cell, state = lstm_step(given, *carry, recurrent, projection, settings)
        return (cell, state), state.clone()

    return scan(step, (cell, state), from_input, dim=1)[1]


class ScalarMix(nn.Module):
    """Computes `gamma * sum_j softmax(weights)_j layer_j`, `(B, L + 1, ...)` to `(B, ...)`.

    The weights start at 0 and gamma at 1, so that the mix begins as the mean of the layers.
    """

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.weights, self.gamma = nn.Parameter(torch.zeros(n_layers)), nn.Parameter(torch.ones(()))

    def forward(self, layers: Tensor) -> Tensor:
        """Mixes the layers."""
        return self.gamma * torch.einsum("l,bl...->b...", torch.softmax(self.weights, 0).to(layers.dtype), layers)
