"""Preference data that was collected elsewhere becomes judgments here.

`files` opens what was handed in, `rows` reads it row by row, a layout (`layouts`) says what each row's votes are,
`checking` holds them against the rules of answers, `writer` stores them in chunks, and `service` does all of it in one
transaction. Only `service`, `writer`, `material` and `annotators` know Django.
"""
