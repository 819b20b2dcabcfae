"""ELMo (Peters et al. 2018) on TensorFlow 2 and Keras 3."""

from elmo_tf.version import __version__

__all__ = ["__version__"]
