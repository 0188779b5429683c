# What the doctor asks.
#
# inbox, outbox, teams   a check each
# shared                 what they share
# mending                mending what they find, where that is safe
