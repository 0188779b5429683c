"""What one can do with an Observatory from outside: the same whether it runs in another process or in this one.

A client's methods are those of the library, under the same names and with the same errors, and all of them wait: also
what is a plain read where the table is at hand.
"""

from observatory.client.parts import (
    MailboxClient as MailboxClient,
    NotesClient as NotesClient,
    PresenceClient as PresenceClient,
    SwarmClient as SwarmClient,
    TracesClient as TracesClient,
)
from observatory.client.whole import Client as Client, ClientSubscription as ClientSubscription, Connector as Connector
