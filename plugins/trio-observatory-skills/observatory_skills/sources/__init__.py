# Where skills come from: folders. What blocks runs in worker threads.
#
# folders    skills that are folders
# packages   skills that are packages
# files      what both are
# watching   the system's news of what has changed in folders
