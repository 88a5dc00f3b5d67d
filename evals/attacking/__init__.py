"""Parts of ``evals.attacks``: the town, the places where text hides, goals, models, the judge, and ordinary work."""
