"""Cyano inside other programs: one file for each, by its name, with the interface that it expects.

Nothing here is imported with `import cyano`, and an adapter imports its program only where it is used; where it is
absent a `MissingExtraError` names it. What changes in a program is in docs/how-to/adapters.md.
"""
