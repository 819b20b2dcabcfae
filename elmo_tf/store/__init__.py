"""Models on disk: their file names, where they lie, how they are found, opened, loaded and given another vocabulary."""
