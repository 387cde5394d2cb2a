"""Telling what people should be warned of, in prompts and in replies: by rules, or by a guard model.

Pure: no Django, no other app. A guard finds labels; it deletes nothing.
"""
