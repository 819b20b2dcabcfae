"""From text files to a model's input in NumPy: vocabulary, character ids, sentences, windows; no TensorFlow."""
