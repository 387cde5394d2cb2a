"""Scheduled training: a schedule fires, freezes, trains, compares, and replaces its current model by a better one."""
