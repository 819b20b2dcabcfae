"""The names of the files and folders of a stored model."""

OPTIONS_FILE, VOCAB_FILE = "options.json", "vocab.txt"
"""The model's options and its vocabulary, in every form of a model."""

HASHES_FILE = "model.sha256"
"""The hashes of the options and the vocabulary."""

WEIGHTS_FILE, NLPL_WEIGHTS_FILE = "weights.hdf5", "model.hdf5"
"""The HDF5 weights: their name in AllenNLP and bilm-tf, and their name in the NLPL repository and simple_elmo."""

SAFETENSORS_FILE = "model.safetensors"

SOFTMAX_FILE = "softmax.hdf5"
"""The weights of the softmax, beside a file of HDF5 or safetensors weights without it."""

MANYLANGS_CONFIG, MANYLANGS_ENCODER, MANYLANGS_TOKENS = "config.json", "encoder.pkl", "token_embedder.pkl"
MANYLANGS_CHARACTERS, MANYLANGS_WORDS = "char.dic", "word.dic"
"""The files of a model of ELMoForManyLangs: what names its configuration, its weights in two files, its lexicons."""

MIX_FILE = "mix.json"
"""The mixes of layers that an `ElmoLayer` learned, where a biLM comes out of a Keras model."""

LATEST, BEST = "latest", "best"
"""The two folders of checkpoints in the folder of a run."""
