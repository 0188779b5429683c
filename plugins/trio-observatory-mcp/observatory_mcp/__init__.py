"""Observatory for agents: an MCP server with their mail, their tasks, notes and skills."""

# The house, from the ground up. Imports run up this list only.
#   settings.py   what can be set
#   wrapping.py   what others wrote, in envelopes that they cannot close
#   values.py     what tools return
#   places.py     the addresses of resources
#   news.py       which of them change
#   shown.py      what of an agent's mail stands in its context
#   desk.py       who asks, and what they were told
#   tool.py       a typed function as a tool
#   tools/        the tools
#   reading.py    resources and prompts
#   exchange.py   a request over HTTP and its answer
#   server.py     the protocol's requests, whatever they came over
#   framing.py    messages as bytes
#   handshake.py  a session's messages over HTTP, by 2025-11-25
#   stateless.py  requests over HTTP, by 2026-07-28
#   session.py    an agent's session over HTTP
#   sessions.py   all of them: whose they are, and how many
#   serving.py    a connection over two streams of bytes
#   wires.py      standard input and output as such streams
#   command.py    the command line
#   group.py      how that is listed
#   service.py    what is served at `/mcp`
#   plugin.py     what Observatory loads
