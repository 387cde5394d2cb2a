"""Prompts that were collected elsewhere become prompts of a set.

`core.source_files` opens what was handed in, `core.source_rows` reads it row by row, a layout (`layouts`) says which
prompts a row holds, `columns` and `dialogues` how tables and conversations are read, and `service` stores them in one
transaction. Only `service` knows Django.
"""
