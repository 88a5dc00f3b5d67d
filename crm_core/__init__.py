"""Rapport's core: nouns, verbs and numbers, with no web, chat or model vendor inside.

The map of the house, from the bottom stair up:

* **Foundation**: ``settings`` (RAPPORT_* settings), ``database`` (engine, base class, UTC times),
  ``errors`` (typed sentences), ``money`` (minor units), ``periods`` (half-open ranges), ``text``
  (folding names for comparison), ``access`` (who may see and do what), ``context`` (one call, one
  transaction), ``events`` (what happened, kept), ``ports`` (what the core asks of the world).
* **Nouns**: ``models`` are the tables.
* **Numbers**: ``metrics`` declares each metric and dimension once and compiles a typed question to SQL.
* **Verbs**: ``services`` is all that can be done; ``services/catalog.py`` is the closed list.
* ``changes`` turns a verb into a previewed change set with a diff, a risk class and an approval.

Stairs go down only: ``integrations -> assistant -> crm_core.services -> metrics -> models ->
foundation``. ``pyproject.toml`` holds the contracts and the tests run them.
"""
