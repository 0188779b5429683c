"""The public names of `observatory` that are imported when one of them is first asked for."""

from observatory.application import Observatory as Observatory
from observatory.channels.log import LogChannel as LogChannel
from observatory.client import (
    Client as Client,
    ClientSubscription as ClientSubscription,
    Connector as Connector,
    MailboxClient as MailboxClient,
    NotesClient as NotesClient,
    PresenceClient as PresenceClient,
    SwarmClient as SwarmClient,
    TracesClient as TracesClient,
)
from observatory.connecting import find_client as find_client
from observatory.doctor import Diagnosis as Diagnosis, examine as examine
from observatory.doors import Door as Door, LetIn as LetIn
from observatory.embedded import EmbeddedClient as EmbeddedClient
from observatory.entries import (
    Cleared as Cleared,
    Entry as Entry,
    Expired as Expired,
    Forgotten as Forgotten,
    Key as Key,
    Read as Read,
    Retracting as Retracting,
    Sent as Sent,
    Settled as Settled,
    Stored as Stored,
    StoredKey as StoredKey,
    StoredMessage as StoredMessage,
)
from observatory.lifecycle import open_observatory as open_observatory, serve as serve
from observatory.modules.mailbox import Mailbox as Mailbox
from observatory.modules.notes import Notes as Notes
from observatory.modules.presence import Presence as Presence
from observatory.modules.protocol_tracker import ProtocolTracker as ProtocolTracker
from observatory.modules.swarm_monitor import SwarmMonitor as SwarmMonitor
from observatory.operations import Exposed as Exposed, Operation as Operation
from observatory.presence.values import (
    Agent as Agent,
    Lease as Lease,
    PresenceUpdate as PresenceUpdate,
    ReleasedLease as ReleasedLease,
)
from observatory.problems import Problem as Problem
from observatory.schemas import schema_of as schema_of
from observatory.service_file import (
    ServiceFile as ServiceFile,
    ServiceInfo as ServiceInfo,
    read_service as read_service,
)
from observatory.skills import (
    SKILL_FILE as SKILL_FILE,
    SkillFile as SkillFile,
    SkillScope as SkillScope,
    SkillSource as SkillSource,
)
from observatory.storage.memory import MemoryStorage as MemoryStorage
from observatory.swarm.values import (
    BlockedChain as BlockedChain,
    Concern as Concern,
    FileConflict as FileConflict,
    Member as Member,
    Pipeline as Pipeline,
    Remaining as Remaining,
    SwarmState as SwarmState,
    SwarmTask as SwarmTask,
    Team as Team,
)
from observatory.traces import (
    Hop as Hop,
    HopLatency as HopLatency,
    Surfaced as Surfaced,
    Trace as Trace,
    TraceStatistics as TraceStatistics,
)
from observatory.unopened import make_service as make_service
