"""How text is sampled from a model. Nothing here knows Django, and torch is imported only by what needs it.

To add an engine: a module with a class that has `sample` and `close` as in `base.Engine`, and errors from
`errors`.
"""
