"""Encoders of patients' histories, trained without labels to predict codes that are masked."""
