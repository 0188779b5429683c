"""Claude Code and Observatory: hooks that tell what sessions do and bring their mail, and what sets them up."""

# plugin      what Observatory loads: the hooks
# group       `observatory connect`, as it is listed
# hook        the program that Claude Code runs; it imports nothing of the others
# command     `observatory connect claude`
# check       what `observatory doctor` finds
# trying      the hook command, the MCP server and the service, tried out for that
# naming      who the sessions of a project are
# connecting  which files change, and into what
# entries     what stands in them of ours
# files       reading and writing them
# json_text   JSON that is changed in place
# errors      why a file is left alone
