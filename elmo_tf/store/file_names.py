"""The names of the files and folders that a stored model is made of."""

OPTIONS_FILE, VOCAB_FILE = "options.json", "vocab.txt"
"""The model's options and its vocabulary, in every form of a model."""

WEIGHTS_FILE, NLPL_WEIGHTS_FILE = "weights.hdf5", "model.hdf5"
"""HDF5 weights as AllenNLP and bilm-tf name them, and as the NLPL repository and simple_elmo do."""

SAFETENSORS_FILE = "model.safetensors"

SOFTMAX_FILE = "softmax.hdf5"
"""The softmax, beside HDF5 or safetensors weights that lack it."""

MIX_FILE = "mix.json"
"""The mixes of layers that an `ElmoLayer` learned, where a biLM comes out of a Keras model."""

LATEST, BEST = "latest", "best"
"""The two folders of checkpoints in the folder of a training run."""
