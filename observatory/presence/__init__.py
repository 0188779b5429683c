# Who is there, and who holds what; no tasks, and no waiting.
#   values.py     frozen values
#   names.py      names that are near to one
#   register.py   the agents that are known, and what has changed of them
#   leases.py     who holds what, and for how long
#   checking.py   what callers hand over
