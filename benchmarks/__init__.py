"""Scripts that measure speed and memory. Each has a `--help`, and prints a table and, as its last line, JSON."""
