"""A client of an Observatory in this very process."""

from observatory.embedded.whole import EmbeddedClient as EmbeddedClient
