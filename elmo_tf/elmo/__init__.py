"""The Keras outlet: `ElmoLayer`, static word vectors, and SavedModels that serve them."""
