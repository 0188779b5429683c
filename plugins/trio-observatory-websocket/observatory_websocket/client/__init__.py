# What a program talks to the service with:
# opening         open_client: where the service is, and with which token
# session         a connection that comes back, with what was missed
# link            one connection: calls and their answers, events
# client          the library's methods, as calls
# subscriptions   events of one topic or pattern, as they come in
# values          what stands in JSON, as the library's values
