# The messages' own files, `{root}/inbox/{to}/{id}.json`. Blocking code, for a worker thread.
#
# writing    one batch of jobs against the files
# placing    how a file gets to its place whole
# syncing    a batch that survives a power cut; disk knows how the file system does that
# recovery   finding unread files again, and leaving bad ones where they are
