"""The forms in which models travel: one name table, total in both directions, and the files built on it."""
