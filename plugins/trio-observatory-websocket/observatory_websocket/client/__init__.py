# What a program talks to the service with:
# opening         open_client: where the service is, and with which token
# client          the library's methods, as calls
# session         one connection after another, and what is followed over them
# link            one connection
# calls           what was asked and is not answered yet, over one connection after another
# subscriptions   events of one topic or pattern, as they come in
# values          what stands in JSON, as the library's values
