"""The numbers: all that can be known.

``fields`` declares what can be asked of each noun, ``filters`` the conditions, ``definitions`` the metrics,
``query`` the compiler from a typed question to SQL, ``listing`` the records that match.
"""
