"""`anagnorisisd doctor`: one page of checks, each with a remedy.

`look` gathers facts, `checks` judges them without looking at anything, `report` shows the result.
"""
