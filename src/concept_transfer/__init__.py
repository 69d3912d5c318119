"""Transfer of clinical prediction models between sites through concept embeddings."""

__version__ = "0.1.0"
