# Following what happens in the directories of a folder, for whoever looks at it: the inbox and the outbox.
#
# following  a folder: by the system's news, and by looking every 2 s
# changes    what the news say
# linux      the news on Linux
# inotify    the three system calls they come from
# portable   the news on other systems, through watchfiles
# stamps     which directories have changed since they were last looked at
