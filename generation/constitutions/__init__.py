"""Critique and revision of replies by written principles: Bai et al. 2022, "Constitutional AI", section 3.

Pure: no Django, no other app.
"""
