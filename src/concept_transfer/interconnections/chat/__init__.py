"""A chat model asked which codes belong together, by their descriptions alone."""
