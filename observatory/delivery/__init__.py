# How messages leave the table:
#   parcel.py       one message on its way through the lanes, and who waits for the first outcomes
#   recipients.py   recipients whose deliveries fail, each with its own clock
#   lane.py         one delivery channel's bounded buffer, task and statistics
#   dead_letters.py deliveries that were given up
#   dispatcher.py   hands what was committed to every lane
