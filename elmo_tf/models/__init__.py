"""The biLM and the language model, their states, and the names of their weights."""
