# The ephemeral modules, under the plain-module rule: a task that owns a table in memory, and a client API.
#   mailbox.py    send, read, acknowledge: the client API and the task
#   requests.py   what the Mailbox's task is asked to do: decided without I/O, then applied
#   table.py      mailboxes in memory, where nothing costs more as one grows
#   checks.py     what a message may be
#   notes.py      one note a key
