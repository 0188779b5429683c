"""Every error of Observatory, in one tree. The text is for people, the attributes are for programs."""

from observatory.errors.doors import (
    ForbiddenError as ForbiddenError,
    RateLimitError as RateLimitError,
    ServiceRunningError as ServiceRunningError,
    UnauthorizedError as UnauthorizedError,
    UnreachableError as UnreachableError,
)
from observatory.errors.presence import (
    LeaseLimitError as LeaseLimitError,
    LeaseLostError as LeaseLostError,
    LeaseTakenError as LeaseTakenError,
    UnknownRecipientError as UnknownRecipientError,
)
from observatory.errors.skills import SkillSourceError as SkillSourceError
from observatory.errors.swarm import (
    ChangedMeanwhileError as ChangedMeanwhileError,
    NoActiveProjectError as NoActiveProjectError,
    SwarmSourceError as SwarmSourceError,
    TaskRefusedError as TaskRefusedError,
)
from observatory.errors.tree import (
    CanonicalNameError as CanonicalNameError,
    ClosedError as ClosedError,
    DeliveryError as DeliveryError,
    DuplicateNameError as DuplicateNameError,
    EssentialChildError as EssentialChildError,
    IdempotencyError as IdempotencyError,
    InvalidInputError as InvalidInputError,
    MailboxFullError as MailboxFullError,
    ObservatoryError as ObservatoryError,
    OutcomeUnknownError as OutcomeUnknownError,
    PluginError as PluginError,
    PolicyRefusedError as PolicyRefusedError,
    RootError as RootError,
    SettingsError as SettingsError,
    StorageError as StorageError,
    SubscriptionOverflowError as SubscriptionOverflowError,
    UnknownMessageError as UnknownMessageError,
    UnknownNameError as UnknownNameError,
    did_you_mean as did_you_mean,
    one_line as one_line,
)
