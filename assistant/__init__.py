"""The assistant: it knows language, and neither Slack nor HTTP.

The life of one message: a door calls ``agent.Agent.answer`` with the text, the user and a thread. ``conversation``
recalls what was said before; a ``turn.Turn`` is made, the only place where the caller stands. The agent's loop
lets a model speak: the embedded one reads the message (``language``) and calls tools, a real one does the same
through the OpenAI protocol. ``tools`` runs each call under the caller, in its own transaction; reads enter their
results in the ``ledger``, writes become proposals. From the results ``blocks`` builds tables, charts and cards;
the words are checked against the ledger; the turn is kept and handed back as an ``answer.Answer``.
"""
