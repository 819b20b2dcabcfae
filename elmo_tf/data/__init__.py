"""Text, vocabulary, character ids, the language model's stream and batches of sentences; no layers."""
