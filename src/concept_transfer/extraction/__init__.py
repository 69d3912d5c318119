"""Findings in text: words, mentions of entities, taggers that find them, and how well they do."""
