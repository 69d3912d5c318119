"""Language models, adapted without labels to documents outside every test set."""
