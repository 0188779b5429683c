"""`observatory demo`: agents do a small real piece of work, and talk through their mailboxes only."""

# Read it in this order to see how one programs with Observatory:
#   agents.py    the planner, the workers and the reviewer: receive, send, reply, request, acknowledge
#   show.py      a subscription to `agent:*`, and who is shown what comes
#   command.py   opening an Observatory and starting them all
# The work itself knows nothing of Observatory:
#   finding.py   which files there are
#   reading.py   what is in one file
#   checking.py  what of it is worth a question, and the answer
#   report.py    what all of it comes to
#   view.py      the live view; plain.py the same without a terminal
