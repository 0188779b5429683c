"""The delivery channel `inbox`: every message as a JSON file that its recipient can poll."""

# plugin    what Observatory loads: the hook and the settings class
# channel   InboxChannel: batches in worker threads, statistics
# writing   one batch of jobs against the files
# adopting  what other processes write and take: compares the files with what is known to be there
# known     which files this process has written or adopted
# survey    listing directories, reading strangers' files
# outbox    Outbox: publishes what agents write
# tray      the files of the outbox
# responses CommandResponse: the format of a file of the outbox
# watching/ following what happens in a folder, for inbox and outbox
# teams     team inboxes, for one delivery channel: a batch's messages for members
# team      finding a member's inbox and checking that it is one
# team_inbox   appending to it
# team_lock    its lock, as npm's proper-lockfile takes it
# team_patience  how long a batch waits for locks
# team_format  the JSON of team inboxes and of config.json
# checks    what the doctor asks: what the three checks share
# checks_inbox, checks_outbox, checks_teams   one each
# checks_mending   mending what they find, where that is safe
# write_back   having data written to the disk
# recovery  finding unread files again, and leaving bad ones where they are
# listing   what lies in the inbox: kinds of entries, queue statistics
# files     directories and files under one descriptor each, never through a symbolic link
# format    the JSON of a file, and which names are allowed
# settings  what can be set

from observatory_inbox.channel import InboxChannel
from observatory_inbox.listing import QueueStats
from observatory_inbox.outbox import Outbox
from observatory_inbox.responses import CommandResponse
from observatory_inbox.settings import InboxSettings

__all__ = ["CommandResponse", "InboxChannel", "InboxSettings", "Outbox", "QueueStats"]
