"""Commands: flags in, one library call out. Only this band knows absl and prints."""
