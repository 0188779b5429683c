# The ephemeral modules, under the plain-module rule: a task that owns a table in memory, and a client API.
#   mailbox.py    send, read, acknowledge: the client API
#   checks.py, composer.py        what a message may be; from what a caller gives to a message
#   writer.py     the Mailbox's task: takes all waiting requests as one batch, and commits
#   request.py, requests.py       what it is asked to do: decided without I/O, then applied
#   table.py, box.py              mailboxes in memory, and the caps; one of them
#   leaving.py    who waits until acknowledged messages are taken back
#   recovery.py   filling the table from storage and delivery channels
#   arrivals.py   who waits for a message
#   recipients.py whether anybody has heard of those whom messages are for
#   presence.py   who is there, and who holds what
#   surfacing.py  what stands in the present context of agents
#   notes.py      one note a key
