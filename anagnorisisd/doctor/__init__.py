"""`anagnorisisd doctor`: read-only checks, each with a remedy.

`probe` collects facts from the system, and `checks` turns them into findings.
"""
