"""Sweeps: one training run for each point of a grid of settings, and what came of them side by side."""
