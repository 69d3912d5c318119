"""The report of an extraction study."""
