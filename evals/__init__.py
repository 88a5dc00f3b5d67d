"""Evaluations: questions with truth from separate, hand-written SQL, judged by figures and record ids.

``cases/families.yaml`` holds the truths, ``cases/dev.yaml`` the wordings used in development, ``cases/held_out.yaml``
wordings that development does not look at. ``python -m evals.run`` prints the table, writes the page and fails below
the floors of ``floors.yaml``.
"""
