"""Small models of ELMoForManyLangs with random weights, and their vectors in NumPy float64.

Nothing here needs PyTorch: the files of weights are written opcode by opcode. The equations were written from the
description of the program; they share no code with `elmo_tf`.
"""

import json
import math
import struct
import zipfile
from typing import NamedTuple

import numpy as np

CONFIGURATION = {
    "encoder": {"name": "elmo", "projection_dim": 6, "cell_clip": 3, "proj_clip": 3, "dim": 10, "n_layers": 2},
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": [[1, 3], [2, 4], [4, 5]],
        "n_highway": 2,
        "word_dim": 5,
        "char_dim": 4,
        "max_characters_per_token": 9,
    },
    "classifier": {"name": "sampled_softmax", "n_samples": 8},
    "dropout": 0.1,
}

WORDS = ("<oov>", "<bos>", "<eos>", "<pad>", "le", "chat", "Chat", "été", "猫", "a b", "longues")
CHARACTERS = (*"lechatCé猫on", "\u3000", "<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>")
"""The entries by row. `longues` is the beginning of a word that is cut at 9 characters with its begin and end."""

SENTENCES = [
    ["le", "chat", "Chat", "CHAT", "été"],
    ["猫"],
    ["a b", "longuesses", "longues", "\u3000", "x" * 40, "🙂", "Été", "<oov>"],
    ["<bos>", "le", "<eos>"],
]


def changed(**changes):
    """`CONFIGURATION` with some values of its two sections replaced, such as `token_embedder={"word_dim": 0}`."""
    return CONFIGURATION | {section: CONFIGURATION[section] | values for section, values in changes.items()}


CONFIGURATIONS = {
    "usual": CONFIGURATION,
    "no words": changed(token_embedder={"word_dim": 0}),
    "no characters": changed(token_embedder={"char_dim": 0}),
    "words alone, never cut": changed(token_embedder={"char_dim": 0, "name": "lstm"}),
    "tanh, no highway": changed(token_embedder={"activation": "tanh", "n_highway": 0}),
    "clips that bite, three layers": changed(encoder={"cell_clip": 0.3, "proj_clip": 0.2, "n_layers": 3}),
    "no clips, one layer": changed(encoder={"cell_clip": 0, "proj_clip": 0, "n_layers": 1}),
}
"""Configurations that between them have every part of the architecture, and lack every part that may be missing."""


class Model(NamedTuple):
    """A model's configuration, the rows of its lexicons, and the arrays of its two files by name."""

    configuration: dict
    tokens: dict
    encoder: dict


def random_model(configuration=CONFIGURATION, seed=0):
    """Draws a model; words and characters are `WORDS` and `CHARACTERS`."""
    random = np.random.default_rng(seed)
    shapes = token_shapes(configuration), encoder_shapes(configuration)
    draw = [{name: random.uniform(-0.8, 0.8, shape).astype("f4") for name, shape in part.items()} for part in shapes]
    return Model(configuration, *draw)


def token_shapes(configuration):
    """The names and shapes of the arrays of `token_embedder.pkl`."""
    part, size, shapes = configuration["token_embedder"], 0, {}
    if part["word_dim"]:
        shapes["word_emb_layer.embedding.weight"], size = (len(WORDS), part["word_dim"]), part["word_dim"]
    if part["char_dim"]:
        shapes["char_emb_layer.embedding.weight"] = (len(CHARACTERS), part["char_dim"])
        for i, (width, number) in enumerate(part["filters"]):
            shapes[f"convolutions.{i}.weight"] = (number, part["char_dim"], width)
            shapes[f"convolutions.{i}.bias"] = (number,)
        filters = sum(number for _, number in part["filters"])
        for i in range(part["n_highway"]):
            shapes[f"highways._layers.{i}.weight"] = (2 * filters, filters)
            shapes[f"highways._layers.{i}.bias"] = (2 * filters,)
        size += filters
    shapes["projection.weight"] = (configuration["encoder"]["projection_dim"], size)
    shapes["projection.bias"] = shapes["projection.weight"][:1]
    return shapes


def encoder_shapes(configuration):
    """The names and shapes of the arrays of `encoder.pkl`."""
    part, shapes = configuration["encoder"], {}
    cells, size = part["dim"], part["projection_dim"]
    for layer in range(part["n_layers"]):
        for direction in ("forward", "backward"):
            own = f"{direction}_layer_{layer}"
            shapes[f"{own}.input_linearity.weight"] = (4 * cells, size)
            shapes[f"{own}.state_linearity.weight"] = (4 * cells, size)
            shapes[f"{own}.state_linearity.bias"] = (4 * cells,)
            shapes[f"{own}.state_projection.weight"] = (size, cells)
    return shapes


def write_model(folder, model, config_path="configuration.json", zipped=False):
    """Writes the folder of a model: seven files, of which the configuration is named by `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"config_path": config_path, "lr": 0.001, "model": "output/xx"}))
    (folder / "configuration.json").write_text(json.dumps(model.configuration))
    write_lexicons(folder)
    write_pytorch(folder / "token_embedder.pkl", model.tokens, zipped)
    write_pytorch(folder / "encoder.pkl", model.encoder, zipped)
    return str(folder)


def write_lexicons(folder):
    """Writes `char.dic` and `word.dic`."""
    for name, entries in (("char.dic", CHARACTERS), ("word.dic", WORDS)):
        lines = [f"{entry}\t{row}\n" for row, entry in enumerate(entries)]
        (folder / name).write_text("".join(lines), encoding="utf-8", newline="\n")


def sigmoid(x):
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


def token_vector(model, token):
    """The vector of one token, `(D,)`: that of its word, then that of its characters, projected."""
    part = model.configuration["token_embedder"]
    weights = {name: array.astype(np.float64) for name, array in model.tokens.items()}
    if part["name"] == "cnn":
        token = token[: part["max_characters_per_token"] - 2]
    found = []
    if part["word_dim"]:
        row = WORDS.index(token) if token in WORDS else WORDS.index("<oov>")
        found.append(weights["word_emb_layer.embedding.weight"][row])
    if part["char_dim"]:
        found.append(character_vector(part, weights, token))
    return weights["projection.weight"] @ np.concatenate(found) + weights["projection.bias"]


def character_vector(part, weights, token):
    """The filters of a token and its highway layers, `(n_filters,)`."""
    inside = [token] if token in ("<bos>", "<eos>") else list(token)
    # the program has the names of the begin and the end of a word the wrong way round
    entries = ["<eow>", *(entry if entry in CHARACTERS else "<oov>" for entry in inside), "<bow>"]
    entries += ["<pad>"] * (part["max_characters_per_token"] - len(entries))
    characters = weights["char_emb_layer.embedding.weight"][[CHARACTERS.index(entry) for entry in entries]]
    features = []
    for i, (width, _) in enumerate(part["filters"]):
        kernel, bias = weights[f"convolutions.{i}.weight"], weights[f"convolutions.{i}.bias"]
        windows = [characters[start : start + width].T for start in range(len(characters) - width + 1)]
        largest = np.max([np.tensordot(kernel, window, 2) + bias for window in windows], 0)
        features.append(np.maximum(largest, 0.0) if part["activation"] == "relu" else np.tanh(largest))
    vector = np.concatenate(features)
    for i in range(part["n_highway"]):
        both = weights[f"highways._layers.{i}.weight"] @ vector + weights[f"highways._layers.{i}.bias"]
        transformed, gate = np.maximum(both[: len(vector)], 0.0), sigmoid(both[len(vector) :])
        vector = gate * vector + (1.0 - gate) * transformed
    return vector


def lstm_layer(model, name, inputs):
    """One layer over the steps of a sentence, `(T, D)` to `(T, D)`; gates i, f, j, o."""
    part = model.configuration["encoder"]
    weights = {key: model.encoder[f"{name}.{key}"].astype(np.float64) for key in LSTM_WEIGHTS}
    cell, output, outputs = np.zeros(part["dim"]), np.zeros(part["projection_dim"]), []
    for step in inputs:
        gates = weights["input_linearity.weight"] @ step + weights["state_linearity.weight"] @ output
        i, f, j, o = np.split(gates + weights["state_linearity.bias"], 4)
        cell = clip(sigmoid(i) * np.tanh(j) + sigmoid(f) * cell, part["cell_clip"])
        output = clip(weights["state_projection.weight"] @ (sigmoid(o) * np.tanh(cell)), part["proj_clip"])
        outputs.append(output)
    return np.array(outputs)


LSTM_WEIGHTS = ("input_linearity.weight", "state_linearity.weight", "state_linearity.bias", "state_projection.weight")


def clip(values, bound):
    """Clips to `[-bound, bound]`; a bound of 0 or None clips nothing."""
    return np.clip(values, -bound, bound) if bound else values


def layers_of(model, sentence):
    """The layers of a sentence, `(L + 1, T + 2, 2 D)`, boundaries included, from states of zero."""
    tokens = np.array([token_vector(model, token) for token in ("<bos>", *sentence, "<eos>")])
    forward, backward, found = tokens, tokens[::-1], [np.concatenate([tokens, tokens], 1)]
    for layer in range(model.configuration["encoder"]["n_layers"]):
        skip = 1.0 if layer else 0.0
        forward = lstm_layer(model, f"forward_layer_{layer}", forward) + skip * forward
        backward = lstm_layer(model, f"backward_layer_{layer}", backward) + skip * backward
        found.append(np.concatenate([forward, backward[::-1]], 1))
    return np.array(found)


def write_pytorch(path, arrays, zipped=False):
    """Writes a dictionary of float32 tensors as `torch.save` does, in the format of PyTorch 0.4 or in the newer one."""
    storages = {f"{number}": array for number, array in enumerate(arrays.values())}
    content = Build(
        Call("collections", "OrderedDict"),
        {
            name: Call("torch._utils", "_rebuild_tensor_v2", *tensor(key, array, zipped))
            for (key, array), name in zip(storages.items(), arrays, strict=True)
        },
        {"_metadata": Call("collections", "OrderedDict")},
    )
    if zipped:
        write_zipped(path, content, storages)
    else:
        path.write_bytes(legacy(content, storages))


def tensor(key, array, zipped):
    """The arguments by which PyTorch makes a tensor again."""
    strides = tuple(math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim))
    storage = ("storage", Name("torch", "FloatStorage"), key, "cpu", array.size, *(() if zipped else (None,)))
    return Persistent(storage), 0, array.shape, strides, False, Call("collections", "OrderedDict")


def legacy(content, storages):
    """The bytes of a file of PyTorch 0.4."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    pickles = [pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, machine, content, list(storages))]
    data = [struct.pack("<q", array.size) + array.astype("<f4").tobytes() for array in storages.values()]
    return b"".join([*pickles, *data])


def write_zipped(path, content, storages):
    """Writes a file of PyTorch 1.6 or newer."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(content))
        for name, text in (("byteorder", "little"), ("version", "3\n")):
            archive.writestr(f"archive/{name}", text)
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.astype("<f4").tobytes())


class Name(NamedTuple):
    """A class or function by its module and name."""

    module: str
    name: str


class Persistent(NamedTuple):
    """A reference to a storage."""

    key: object


class Call:
    """A call of a function with arguments."""

    def __init__(self, module, name, *arguments):
        self.function, self.arguments = Name(module, name), tuple(arguments)


class Build:
    """An object with items and with attributes."""

    def __init__(self, target, items, attributes):
        self.target, self.items, self.attributes = target, items, attributes


def pickled(value):
    """The pickle of a value, in protocol 2."""
    return b"\x80\x02" + opcodes(value) + b"."


def opcodes(value):
    """The opcodes that put a value on the stack."""
    match value:
        case Name(module, name):
            return f"c{module}\n{name}\n".encode()
        case Persistent(key):
            return opcodes(key) + b"Q"
        case Call():
            return opcodes(value.function) + opcodes(value.arguments) + b"R"
        case Build():
            return opcodes(value.target) + set_items(value.items) + opcodes(value.attributes) + b"b"
        case bool() | None:
            return {True: b"\x88", False: b"\x89", None: b"N"}[value]
        case int() if 0 <= value < 256:
            return b"K" + bytes([value])
        case int():
            return b"\x8a\x0b" + value.to_bytes(11, "little", signed=True)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case dict():
            return b"}" + set_items(value)
    raise TypeError(type(value))


def set_items(items):
    """The opcodes that add keys and values to a dictionary."""
    return b"(" + b"".join(opcodes(key) + opcodes(value) for key, value in items.items()) + b"u"
