# What every part needs of the file system. Blocking code, for a worker thread.
#
# access       directories and files under one descriptor each, never through a symbolic link
# listing      what lies in a directory: kinds of entries; queue statistics
# format       the JSON of a message's file, and which names are allowed
# write_back   having data written to the disk
# hop          to a worker thread and back
