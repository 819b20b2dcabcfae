"""Models on disk: file names, locations and formats, published models, loading, and transfer to a vocabulary."""
