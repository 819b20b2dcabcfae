"""Weight files: HDF5, safetensors, TensorFlow checkpoints and ZIP archives, as arrays by name. Nothing of models."""
