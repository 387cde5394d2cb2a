"""Judgments leave as JSON Lines, CSV or Parquet of one fixed schema, streamed."""
