# What agents write, `{root}/outbox/{session_id}/*.json`.
#
# service     Outbox: publishes it
# tray        the files
# responses   CommandResponse: the format of a file
# owner       which of several processes reads them
