"""The corpus outlet: whole files to files of vectors, in parts that a killed run goes on from, and in shares."""
