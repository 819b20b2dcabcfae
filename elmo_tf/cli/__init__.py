"""The commands of `elmo-tf`: each reads its flags and calls the library. Only this folder uses absl and prints."""
