"""A model from any form to any other, verified, and the inspection of a model."""
