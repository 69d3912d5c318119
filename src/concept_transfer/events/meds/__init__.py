"""Datasets of the Medical Event Data Standard (MEDS 0.3, 0.4) as relations of coded events.

The standard: Arnrich, Choi, Fries et al. 2024, https://openreview.net/forum?id=IsHy2ebjIG; its
schemas are in the package `meds`.
"""
