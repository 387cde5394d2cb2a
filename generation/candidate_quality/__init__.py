"""What can be said about candidates without reading them: flags of one reply, lengths and diversity of several.

Pure: no Django, no other app. Each module knows one thing; `flags` puts together what is said of one reply.
"""
