"""What elmo_tf costs, measured: scripts that anyone can run, each with `--help`, a table and, last, one JSON line."""
