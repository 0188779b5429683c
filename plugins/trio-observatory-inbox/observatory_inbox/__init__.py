"""The delivery channel `inbox`: every message as a JSON file that its recipient can poll."""

# plugin    what Observatory loads: the hook and the settings class
# channel   InboxChannel: batches in worker threads, statistics
# writing   one batch of jobs against the files
# recovery  finding unread files again, and leaving bad ones where they are
# listing   what lies in the inbox: kinds of entries, queue statistics
# files     directories and files under one descriptor each, never through a symbolic link
# format    the JSON of a file, and which names are allowed
# settings  what can be set

from observatory_inbox.channel import InboxChannel
from observatory_inbox.listing import QueueStats
from observatory_inbox.settings import InboxSettings

__all__ = ["InboxChannel", "InboxSettings", "QueueStats"]
