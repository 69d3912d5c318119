"""Language models, adapted without labels to the documents of those who never test."""
