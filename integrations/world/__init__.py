"""A generated company: believable, deterministic by seed and size, for demonstration, tests and evaluation.

``profiles`` are the words of different kinds of companies (pipelines, products, picklists, custom fields),
``phrases`` what people say in calls, mails and tickets, ``generate`` the simulation that makes rows, ``load``
the bulk writer. Everyone in it is made up; all addresses end in ``.example``.
"""
