"""``python -m evals.crash``: processes are killed in the middle of changes, and many write at once; nothing may be lost, halved or done twice.

A child process works through propose, approve and undo of a change, each in a transaction of its own, and tells through a pipe
what it began and what returned. It dies by SIGKILL: by its own hand before or after the n-th statement or commit of a transaction
(chosen points, so that a sweep reaches every statement), or by its parent's, at a random moment or while it commits. Then the
parent opens the database and asks three things. Is the state one of the two that the death allows, what had returned or what
had begun as well, and exactly the one that a chosen point allows? Do the laws of the log hold (``violations``)? And if the
client, who got no answer, sends the same approval again, is it applied once in all?

Afterwards writers change the same few deals at once, with and without the version that they read, with approvals that have gone
stale and approvals sent twice. What was applied must be told by the log exactly once, and every change asked for must have
been applied or refused with a reason.

The children come from a server process that never opened a database, so that no lock and no connection is inherited.

``company`` makes what is crashed, ``children`` work and die, ``deaths`` aims at them and judges, ``writers`` contend, ``laws`` says what
must hold after either, and ``__main__`` is the command.
"""
