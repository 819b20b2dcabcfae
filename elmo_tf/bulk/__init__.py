"""The corpus outlet: whole files to files of vectors."""
