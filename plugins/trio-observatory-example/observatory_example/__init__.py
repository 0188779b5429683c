"""A plugin to start from: one ephemeral module, one delivery channel, one policy, and settings for the latter two."""

# plugin      what Observatory loads: the hooks and the settings class
# notes       AgentNotes: the module
# bell        BellChannel: the delivery channel
# redaction   Redaction: the policy
# settings    what can be set

from observatory_example.bell import BellChannel
from observatory_example.notes import AgentNote, AgentNotes
from observatory_example.redaction import Redaction
from observatory_example.settings import ExampleSettings

__all__ = ["AgentNote", "AgentNotes", "BellChannel", "ExampleSettings", "Redaction"]
