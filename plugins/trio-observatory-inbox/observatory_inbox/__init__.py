"""The delivery channel `inbox`: every message as a JSON file that its recipient can poll."""

# plugin      what Observatory loads: the hooks and the settings class
# settings    what can be set
# channel     InboxChannel: batches in worker threads, recovery, statistics
# mail/       the messages' own files: written, removed, found again
# teams/      Claude Code's team inboxes
# adopting/   what other processes write and take
# outbox/     Outbox: what agents write
# watching/   following what happens in a folder, for inbox and outbox
# checks/     what the doctor asks
# files/      what all of these need of the file system

from observatory_inbox.channel import InboxChannel
from observatory_inbox.files.listing import QueueStats
from observatory_inbox.outbox.responses import CommandResponse
from observatory_inbox.outbox.service import Outbox
from observatory_inbox.settings import InboxSettings

__all__ = ["CommandResponse", "InboxChannel", "InboxSettings", "Outbox", "QueueStats"]
