"""Settings: frozen values, read from `observatory.toml` and `OBSERVATORY_*` variables, checked strictly."""

from observatory.settings.reading import load_settings as load_settings
from observatory.settings.tables import (
    MIB as MIB,
    DeliverySettings as DeliverySettings,
    MailboxSettings as MailboxSettings,
    NotesSettings as NotesSettings,
    PresenceSettings as PresenceSettings,
    PubSubSettings as PubSubSettings,
    SecuritySettings as SecuritySettings,
    Settings as Settings,
    StorageSettings as StorageSettings,
    SupervisionSettings as SupervisionSettings,
    SwarmSettings as SwarmSettings,
    TracesSettings as TracesSettings,
    default_root as default_root,
)
