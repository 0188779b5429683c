# From the socket to the library:
# service      listens, lets clients in, tells where it is
# places       for how many there is room, and who makes room for whom
# accepting    from a stream to a websocket
# connection   one client: who it is, whether it keeps up, how it ends
# first_message  says who it is, where the request did not
# requests     what it asks, taken in order and carried out side by side
# api          what can be asked for
# mailboxes    what of that concerns mailboxes
# caller       who asks, and in whose name
# answers      what some of it answers
# waiting      requests that wait for somebody else
# following    what a client follows
# fan_out      connections that keep up are written to in one go
# listening    whose mail it has brought to it
# feeds        events as frames, encoded once for all
# rpc          JSON-RPC 2.0
# head         the request's head, checked before the upgrade
# stream       what is below a websocket, written to by two
# incoming     what comes in, looked at before anybody takes it in
# frames       websocket frames that are ready to be written
# encoding     values of the library as JSON
