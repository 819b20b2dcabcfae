"""The one inference core: distinct words to vectors, sentences to layers, texts to perplexities."""
