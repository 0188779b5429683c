# What other processes put into the inbox and take from it.
#
# adoption   compares the files with what is known to be there
# known      which files this process has written or adopted
# survey     listing directories, reading strangers' files
